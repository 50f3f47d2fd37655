package refresher

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// save writes new tokens into the row if Grant and Generation have not changed since h
// took the lease. Otherwise, save returns row.ErrChanged and the current row. Neither an
// expired lease nor a change to other fields prevents the save, and save keeps such
// changes. If the table is unavailable, save tries until ctx ends, which is the end of the
// caller's time, but at least for row.SaveReserve.
//
// If h overtook an earlier holder, save puts the new Grant in doubt. The earlier holder's
// request may arrive after the save, and Asana may then end the new tokens, because an old
// token is used again.
func (h *holder) save(ctx context.Context, tokens asana.Tokens) (*store.Hot, error) {
	ctx, cancel := h.rows.WithTimeout(context.WithoutCancel(ctx), max(h.rows.Remaining(ctx), row.SaveReserve))
	defer cancel()
	var unsaved *store.Hot
	recovered := false
	next, err := h.rows.UpdateHot(ctx, h.sent, func(now *store.Hot) error {
		if !h.hasSentGrant(now) {
			return row.ErrChanged
		}
		recovered = now.Status == row.Broken
		now.Grant++
		if h.overtook {
			now.DoubtedGrant = now.Grant
		}
		h.removeLease(now)
		if err := h.setTokens(now, tokens); err != nil {
			return err
		}
		unsaved = now
		return nil
	})
	switch {
	case err == nil:
		h.auditRefreshed(ctx, next, recovered)
		return next, nil
	case errors.Is(err, row.ErrChanged):
		h.revokeOrphaned(ctx, next, tokens)
		return next, err
	}
	return h.failedSave(ctx, unsaved, tokens, err)
}

// setTokens writes the tokens from a response into hot. If the connection is revoking,
// setTokens writes only the refresh token, which must still be revoked.
func (h *holder) setTokens(hot *store.Hot, tokens asana.Tokens) error {
	hot.Rotates = hot.Rotates || h.isRotated(tokens)
	if tokens.Refresh.IsZero() && !h.isSealedWithPrimary(hot.Refresh) {
		tokens.Refresh = h.refreshToken // seal it again with the primary key
	}
	t := row.Tokens{Access: tokens.Access, Refresh: tokens.Refresh, ExpiresIn: tokens.ExpiresIn}
	if err := h.rows.SetTokens(h.ring, hot, t, h.rows.Now()); err != nil {
		return err
	}
	if hot.Status == row.Revoking {
		row.EraseAccess(hot)
		return nil
	}
	hot.Status, hot.Reason, hot.BrokenAt = row.Active, "", time.Time{}
	return nil
}

// isRotated reports whether the response replaces the refresh token that h sent.
func (h *holder) isRotated(tokens asana.Tokens) bool {
	return !tokens.Refresh.IsZero() && !tokens.Refresh.Equal(h.refreshToken)
}

func (h *holder) isSealedWithPrimary(s secret.Sealed) bool {
	id, ok := seal.KeyOf(s)
	return ok && id == h.ring.Primary()
}

func (h *holder) auditRefreshed(ctx context.Context, now *store.Hot, recovered bool) {
	var more []slog.Attr
	if recovered {
		more = append(more, slog.Bool("recovered", true))
	}
	h.rows.Audit(ctx, row.AuditRefreshed, asanaauth.CallerOf(ctx), now, more...)
}

// failedSave decides what the caller gets if the tokens in a response could not be saved.
// If Asana did not rotate the refresh token, no token is lost, and failedSave returns
// unsaved, the row with the new access token. If the new token could not be sealed,
// unsaved is nil, and failedSave returns the old row and err. If Asana rotated the refresh
// token, the new one is lost. failedSave then raises an alarm and returns err.
func (h *holder) failedSave(ctx context.Context, unsaved *store.Hot, tokens asana.Tokens, err error) (*store.Hot, error) {
	if h.isRotated(tokens) {
		h.rows.Alarm(ctx, row.AlarmUnsaved, h.sent.Connection, err)
		return nil, err
	}
	if unsaved == nil {
		return h.sent, err
	}
	h.rows.Warn(ctx, "new token returned but not saved",
		slog.String("connection", unsaved.Connection), slog.Any("err", err))
	return unsaved, nil
}

// revokeOrphaned is called if new tokens cannot be saved because the row's Grant or
// Generation has changed. If the connection was disconnected, revokeOrphaned revokes the
// tokens. If the row contains tokens from a new consent or from a different holder's
// refresh, revokeOrphaned only discards the new tokens, because a revocation could also
// end the tokens in the row. current is the current row, or nil if the row was deleted.
// ctx is the context of the save. The revocation may take row.SaveReserve longer.
func (h *holder) revokeOrphaned(ctx context.Context, current *store.Hot, tokens asana.Tokens) {
	if current != nil && current.Status != row.Disconnected {
		return
	}
	refresh := h.refreshToken
	if !tokens.Refresh.IsZero() {
		refresh = tokens.Refresh
	}
	ctx, cancel := h.rows.WithTimeout(context.WithoutCancel(ctx), h.rows.Remaining(ctx)+row.SaveReserve)
	defer cancel()
	switch revoked, err := h.revoke(ctx, refresh); {
	case revoked:
		h.rows.Audit(ctx, row.AuditRevoked, asanaauth.CallerOf(ctx), h.sent)
	case err != nil:
		h.rows.Warn(ctx, "tokens of a disconnected connection not revoked",
			slog.String("connection", h.sent.Connection), slog.Any("err", err))
	}
}
