package refresher

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Policy is what a caller requires of an access token. No code except the methods of
// Policy decides whether a token must be refreshed.
type Policy struct {
	// MinTTL is how long the token must still be valid. If half of the token's lifetime
	// is shorter than MinTTL, half of the lifetime is enough.
	MinTTL time.Duration
	// If the caller reports that Asana refused the access token in a hot row,
	// RefusedGrant is the Grant of that row. Otherwise, RefusedGrant is 0.
	RefusedGrant int64
}

// IsFresh reports whether the row's token can be returned without a refresh: isTrusted
// returns true, and the token is still valid for MinTTL (at least 5 s) plus one second.
// If half of the token's lifetime is shorter than this time, half of the lifetime is
// enough.
func (p Policy) IsFresh(hot *store.Hot, now time.Time) bool {
	lifetime := hot.Expires.Sub(hot.Issued)
	need := min(max(p.MinTTL, minUsable)+time.Second, lifetime/2)
	return p.isTrusted(hot, now) && hot.Expires.Sub(now) >= need
}

// isUsable reports whether the row's token can be returned to a caller that cannot get a
// new token now: isTrusted returns true, and the token is still valid for more than 5 s.
func (p Policy) isUsable(hot *store.Hot, now time.Time) bool {
	return p.isTrusted(hot, now) && hot.Expires.Sub(now) > minUsable
}

// isTrusted reports whether the connection is active and its token has not been reported
// as refused. isTrusted returns false if Issued is later than now plus the clock skew,
// because only a process with a wrong clock writes such a row.
func (p Policy) isTrusted(hot *store.Hot, now time.Time) bool {
	return hot.Status == row.Active && !p.isRefused(hot) && !hot.Issued.After(now.Add(row.ClockSkew))
}

func (p Policy) isRefused(hot *store.Hot) bool {
	return hot.Grant == hot.RefusedGrant || hot.Grant == p.RefusedGrant
}

func (p Policy) isFirstReport(hot *store.Hot) bool {
	return hot.Grant == p.RefusedGrant && hot.Grant != hot.RefusedGrant
}

func coolDownLeft(hot *store.Hot, now time.Time) time.Duration {
	return row.Until(hot.CoolUntil, now, row.RetryAfterMax)
}

// UntilNextReport returns the time until a report of a refused token can again cause a
// refresh or an introspection of hot's connection. It returns zero if a report can do so
// now.
func UntilNextReport(hot *store.Hot, now time.Time) time.Duration {
	return row.Until(hot.RefusedAt.Add(reportInterval), now, reportInterval)
}
