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

// materials is what a holder needs to send a grant to Asana.
type materials struct {
	ring         *seal.Ring
	refreshToken secret.String // zero if the row has no refresh token
}

// prepare gets the materials before the lease is taken, because KMS or Secrets Manager may
// be slow. If the row has no refresh token, prepare does not fetch the client secret.
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
	sent  *store.Hot // the row as written with the lease; the request sends its grant
	hot   *store.Hot // the row as last seen; nil if it was deleted
	lease string     // the random name of the lease
	end   time.Time  // when the lease ends
}

// takeLease writes a lease into the row. The lease ends 12 s after takeLease is called,
// also if the write is slow.
//
// takeLease writes once. If another writer came first, it returns row.ErrChanged and the
// row as it is now, or nil if the row was deleted. If the write fails, it returns another
// error and hot, and the lease may have been written. If it cannot make a random name, it
// returns only an error.
func (r *Refresher) takeLease(ctx context.Context, hot *store.Hot, m materials, p Policy) (*holder, *store.Hot, error) {
	name, err := r.rows.RandomID()
	if err != nil {
		return nil, nil, err
	}
	now := r.rows.Now()
	leased := *hot
	// The row still has the lease of an earlier holder. That holder died or stalled,
	// perhaps after Asana rotated the token. Or it wrote the lease, and the response to
	// the write was lost.
	leased.OutcomeUnknown = leased.OutcomeUnknown || leased.Lease != ""
	leased.Lease, leased.LeaseEnd = name, now.Add(leaseTime)
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
	return &holder{Refresher: r, materials: m, sent: &leased, hot: &leased, lease: name, end: leased.LeaseEnd}, &leased, nil
}

// hasTime reports whether the lease and ctx both last long enough for a request to Asana
// and the save of its response: 10 s.
func (h *holder) hasTime(ctx context.Context) bool {
	return ctx.Err() == nil && min(h.end.Sub(h.rows.Now()), h.rows.Remaining(ctx)) >= requestAndSave
}

// hasLease reports whether the row, as last seen, has h's lease.
func (h *holder) hasLease() bool { return h.hot != nil && h.hot.Lease == h.lease }

// hasSentGrant reports whether hot still has the grant that was sent.
func (h *holder) hasSentGrant(hot *store.Hot) bool {
	return hot.Grant == h.sent.Grant && hot.Generation == h.sent.Generation
}

// removeLease removes h's lease from hot. It keeps another holder's lease.
func (h *holder) removeLease(hot *store.Hot) {
	if hot.Lease == h.lease {
		hot.Lease, hot.LeaseEnd = "", time.Time{}
	}
}

// release calls change and removes h's lease, in one write. It reports whether the write
// succeeded. If another holder has taken the lease, it writes nothing. If the store is
// unavailable, the lease runs out.
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

// seenLeases records when this process first saw each lease of another holder. The zero
// value is empty. It is safe for concurrent use.
type seenLeases struct {
	mu   sync.Mutex
	seen map[string]seenLease // by connection
}

type seenLease struct {
	name  string
	since time.Time
}

// maxSeenLeases limits how many leases a process remembers. At the limit, it forgets all
// of them.
const maxSeenLeases = 10_000

// remaining returns how long another holder may still be working under hot's lease. It is
// zero or less if hot has no lease or a dead one. A lease is dead when LeaseEnd has passed
// by more than the clock skew. It is also dead when this process has seen it for
// leaseSeenTime, because a wrong clock may have written LeaseEnd.
func (l *seenLeases) remaining(hot *store.Hot, now time.Time) time.Duration {
	if hot.Lease == "" {
		return 0
	}
	seen := l.note(hot, now)
	return min(hot.LeaseEnd.Add(row.ClockSkew).Sub(now), leaseSeenTime-now.Sub(seen.since))
}

// note returns when this process first saw hot's lease, and records now if it is new.
func (l *seenLeases) note(hot *store.Hot, now time.Time) seenLease {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen, ok := l.seen[hot.Connection]
	if ok && seen.name == hot.Lease {
		return seen
	}
	if l.seen == nil || len(l.seen) >= maxSeenLeases {
		l.seen = map[string]seenLease{}
	}
	seen = seenLease{hot.Lease, now}
	l.seen[hot.Connection] = seen
	return seen
}
