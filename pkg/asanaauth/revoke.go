package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// revokeAndErase has the lease. It asks Asana, and erases at the very grant
// that it revoked.
func (h *holder) revokeAndErase(ctx context.Context, caller string) (revoked bool, next *store.Hot, err error) {
	if !h.timeToAsk(ctx) {
		h.release(ctx, func(*store.Hot) {})
		return false, nil, errLater
	}
	ctx = context.WithoutCancel(ctx)
	if revoked, err = h.revoke(ctx, h.refresh); err != nil {
		h.revocationFailed(ctx, err)
		return false, nil, errLater
	}
	if next, err = h.erase(ctx); err != nil {
		return false, next, lookOrLater(err)
	}
	if revoked {
		h.c.audit(ctx, auditRevoked, caller, h.hot)
	}
	return revoked, nil, nil
}

// revoke asks Asana to revoke the token (RFC 7009), unless there is none left
// or that could end another connection here.
func (h *holder) revoke(ctx context.Context, refresh secret.String) (revoked bool, err error) {
	if refresh.IsZero() {
		return false, nil
	}
	ctx, cancel := h.c.bound(ctx, requestTime)
	defer cancel()
	lives, err := h.c.livesElsewhere(ctx, h.hot)
	if err != nil || lives {
		return false, err
	}
	err = h.c.Secrets.send(ctx, func(clientSecret secret.String) error {
		return h.c.Asana.Revoke(ctx, clientSecret, refresh)
	})
	return err == nil, err
}

func (h *holder) revocationFailed(ctx context.Context, err error) {
	if errors.Is(err, errSecretRejected) {
		h.c.alarm(ctx, alarmSecretRejected, h.hot.Connection, err)
	} else {
		h.c.Log.WarnContext(ctx, "revocation put off", "connection", h.hot.Connection, "err", err)
	}
	var answer *asana.Error
	var wait time.Duration
	if errors.As(err, &answer) {
		wait = answer.RetryAfter
	}
	h.coolDown(ctx, wait, false)
}

// livesElsewhere reports whether an OAuth connection of the same Asana user is
// here that still has a refresh token and is not about to leave, as the one
// that asks is.
func (c *Connections) livesElsewhere(ctx context.Context, hot *store.Hot) (bool, error) {
	cursor := ""
	for {
		page, next, err := c.Store.List(ctx, store.UserPartition(store.HashText(hot.AsanaGID)), cursor)
		if err != nil {
			return false, fmt.Errorf("listing the user's connections: %w", err)
		}
		var keys []store.Key
		for _, row := range page {
			p, ok := row.(*store.UserPointer)
			if ok && p.Kind == store.OAuth && store.ValidConnectionID(p.Connection) {
				keys = append(keys, store.HotKey(p.Connection))
			}
		}
		rows, err := c.Store.Read(ctx, keys...) // no keys, no rows
		if err != nil {
			return false, fmt.Errorf("reading the user's connections: %w", err)
		}
		for _, row := range rows {
			other, ok := row.(*store.Hot)
			ok = ok && named(other) && other.AsanaGID == hot.AsanaGID && other.ClientID == hot.ClientID
			if ok && len(other.Refresh) > 0 && (other.Status == store.Active || other.Status == store.Broken) {
				return true, nil
			}
		}
		if cursor = next; cursor == "" {
			return false, nil
		}
	}
}

// erase leaves a tombstone of the connection, under the lease and the grant
// that were revoked. A row that moved otherwise is erased all the same; one
// with another grant holds a token that nobody revoked: errLook.
func (h *holder) erase(ctx context.Context) (*store.Hot, error) {
	ctx, cancel := h.c.bound(ctx, saveReserve)
	defer cancel()
	revoked := h.hot
	writer, err := h.c.drawName() // of every try: a lost answer knows itself
	if err != nil {
		return nil, err
	}
	coldKey := store.ColdKey(revoked.Connection)
	pointer := &store.UserPointer{User: store.HashText(revoked.AsanaGID), Connection: revoked.Connection}
	for {
		rows, err := h.c.Store.Read(ctx, revoked.Key(), coldKey, pointer.Key())
		if err != nil {
			return nil, fromParts(err)
		}
		hot, _ := rows[revoked.Key()].(*store.Hot)
		if hot != nil && hot.Writer == writer {
			return nil, nil
		}
		if hot == nil || hot.Grant != revoked.Grant {
			return hot, errLook
		}
		changes := []store.Change{store.Put(tombstone(hot, h.c.now()), hot.Rev, writer)}
		if cold, ok := rows[coldKey].(*store.Cold); ok {
			changes = append(changes, store.Delete(coldKey, cold.Rev))
		}
		if p, ok := rows[pointer.Key()].(*store.UserPointer); ok {
			changes = append(changes, store.Delete(p.Key(), p.Rev))
		}
		dismissed, err := h.c.dismissed(ctx, rows[coldKey])
		if err != nil {
			return nil, err
		}
		changes = append(changes, dismissed...)
		err = h.c.Store.Write(ctx, changes...)
		if err == nil {
			return nil, nil
		}
		if h.c.Clock.Sleep(ctx, h.c.between(pollMin, pollMax)) != nil {
			return nil, fromParts(err)
		}
	}
}

// tombstone is what is left of a connection: enough to tell that there was
// one, and the epoch that no session of it knows.
func tombstone(hot *store.Hot, now time.Time) *store.Hot {
	return &store.Hot{
		Connection: hot.Connection,
		Kind:       hot.Kind,
		Owner:      hot.Owner,
		Epoch:      hot.Epoch,
		Generation: hot.Generation,
		Grant:      hot.Grant + 1,
		Status:     store.Disconnected,
		End:        now.Add(tombstoneTTL),
	}
}

// dropped has tokens that the row does not want any more. Where the connection
// was ended meanwhile they are revoked; where the person has connected again
// they are forgotten, since a revocation could end the new grant.
func (h *holder) dropped(ctx context.Context, there *store.Hot, tokens asana.Tokens) {
	if there != nil && there.Status != store.Disconnected {
		return
	}
	held := h.refresh
	if !tokens.Refresh.IsZero() {
		held = tokens.Refresh
	}
	ctx, cancel := h.c.Clock.WithDeadline(context.WithoutCancel(ctx), h.callerEnd.Add(saveReserve))
	defer cancel()
	if _, err := h.revoke(ctx, held); err != nil {
		h.c.Log.WarnContext(ctx, "tokens of an ended connection not revoked", "connection", h.hot.Connection, "err", err)
	}
}
