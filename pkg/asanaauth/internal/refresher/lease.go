package refresher

import (
	"context"
	"errors"
	"fmt"
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

// prepare opens the refresh token and fetches the client secrets. Call prepare before
// takeLease, because KMS and Secrets Manager may be slow, and other callers wait while a
// holder has the lease. If the row has no refresh token, prepare does not fetch the
// client secrets.
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

// holder is a refresh or a revocation that has taken the row's lease.
type holder struct {
	*Refresher
	materials
	sent  *store.Hot // the row that takeLease wrote; contains the refresh token that is sent
	hot   *store.Hot // the row as it was last seen; nil if the row was deleted
	lease string     // the lease's random ID
	end   time.Time  // when the lease ends
}

// takeLease writes a lease into the row. The lease ends 12 s after takeLease is called,
// even if the write is slow.
//
// takeLease tries the write once. If another writer came first, takeLease returns
// row.ErrChanged and the current row, which is nil if the row was deleted. If the write
// fails for a different reason, takeLease returns hot and the error, although the lease
// may have been written. If takeLease cannot generate a random ID, it returns only an
// error.
func (r *Refresher) takeLease(ctx context.Context, hot *store.Hot, m materials, p Policy) (*holder, *store.Hot, error) {
	id, err := r.rows.RandomID()
	if err != nil {
		return nil, nil, err
	}
	now := r.rows.Now()
	leased := *hot
	// If the row still has an earlier lease, that lease's holder died or stalled, perhaps
	// after Asana rotated the token. The outcome of that holder's request is unknown.
	leased.OutcomeUnknown = leased.OutcomeUnknown || leased.Lease != ""
	leased.Lease, leased.LeaseEnd = id, now.Add(leaseTime)
	if p.isRefused(&leased) {
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
	return &holder{Refresher: r, materials: m, sent: &leased, hot: &leased, lease: id, end: leased.LeaseEnd}, &leased, nil
}

// hasTime reports whether both the lease and ctx last for at least 10 s: 8 s for a
// request to Asana, and 2 s to save its response.
func (h *holder) hasTime(ctx context.Context) bool {
	return ctx.Err() == nil && min(h.end.Sub(h.rows.Now()), h.rows.Remaining(ctx)) >= requestAndSave
}

// hasLease reports whether the row contained h's lease when h last saw the row.
func (h *holder) hasLease() bool { return h.hot != nil && h.hot.Lease == h.lease }

func (h *holder) hasSentGrant(hot *store.Hot) bool {
	return hot.Grant == h.sent.Grant && hot.Generation == h.sent.Generation
}

func (h *holder) removeLease(hot *store.Hot) {
	if hot.Lease == h.lease {
		hot.Lease, hot.LeaseEnd = "", time.Time{}
	}
}

// release applies change to the row and removes h's lease, in one write, and reports
// whether the write succeeded. If another holder has taken the lease, release writes
// nothing. If the store is unavailable, the lease stays in the row until it expires.
func (h *holder) release(ctx context.Context, change func(*store.Hot)) bool {
	ctx, cancel := h.rows.WithTimeout(context.WithoutCancel(ctx), row.SaveReserve)
	defer cancel()
	var err error
	h.hot, err = h.rows.UpdateHot(ctx, h.hot, func(now *store.Hot) error {
		if now.Lease != h.lease {
			return row.ErrChanged
		}
		h.removeLease(now)
		change(now)
		return nil
	})
	return err == nil
}

// seenLeases records when this process first saw each lease that another holder took.
type seenLeases struct {
	mu   sync.Mutex
	seen map[string]seenLease // by the connection's id
}

type seenLease struct {
	id    string
	since time.Time
}

// maxSeenLeases limits the memory of seenLeases. At the limit, firstSeen deletes all
// records.
const maxSeenLeases = 10_000

// remaining returns how long another holder may still be using hot's lease. The result is
// zero or negative if hot has no lease or its lease has expired. A lease expires at
// LeaseEnd plus the clock skew. Because the holder's clock may be wrong, a lease also
// expires when this process has seen it for leaseSeenTime.
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
