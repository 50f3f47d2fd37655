package refresher

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Revocation reports what [Refresher.Revoke] has done.
type Revocation struct {
	Status  asanaauth.Status // Disconnected, or Revoking if Revoke must be called again
	Revoked bool             // whether Asana confirmed the revocation
}

// ErrOtherEpoch is returned by [Refresher.Revoke] if the row is missing, or its epoch is
// not the epoch of the row that was passed to Revoke. In both cases, a different caller
// has disconnected the connection.
var ErrOtherEpoch = errors.New("disconnected by another caller")

// errLater means that the connection cannot be revoked now. Its status stays revoking.
var errLater = errors.New("the revocation must wait")

// Revoke disconnects a connection if its row still has hot's epoch. First, Revoke marks
// the row as revoking, which ends every session and erases the access token. Then, Revoke
// takes the lease, revokes the refresh token at Asana, and replaces the connection's rows
// with a tombstone. If the row is already marked as revoking, Revoke starts with the
// lease.
//
// If Revoke cannot revoke the token before ctx's deadline, the connection stays revoking,
// and Revoke returns the status Revoking and no error.
//
// If no revocation of the token can succeed, Revoke erases the connection although Asana
// has not revoked the token. There are three such cases: Asana refuses the revocation, the
// token cannot be opened, or the grant was issued to a different client ID. Each of them
// raises an alarm.
//
// Errors: ErrOtherEpoch; TryAgain if the person connected again during the call, or if
// the store is unavailable; Internal.
func (r *Refresher) Revoke(ctx context.Context, hot *store.Hot) (Revocation, error) {
	hot, marked, err := r.markRevoking(ctx, hot)
	if err != nil {
		return Revocation{}, err
	}
	done, erased, err := r.revokeMarked(ctx, hot)
	// The call that erases the connection writes the line "disconnected". Every other call
	// that marked the connection as revoking, or found that it still is, writes this line.
	if !erased && (marked || done.Status == asanaauth.Revoking) {
		r.rows.Audit(ctx, row.AuditRevoking, asanaauth.CallerOf(ctx), hot)
	}
	return done, err
}

// revokeMarked revokes and erases a connection that is marked as revoking. erased reports
// whether this call has erased it.
func (r *Refresher) revokeMarked(ctx context.Context, hot *store.Hot) (done Revocation, erased bool, err error) {
	ended := hot.Epoch
	for {
		switch {
		case hot.Status == row.Disconnected:
			return Revocation{Status: asanaauth.Disconnected}, false, nil
		case hot.Status != row.Revoking || hot.Epoch != ended:
			return Revocation{}, false, row.TryAgain(0, errors.New("connected again while disconnecting"))
		}
		revoked, next, err := r.revokeStep(ctx, hot)
		switch {
		case err == nil:
			return Revocation{Status: asanaauth.Disconnected, Revoked: revoked}, true, nil
		case errors.Is(err, errLater):
			return Revocation{Status: asanaauth.Revoking}, false, nil
		case !errors.Is(err, row.ErrChanged):
			return Revocation{}, false, err
		case next != nil:
			hot = next
			continue
		}
		if hot, err = r.rows.ReadHot(ctx, hot.Connection); err != nil {
			return Revocation{}, false, err
		}
	}
}

// markRevoking sets the row's status to revoking, erases the access token, and sets a new
// epoch, which ends every session. If the row contains a lease, the lease stays. marked is
// false if the row already was marked.
func (r *Refresher) markRevoking(ctx context.Context, hot *store.Hot) (next *store.Hot, marked bool, err error) {
	newEpoch, err := r.rows.RandomID()
	if err != nil {
		return nil, false, err
	}
	ctx, cancel := r.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	errDone := errors.New("marked already")
	first := true
	next, err = r.rows.UpdateHot(ctx, hot, func(now *store.Hot) error {
		known := first
		first = false
		if !known && now.Epoch == newEpoch {
			return errDone // our own write succeeded, but its response was lost and the row has changed since
		}
		if !known && (now.Epoch != hot.Epoch || !row.IDMatches(now)) {
			return ErrOtherEpoch
		}
		if now.Status == row.Revoking {
			return errDone
		}
		now.Status, now.Reason, now.Epoch = row.Revoking, "", newEpoch
		row.EraseAccess(now)
		return nil
	})
	switch {
	case errors.Is(err, errDone):
		return next, next.Epoch == newEpoch, nil
	case errors.Is(err, row.ErrChanged):
		return nil, false, ErrOtherEpoch
	}
	return next, err == nil, err
}

// revokeStep does the next step for a revoking row. revoked reports whether Asana
// confirmed the revocation. err is one of the following:
//   - nil if the tombstone is written.
//   - row.ErrChanged if the caller must continue with the row next. If next is nil,
//     the caller must read the row again.
//   - errLater if the connection cannot be revoked now.
func (r *Refresher) revokeStep(ctx context.Context, hot *store.Hot) (revoked bool, next *store.Hot, err error) {
	now := r.rows.Now()
	wait := coolDownLeft(hot, now)
	if r.isForeign(hot) {
		wait = 0 // no request is sent to Asana
	}
	if r.rows.Remaining(ctx) < wait+requestAndSave {
		return false, nil, errLater
	}
	if wait > 0 {
		return false, nil, changedAfter(r.rows.Sleep(ctx, wait))
	}
	if left := r.leases.remaining(hot, now); left > 0 {
		return false, nil, changedAfter(r.rows.PauseAtMost(ctx, left))
	}
	m, err := r.prepareRevocation(ctx, hot)
	if err != nil {
		r.rows.Warn(ctx, "revocation postponed", slog.String("connection", hot.Connection), slog.Any("err", err))
		return false, nil, errLater
	}
	h, next, err := r.takeLease(ctx, hot, m, Policy{})
	if err != nil {
		return false, next, changedOrLater(err)
	}
	return h.revokeAndErase(ctx)
}

// prepareRevocation is like prepare, but returns no refresh token if a revocation cannot
// succeed. The connection is then erased without a request to Asana.
func (r *Refresher) prepareRevocation(ctx context.Context, hot *store.Hot) (materials, error) {
	if r.isForeign(hot) {
		r.rows.Alarm(ctx, row.AlarmWrongClient, hot.Connection, errForeign)
		return materials{}, nil
	}
	m, err := r.prepare(ctx, hot)
	if errors.Is(err, seal.ErrOpen) && !errors.Is(err, seal.ErrUnknownKey) {
		return materials{}, nil // OpenField has already raised an alarm
	}
	return m, err
}

// changedAfter returns the error that revokeStep returns after a pause. err is the result
// of the pause. If it is nil, changedAfter returns row.ErrChanged, so that Revoke reads
// the row again.
func changedAfter(err error) error {
	if err != nil {
		return errLater
	}
	return row.ErrChanged
}

func changedOrLater(err error) error {
	if errors.Is(err, row.ErrChanged) {
		return row.ErrChanged
	}
	return errLater
}

// revokeAndErase revokes the refresh token at Asana. Then, if the row's Grant is still
// the one that was revoked, revokeAndErase erases the connection. It also erases the
// connection if Asana refuses the revocation.
func (h *holder) revokeAndErase(ctx context.Context) (revoked bool, next *store.Hot, err error) {
	if !h.hasTime(ctx) {
		h.release(ctx, func(*store.Hot) {})
		return false, nil, errLater
	}
	ctx = context.WithoutCancel(ctx)
	asking, cancel := h.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	successor := h.mayHaveSuccessor(asking)
	if revoked, err = h.revoke(asking, h.refreshToken); err != nil && !isRevocationRefused(err) {
		h.revocationFailed(ctx, err)
		return false, nil, errLater
	}
	if next, err = h.erase(ctx); err != nil {
		return false, next, changedOrLater(err)
	}
	h.rows.Audit(ctx, row.AuditDisconnected, asanaauth.CallerOf(ctx), h.sent)
	if revoked && successor {
		h.rows.Alarm(ctx, row.AlarmLost, h.sent.Connection, errors.New("disconnected, and a rotated refresh token that was lost may still be valid"))
		return false, nil, nil
	}
	if revoked {
		h.rows.Audit(ctx, row.AuditRevoked, asanaauth.CallerOf(ctx), h.sent)
	}
	return revoked, nil, nil
}

// mayHaveSuccessor reports whether Asana may have replaced the row's refresh token with
// one that no process has stored. Such a token may stay valid after the revocation. This
// is possible only if the row is in doubt. If no refresh of the connection has shown that
// Asana rotates, mayHaveSuccessor asks Asana whether the row's token is still active.
func (h *holder) mayHaveSuccessor(ctx context.Context) bool {
	if h.refreshToken.IsZero() || !isInDoubt(h.sent) {
		return false
	}
	if h.sent.Rotates {
		return true
	}
	info, err := h.requests.Introspect(ctx, h.refreshToken)
	return err != nil || !info.Active
}

// revoke asks Asana to revoke a refresh token (RFC 7009). revoke sends no request and
// returns false in two cases: if refresh is zero, or if isGrantShared returns true. If
// Asana refuses the revocation, revoke raises an alarm, because the token may still be
// valid.
func (h *holder) revoke(ctx context.Context, refresh secret.String) (revoked bool, err error) {
	if refresh.IsZero() {
		return false, nil
	}
	ctx, cancel := h.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	if shared, err := h.isGrantShared(ctx, h.sent); err != nil || shared {
		return false, err
	}
	err = h.requests.Revoke(ctx, h.sent.Connection, refresh)
	if isRevocationRefused(err) {
		h.rows.Alarm(ctx, row.AlarmRevocationRefused, h.sent.Connection, err)
	}
	return err == nil, err
}

// isRevocationRefused reports whether Asana refused to revoke a token, and would refuse
// the same request later too. If Asana rejected the client secret, it has not refused.
func isRevocationRefused(err error) bool {
	var response *asana.Error
	switch {
	case asanaauth.KindOf(err) == asanaauth.Misconfigured:
		return false
	case errors.As(err, &response) && response.Status == http.StatusUnauthorized:
		return response.Code != "" // the code is not about the client, so it is about the token
	}
	return requests.IsRefusal(err)
}

func (h *holder) revocationFailed(ctx context.Context, err error) {
	if asanaauth.KindOf(err) != asanaauth.Misconfigured { // Misconfigured has raised an alarm
		h.rows.Warn(ctx, "revocation postponed", slog.String("connection", h.sent.Connection), slog.Any("err", err))
	}
	var response *asana.Error
	var wait time.Duration
	if errors.As(err, &response) {
		wait = response.RetryAfter
	}
	h.startCoolDown(ctx, wait, false)
}
