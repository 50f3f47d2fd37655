package asanaauth

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// save keeps the new tokens. What it asks of the row is that grant and
// generation are those of the token that was sent, not that the lease is still
// ours: a row that moved otherwise is written over with what it says now.
func (h *holder) save(ctx context.Context, tokens asana.Tokens, caller string) (*store.Hot, error) {
	ctx, cancel := h.c.bound(ctx, saveReserve)
	defer cancel()
	sent := h.hot
	for {
		row := *h.hot
		row.Grant++
		row.Unsettled = false
		h.leaseOff(&row)
		if err := h.putTokens(&row, tokens); err != nil {
			return sent, err
		}
		next, err := h.persist(ctx, &row)
		switch {
		case err == nil:
			h.saved(ctx, sent, next, caller)
			return next, nil
		case !errors.Is(err, errLook):
			return h.unsaved(ctx, &row, tokens, err)
		case next == nil || next.Grant != sent.Grant || next.Generation != sent.Generation:
			h.dropped(ctx, next, tokens)
			return next, errLook
		}
		h.hot = next
	}
}

// persist writes the row, again and again while the table is away and ctx
// lives.
func (h *holder) persist(ctx context.Context, row *store.Hot) (*store.Hot, error) {
	writer, err := h.c.drawName()
	if err != nil {
		return nil, err
	}
	for {
		next, err := h.write(ctx, row, writer)
		if err == nil || errors.Is(err, errLook) {
			return next, err
		}
		if h.c.Clock.Sleep(ctx, h.c.between(pollMin, pollMax)) != nil {
			return nil, err
		}
	}
}

func (h *holder) saved(ctx context.Context, sent, now *store.Hot, caller string) {
	var more []slog.Attr
	if sent.Status == store.Broken {
		more = append(more, slog.Bool("recovered", true))
	}
	h.c.audit(ctx, auditRefreshed, caller, now, more...)
}

// putTokens puts the tokens of an answer into the row. A connection that is
// being ended keeps the refresh token alone, to revoke it.
func (h *holder) putTokens(row *store.Hot, tokens asana.Tokens) error {
	if tokens.Refresh.IsZero() && !h.primary(row.Refresh) {
		tokens.Refresh = h.refresh
	}
	if err := setTokens(&h.c.Parts, h.ring, row, tokens, h.c.now()); err != nil {
		return err
	}
	if row.Status == store.Revoking {
		eraseAccess(row)
		return nil
	}
	row.Status, row.Reason, row.BrokenAt, row.Tries, row.NextTry = store.Active, "", time.Time{}, 0, time.Time{}
	return nil
}

func (h *holder) primary(s secret.Sealed) bool {
	id, ok := seal.KeyOf(s)
	return ok && id == h.ring.Primary()
}

func eraseAccess(row *store.Hot) { row.Access, row.Issued, row.Expires = nil, time.Time{}, time.Time{} }

// leaseOff takes this holder's lease off the row; somebody else's stays.
func (h *holder) leaseOff(row *store.Hot) {
	if row.Lease == h.name {
		row.Lease, row.LeaseEnd = "", time.Time{}
	}
}

// unsaved has an answer of Asana and no table to keep it. Where Asana did not
// rotate, nothing is lost and the caller is served. Where it did, the only
// token that still works is about to be forgotten.
func (h *holder) unsaved(ctx context.Context, row *store.Hot, tokens asana.Tokens, err error) (*store.Hot, error) {
	if !tokens.Refresh.IsZero() && !tokens.Refresh.Equal(h.refresh) {
		h.c.alarm(ctx, alarmUnsaved, row.Connection, err)
		return nil, err
	}
	h.c.Log.LogAttrs(ctx, slog.LevelWarn, "new token not saved, handed out all the same",
		slog.String("connection", row.Connection), slog.Any("err", err))
	return row, nil
}
