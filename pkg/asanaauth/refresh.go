package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// The hot row is the lock of its connection. A refresh reads it, takes its
// lease, sends one request to Asana, and saves what came back, each with one
// conditional write. Whoever finds the lease taken is served with the token
// that still lives, or waits for the holder's save.

// errLook says that the row is not what it was taken for: look again.
var errLook = errors.New("the row has moved")

// refresh returns a row that serves w, by asking Asana or by waiting for
// somebody who does.
func (c *Connections) refresh(ctx context.Context, hot *store.Hot, w want, caller string) (*store.Hot, error) {
	for {
		now := c.now()
		switch {
		case hot.Status != store.Active || !named(hot):
			return nil, errReconnect(hot)
		case w.servedBy(hot, now):
			return hot, nil
		}
		next, err := c.step(ctx, hot, w, caller)
		switch {
		case err == nil:
			return next, nil
		case errors.Is(err, errLook) && next != nil:
			hot = next
		case errors.Is(err, errLook):
			if hot, err = c.readHot(ctx, hot.Connection); err != nil {
				return nil, err
			}
		case next != nil && w.livesIn(next, c.now()):
			return next, nil
		default:
			return nil, err
		}
	}
}

// step does what the row asks for now. It returns a row that serves, or
// errLook with the row to look at (none: read it), or what went wrong with the
// row as it is known then.
func (c *Connections) step(ctx context.Context, hot *store.Hot, w want, caller string) (*store.Hot, error) {
	now := c.now()
	if hot.ClientID != c.Asana.ClientID() {
		err := errors.New("the grant was issued to another client id")
		c.alarm(ctx, alarmWrongClient, hot.Connection, err)
		return nil, &Error{Kind: Misconfigured, Err: err}
	}
	if w.refusedGrant == hot.Grant && hot.RefusedGrant != hot.Grant && now.Sub(hot.RefusedAt) < refusedEvery {
		return hot, tryAgain(hot.RefusedAt.Add(refusedEvery).Sub(now), errors.New("a token was reported refused just before"))
	}
	if now.Before(hot.CoolUntil) {
		return hot, tryAgain(hot.CoolUntil.Sub(now), errors.New("cooling down"))
	}
	if left := c.leases.left(hot, now); left > 0 {
		return c.wait(ctx, hot, w, left)
	}
	if c.left(ctx) < requestTime+saveReserve {
		return hot, tryAgain(0, errors.New("no time left to ask Asana"))
	}
	h, err := c.ready(ctx, hot)
	if err != nil {
		return hot, err
	}
	if h.refresh.IsZero() {
		return hot, &Error{Kind: Internal, Err: errors.New("an active connection has no refresh token")}
	}
	if next, err := h.lease(ctx, w); err != nil {
		return next, err
	}
	return h.send(ctx, caller)
}

// wait serves a caller whose row somebody else refreshes: with the token that
// lives, or after the next look. left is the lease's time.
func (c *Connections) wait(ctx context.Context, hot *store.Hot, w want, left time.Duration) (*store.Hot, error) {
	if w.livesIn(hot, c.now()) {
		return hot, nil
	}
	if err := c.Clock.Sleep(ctx, min(left, c.between(pollMin, pollMax))); err != nil {
		return hot, tryAgain(0, err)
	}
	return nil, errLook
}

func (c *Connections) readHot(ctx context.Context, connection string) (*store.Hot, error) {
	key := store.HotKey(connection)
	rows, err := c.Store.Read(ctx, key)
	if err != nil {
		return nil, fromParts(fmt.Errorf("reading the connection: %w", err))
	}
	hot, _ := rows[key].(*store.Hot)
	if hot == nil || hot.Connection != connection {
		return nil, &Error{Kind: ReconnectRequired, Err: errors.New("the connection is gone")}
	}
	return hot, nil
}

// holder is one refresh, or one revocation, with all that it needs in hand.
type holder struct {
	c       *Connections
	hot     *store.Hot // as this holder knows it last
	ring    *seal.Ring
	refresh secret.String
	name    string // of the lease
	end     time.Time
}

// ready gets what will be needed, before anybody is kept out: a lease must not
// be spent waiting for KMS.
func (c *Connections) ready(ctx context.Context, hot *store.Hot) (*holder, error) {
	ring, err := c.Keys.Ring(ctx)
	if err != nil {
		return nil, err
	}
	var refresh secret.String
	if len(hot.Refresh) > 0 {
		refresh, err = c.open(ctx, ring, hot.Connection, hotLabel(hot, fieldRefresh), hot.Refresh)
		if err != nil {
			return nil, err
		}
	}
	if err := c.Secrets.Ready(ctx); err != nil {
		return nil, err
	}
	return &holder{c: c, hot: hot, ring: ring, refresh: refresh}, nil
}

// lease takes the row's lease. Its end is counted from before the write, so
// that the holder never believes it for longer than others do.
func (h *holder) lease(ctx context.Context, w want) (*store.Hot, error) {
	name, err := h.c.drawName()
	if err != nil {
		return nil, err
	}
	now := h.c.now()
	h.name, h.end = name, now.Add(leaseTime)
	row := *h.hot
	row.LeaseStolen = row.LeaseStolen || row.Lease != ""
	row.Lease, row.LeaseEnd = h.name, h.end
	if w.refusedGrant == row.Grant && row.RefusedGrant != row.Grant {
		row.RefusedGrant, row.RefusedAt = row.Grant, now
	}
	return h.write(ctx, &row, name)
}

// write writes the row in place of the one that is known. A refused one gives
// errLook and the row that is there. A write tried again has the same writer,
// by which it knows itself where its answer was lost.
func (h *holder) write(ctx context.Context, row *store.Hot, writer string) (*store.Hot, error) {
	err := h.c.Store.Write(ctx, store.Put(row, h.hot.Rev, writer))
	var conflict *store.Conflict
	if errors.As(err, &conflict) {
		there, _ := conflict.Rows[row.Key()].(*store.Hot)
		return there, errLook
	}
	if err != nil {
		return h.hot, fromParts(fmt.Errorf("writing the connection: %w", err))
	}
	h.hot = row
	return row, nil
}

// send asks Asana and keeps the answer. From here to the save the caller's
// cancellation does not count: an answer that nobody keeps may be the last.
func (h *holder) send(ctx context.Context, caller string) (*store.Hot, error) {
	if !h.timeToAsk(ctx) {
		return h.giveUp(ctx)
	}
	ctx = context.WithoutCancel(ctx)
	tokens, err := h.request(ctx)
	if err != nil {
		return h.fail(ctx, err, caller)
	}
	return h.save(ctx, tokens, caller)
}

// timeToAsk reports whether lease and caller have the time that a request to
// Asana and the keeping of its answer may take.
func (h *holder) timeToAsk(ctx context.Context) bool {
	return ctx.Err() == nil && min(h.end.Sub(h.c.now()), h.c.left(ctx)) >= requestTime+saveReserve
}

func (h *holder) request(ctx context.Context) (asana.Tokens, error) {
	ctx, cancel := h.c.bound(ctx, requestTime)
	defer cancel()
	var tokens asana.Tokens
	err := h.c.Secrets.send(ctx, func(clientSecret secret.String) (err error) {
		tokens, err = h.c.Asana.Refresh(ctx, clientSecret, h.refresh)
		return err
	})
	return tokens, err
}

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
		row.LeaseStolen = false
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
	h.c.audit(ctx, "refreshed", caller, now, more...)
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
