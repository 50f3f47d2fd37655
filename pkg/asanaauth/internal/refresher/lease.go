package refresher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// materials is what a holder needs to send a refresh or a revocation to Asana.
type materials struct {
	ring         *seal.Ring
	refreshToken secret.String // zero if the row has no refresh token
}

// prepare opens the refresh token and fetches the client secrets. It requests both before
// takeLease, because KMS and Secrets Manager may be slow, and a lease makes other callers
// wait. If the row has no refresh token, prepare does not fetch the client secrets.
func (r *Refresher) prepare(ctx context.Context, hot *store.Hot) (materials, error) {
	ring, err := r.rows.Ring(ctx)
	if err != nil || len(hot.Refresh) == 0 {
		return materials{ring: ring}, err
	}
	refresh, err := r.rows.OpenRefresh(ctx, ring, hot)
	if err != nil {
		return materials{}, err
	}
	return materials{ring, refresh}, r.requests.Ready(ctx)
}

// holder is one refresh or one revocation, after takeLease has written its lease. The
// lease is in the field sent.
type holder struct {
	*Refresher
	materials
	sent *store.Hot // the row that takeLease wrote; contains the refresh token that is sent
	// overtook is true if an earlier holder had not released its lease. Its request may
	// still arrive at Asana.
	overtook bool
	hot      *store.Hot // the row as it was last seen; nil if the row was deleted
}

// revocationLease is the prefix of a lease that was taken to revoke. Such a holder sends no
// refresh request, so no rotated token can be lost if it stops.
const revocationLease = "revoke-"

// takeLease tries once to write a lease into the row. The lease ends 12 s after the call
// of takeLease, even if the write is slow.
//
// If a different writer came first, takeLease returns row.ErrChanged and the current row,
// which is nil if the row was deleted. If the write fails for any other reason, takeLease
// returns the error and the parameter hot. In this case, the lease may be in the row. If
// takeLease cannot generate a random ID, it returns the error and no row.
func (r *Refresher) takeLease(ctx context.Context, hot *store.Hot, m materials, p Policy) (*holder, *store.Hot, error) {
	id, err := r.rows.RandomID()
	if err != nil {
		return nil, nil, err
	}
	now := r.rows.Now()
	leased := *hot
	if hot.Status == row.Revoking {
		id = revocationLease + id
	}
	// If the row still contains an earlier lease, the process that took it stopped or
	// stalled. Asana may have processed its request and rotated the token.
	overtook := leased.Lease != "" && !strings.HasPrefix(leased.Lease, revocationLease)
	if overtook {
		leased.DoubtedGrant = leased.Grant
	}
	leased.Lease, leased.LeaseEnd = id, now.Add(leaseTime)
	if p.isRefused(&leased, now) {
		leased.RefusedGrant, leased.RefusedAt = leased.Grant, now
	}
	err = r.rows.Replace(ctx, hot, &leased)
	var conflict *store.Conflict
	if errors.As(err, &conflict) {
		return nil, row.Get[*store.Hot](conflict.Rows, hot.Key()), row.ErrChanged
	}
	if err != nil {
		return nil, hot, row.ErrorOf(fmt.Errorf("taking the lease: %w", err))
	}
	h := &holder{Refresher: r, materials: m, sent: &leased, overtook: overtook, hot: &leased}
	return h, &leased, nil
}

// hasTime reports whether both the lease and ctx last long enough for a request to Asana
// (8 s) and for the save of its response (2 s).
func (h *holder) hasTime(ctx context.Context) bool {
	return ctx.Err() == nil && min(h.sent.LeaseEnd.Sub(h.rows.Now()), h.rows.Remaining(ctx)) >= requestAndSave
}

// hasLease reports whether h's lease was in the row when h last read or wrote the row.
func (h *holder) hasLease() bool { return h.hot != nil && h.hot.Lease == h.sent.Lease }

func (h *holder) hasSentGrant(hot *store.Hot) bool {
	return hot.Grant == h.sent.Grant && hot.Generation == h.sent.Generation
}

func (h *holder) removeLease(hot *store.Hot) {
	if hot.Lease == h.sent.Lease {
		hot.Lease, hot.LeaseEnd = "", time.Time{}
	}
}

// release applies change to the row and removes h's lease, in one write, and reports
// whether the write succeeded. If the row no longer contains h's lease, release writes
// nothing. If the store is unavailable, the lease stays in the row until it expires.
func (h *holder) release(ctx context.Context, change func(*store.Hot)) bool {
	ctx, cancel := h.rows.WithTimeout(context.WithoutCancel(ctx), row.SaveReserve)
	defer cancel()
	var err error
	h.hot, err = h.rows.UpdateHot(ctx, h.hot, func(now *store.Hot) error {
		if now.Lease != h.sent.Lease {
			return row.ErrChanged
		}
		h.removeLease(now)
		change(now)
		return nil
	})
	return err == nil
}

// seenLeases records when this process first saw each lease that it found in a row.
type seenLeases struct {
	mu   sync.Mutex
	seen map[string]seenLease // by the connection's ID
}

type seenLease struct {
	id    string
	since time.Time
}

// maxSeenLeases is the maximum number of records in seenLeases. If firstSeen would exceed
// it, firstSeen first deletes all records.
const maxSeenLeases = 10_000

// remaining returns the time until the lease in hot expires. The result is zero or
// negative if hot has no lease or the lease has expired.
//
// A lease expires at LeaseEnd plus the clock skew. Because the clock that set LeaseEnd
// may be wrong, a lease also expires leaseSeenTime after this process first saw it.
func (l *seenLeases) remaining(hot *store.Hot, now time.Time) time.Duration {
	if hot.Lease == "" {
		return 0
	}
	seen := l.firstSeen(hot, now)
	return min(hot.LeaseEnd.Add(row.ClockSkew).Sub(now), leaseSeenTime-now.Sub(seen.since))
}

func (l *seenLeases) firstSeen(hot *store.Hot, now time.Time) seenLease {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen, ok := l.seen[hot.Connection]
	if ok && seen.id == hot.Lease {
		return seen
	}
	if l.seen == nil || len(l.seen) >= maxSeenLeases {
		l.seen = map[string]seenLease{}
	}
	seen = seenLease{hot.Lease, now}
	l.seen[hot.Connection] = seen
	return seen
}
