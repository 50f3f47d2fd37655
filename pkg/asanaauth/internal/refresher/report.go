package refresher

import (
	"context"
	"errors"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Asana also responds with 401 in a workspace that blocks the app. A refresh does not
// help then, and a caller that goes on reporting must not take the token away from all
// other callers. Therefore, only the first report in 30 seconds causes a refresh. A
// further report, or a report during a cool-down, only causes an introspection (RFC 7662),
// at most once in 30 seconds. Callers that do not report the token still get it until
// Asana says that it is not active.

// checkTime is how long a process waits for a different process's introspection.
const checkTime = requestAndSave

// checkReported introspects the row's token, and writes the result into the row. It
// returns the new row and row.ErrChanged, so that refresh continues with that row. An
// active token can then be returned again, and any other token is refreshed.
//
// At most one introspection is sent in 30 seconds, even if it fails. While a different
// caller's introspection is in progress, checkReported waits like pause. If the last
// introspection was less than 30 seconds ago, and its result is not known or concerns an
// older token, checkReported returns TryAgain.
//
// Errors: TryAgain, AsanaUnavailable, Internal. They concern only the caller that reports
// the token.
func (r *Refresher) checkReported(ctx context.Context, hot *store.Hot) (*store.Hot, error) {
	now := r.rows.Now()
	if wait := untilNextCheck(hot, now); wait > 0 {
		if left := wait - (reportInterval - checkTime); left > 0 && hot.CheckedGrant == 0 {
			return r.pause(ctx, hot, left)
		}
		return hot, row.TryAgain(min(wait, untilReportRefreshes(hot, now)), errors.New("reported again within 30 seconds"))
	}
	if r.rows.Remaining(ctx) < checkTime {
		return hot, row.TryAgain(0, errors.New("no time left to ask Asana"))
	}
	ring, err := r.rows.Ring(ctx)
	if err != nil {
		return hot, err
	}
	access, err := r.rows.OpenAccess(ctx, ring, hot)
	if err != nil {
		return hot, err
	}
	began, err := r.beginCheck(ctx, hot, now)
	if err != nil {
		return began, err
	}
	ctx = context.WithoutCancel(ctx) // other callers wait for the result
	info, err := r.requests.Introspect(ctx, access)
	if err != nil {
		return began, err
	}
	return r.endCheck(ctx, began, info.Active)
}

// beginCheck writes the time of an introspection into the row. If several callers do so at
// once, one succeeds, and the others get row.ErrChanged and the current row.
func (r *Refresher) beginCheck(ctx context.Context, hot *store.Hot, at time.Time) (*store.Hot, error) {
	ctx, cancel := r.rows.WithTimeout(ctx, row.SaveReserve)
	defer cancel()
	return r.rows.UpdateHot(ctx, hot, func(now *store.Hot) error {
		if now.Rev != hot.Rev {
			return row.ErrChanged
		}
		now.CheckedAt, now.CheckedGrant = at, 0
		return nil
	})
}

// endCheck writes the result of the introspection of hot's token into the row, if the row
// still contains this token. If the write succeeds, endCheck returns row.ErrChanged, like
// checkReported.
func (r *Refresher) endCheck(ctx context.Context, hot *store.Hot, isActive bool) (*store.Hot, error) {
	ctx, cancel := r.rows.WithTimeout(ctx, row.SaveReserve)
	defer cancel()
	next, err := r.rows.UpdateHot(ctx, hot, func(now *store.Hot) error {
		if now.Status != row.Active || now.Grant != hot.Grant || now.Generation != hot.Generation {
			return row.ErrChanged
		}
		now.CheckedGrant, now.RefusedGrant = now.Grant, 0
		if !isActive {
			now.RefusedGrant = now.Grant
		}
		return nil
	})
	if err != nil {
		return next, err
	}
	return next, row.ErrChanged
}
