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

// isTrusted reports whether the connection is active and its token does not count as
// refused. isTrusted returns false if Issued is later than now plus the clock skew,
// because only a process with a wrong clock writes such a row.
func (p Policy) isTrusted(hot *store.Hot, now time.Time) bool {
	return hot.Status == row.Active && !p.isRefused(hot, now) && !hot.Issued.After(now.Add(row.ClockSkew))
}

// isRefused reports whether the row's token counts as refused. The token counts as
// refused for every caller if the row says so. It counts as refused for a caller that
// reports it, unless isChecked returns true.
func (p Policy) isRefused(hot *store.Hot, now time.Time) bool {
	return hot.Grant == hot.RefusedGrant || hot.Grant == p.RefusedGrant && !isChecked(hot, now)
}

// isChecked reports whether the row's token was reported, and was introspected in the
// last 30 seconds. If Asana said that the token was not active, its Grant is in
// hot.RefusedGrant.
func isChecked(hot *store.Hot, now time.Time) bool {
	return hot.Grant == hot.CheckedGrant && untilNextCheck(hot, now) > 0
}

// mustCheck reports whether the caller reports the row's token, and the token must be
// introspected, because a report must not cause a refresh now.
func (p Policy) mustCheck(hot *store.Hot, now time.Time) bool {
	return hot.Grant == p.RefusedGrant && !isChecked(hot, now) && untilReportRefreshes(hot, now) > 0
}

// untilReportRefreshes returns the time until a report of the row's token can cause a
// refresh. If the refresh for an earlier report of the token has failed, the next refresh
// is possible when the cool-down has ended.
func untilReportRefreshes(hot *store.Hot, now time.Time) time.Duration {
	if hot.Grant == hot.RefusedGrant {
		return coolDownLeft(hot, now)
	}
	return max(coolDownLeft(hot, now), UntilNextReport(hot, now))
}

// untilNextCheck returns the time until a report of the row's token can cause an
// introspection.
func untilNextCheck(hot *store.Hot, now time.Time) time.Duration {
	return row.Until(hot.CheckedAt.Add(reportInterval), now, reportInterval)
}

func coolDownLeft(hot *store.Hot, now time.Time) time.Duration {
	return row.Until(hot.CoolUntil, now, row.RetryAfterMax)
}

// UntilNextReport returns the time until a report of a refused token can again cause a
// refresh of hot's connection, or an introspection of a long-lived token. It returns zero
// if a report can do so now.
func UntilNextReport(hot *store.Hot, now time.Time) time.Duration {
	return row.Until(hot.RefusedAt.Add(reportInterval), now, reportInterval)
}
