package refresher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Refresh returns a hot row whose access token is fresh according to p
// ([Policy.IsFresh]). If hot's token is fresh, Refresh returns hot. Otherwise, Refresh
// requests a new token from Asana. If a different caller is already requesting one,
// Refresh waits for the result until ctx's deadline.
//
// In three cases, Refresh may return a row whose token is not fresh, but is still valid
// for more than 5 s: a different caller holds the lease, no request may be sent now, or
// the refresh fails.
//
// If Config.Join is true, callers in this process that have no usable token share one
// refresh. Each of these callers has its own deadline and its own policy.
//
// Audit lines contain the caller's name from ctx. Errors: ReconnectRequired, TryAgain,
// AsanaUnavailable, Misconfigured, Internal.
func (r *Refresher) Refresh(ctx context.Context, hot *store.Hot, p Policy) (*store.Hot, error) {
	if !r.join || p.isUsable(hot, r.rows.Now()) {
		return r.refresh(ctx, hot, p)
	}
	// An error about a reported token concerns only the callers that report it.
	key := fmt.Sprint(hot.Connection, " ", hot.Epoch, " ", hot.Grant, " ", p.RefusedGrant)
	result := make(chan singleflight.Result, 1)
	// Do not use flight.DoChan: it starts its own goroutine, which is not in r.flights,
	// so Refresher.Wait would not wait for it.
	r.flights.Go(func() {
		got, err, _ := r.flight.Do(key, func() (any, error) {
			ctx, cancel := r.rows.WithTimeout(context.WithoutCancel(ctx), row.CallerTime)
			defer cancel()
			return r.refresh(ctx, hot, p)
		})
		result <- singleflight.Result{Val: got, Err: err}
	})
	select {
	case <-ctx.Done():
		return nil, row.TryAgain(0, ctx.Err())
	case res := <-result:
		if res.Err != nil {
			return nil, res.Err
		}
		got := res.Val.(*store.Hot)
		if p.IsFresh(got, r.rows.Now()) {
			return got, nil
		}
		return r.refresh(ctx, got, p)
	}
}

// refresh is like Refresh, but does not share a refresh with other callers.
func (r *Refresher) refresh(ctx context.Context, hot *store.Hot, p Policy) (*store.Hot, error) {
	for {
		now := r.rows.Now()
		if err := row.CheckAuthentic(ctx, r.rows.Table, hot); err != nil {
			return nil, err
		}
		switch {
		case hot.Status != row.Active:
			return nil, row.ReconnectRequired(hot.Status)
		case r.isForeign(hot):
			return nil, r.CheckClientID(ctx, hot)
		case p.IsFresh(hot, now):
			return hot, nil
		}
		next, err := r.step(ctx, hot, p)
		switch {
		case err == nil:
			return next, nil
		case errors.Is(err, row.ErrChanged) && next == nil:
			return nil, row.ReconnectRequired("gone")
		case errors.Is(err, row.ErrChanged):
			hot = next
		case next != nil && p.isUsable(next, r.rows.Now()):
			return next, nil
		default:
			return nil, err
		}
	}
}

// step does the next step of a refresh, and returns one of these results:
//   - No error, and the row whose token the caller gets.
//   - row.ErrChanged, and the row with which refresh must continue, or nil if the row was
//     deleted.
//   - A different error, and the row as it was last read, or nil. If this row's token is
//     usable, refresh returns the row; otherwise, refresh returns the error.
func (r *Refresher) step(ctx context.Context, hot *store.Hot, p Policy) (*store.Hot, error) {
	now := r.rows.Now()
	if left := r.leases.remaining(hot, now); left > 0 {
		return r.serveDuringRefresh(ctx, hot, p, left)
	}
	if p.mustCheck(hot, now) {
		return r.checkReported(ctx, hot)
	}
	if wait := coolDownLeft(hot, now); wait > 0 {
		return hot, row.TryAgain(wait, errors.New("cooling down"))
	}
	if r.rows.Remaining(ctx) < requestAndSave {
		return hot, row.TryAgain(0, errors.New("no time left to ask Asana"))
	}
	m, err := r.prepare(ctx, hot)
	if err != nil {
		return hot, err
	}
	if m.refreshToken.IsZero() {
		return hot, &asanaauth.Error{Kind: asanaauth.Internal, Err: errors.New("an active connection has no refresh token")}
	}
	h, next, err := r.takeLease(ctx, hot, m, p)
	if err != nil {
		return next, err
	}
	return h.request(ctx)
}

var errForeign = errors.New("the grant was issued to a different client ID")

// isForeign reports whether the grant was issued to a different client ID, for example
// because a row was copied from staging to production, or ASANA_CLIENT_ID has changed.
func (r *Refresher) isForeign(hot *store.Hot) bool {
	return row.TraitsOf(hot.Kind).IsGrant && hot.ClientID != r.clientID
}

// CheckClientID returns Misconfigured and raises an alarm if the connection is active and
// its grant was issued to a different client ID. Without this check, Asana would respond
// to a refresh with invalid_grant, and the connection would be marked as broken although
// its grant may be valid.
func (r *Refresher) CheckClientID(ctx context.Context, hot *store.Hot) error {
	if hot.Status != row.Active || !r.isForeign(hot) {
		return nil
	}
	r.rows.Alarm(ctx, row.AlarmWrongClient, hot.Connection, errForeign)
	return &asanaauth.Error{Kind: asanaauth.Misconfigured, Err: errForeign}
}

// serveDuringRefresh is called while the row contains a lease of a different caller,
// which ends after the duration left. If hot's token is usable, serveDuringRefresh
// returns hot. Otherwise, serveDuringRefresh waits like pause.
func (r *Refresher) serveDuringRefresh(ctx context.Context, hot *store.Hot, p Policy, left time.Duration) (*store.Hot, error) {
	if p.isUsable(hot, r.rows.Now()) {
		return hot, nil
	}
	return r.pause(ctx, hot, left)
}

// pause waits for at most left, and reads the row again. It returns that row and
// row.ErrChanged, so that refresh continues with that row.
func (r *Refresher) pause(ctx context.Context, hot *store.Hot, left time.Duration) (*store.Hot, error) {
	if err := r.rows.PauseAtMost(ctx, left); err != nil {
		return hot, row.TryAgain(0, err)
	}
	next, err := r.rows.ReadHot(ctx, hot.Connection)
	if err != nil {
		return nil, err
	}
	return next, row.ErrChanged
}
