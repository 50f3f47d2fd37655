package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// holder is one refresh, or one revocation, with all that it needs in hand.
type holder struct {
	c       *Connections
	hot     *store.Hot // as this holder knows it last
	ring    *seal.Ring
	refresh secret.String
	name    string // of the lease
	end     time.Time

	callerEnd time.Time // of the caller's time; the function ends soon after
}

// ready gets what will be needed, before anybody is kept out: a lease must not
// be spent waiting for KMS. Where there is nothing to send, no client secret is.
func (c *Connections) ready(ctx context.Context, hot *store.Hot) (*holder, error) {
	ring, err := c.Keys.Ring(ctx)
	if err != nil {
		return nil, err
	}
	h := &holder{c: c, hot: hot, ring: ring}
	if len(hot.Refresh) == 0 {
		return h, nil
	}
	if h.refresh, err = c.open(ctx, ring, hot.Connection, hotLabel(hot, fieldRefresh), hot.Refresh); err != nil {
		return nil, err
	}
	return h, c.Secrets.Ready(ctx)
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
	// A lease that was not given back: its holder died, perhaps with an answer.
	row.Unsettled = row.Unsettled || row.Lease != ""
	row.Lease, row.LeaseEnd = h.name, h.end
	if w.refused(&row) {
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
	h.callerEnd = h.c.now().Add(h.c.left(ctx))
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
