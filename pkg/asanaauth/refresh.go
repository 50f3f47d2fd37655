package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	if err := c.issuedToUs(ctx, hot); err != nil {
		return nil, err
	}
	wait := cooling(hot, now)
	if w.reports(hot) {
		wait = max(wait, until(hot.RefusedAt.Add(refusedEvery), now, refusedEvery))
	}
	if wait > 0 {
		return c.cool(ctx, hot, w, wait)
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

// cooling is the time for which Asana must not be asked.
func cooling(hot *store.Hot, now time.Time) time.Duration {
	return until(hot.CoolUntil, now, retryAfterMax)
}

// cool answers where Asana must not be asked for a while. A token that is
// reported refused meanwhile is handed out to nobody any more, and everybody
// waits for the refresh that comes after.
func (c *Connections) cool(ctx context.Context, hot *store.Hot, w want, wait time.Duration) (*store.Hot, error) {
	if w.reports(hot) {
		ctx, cancel := c.bound(ctx, saveReserve)
		defer cancel()
		row := *hot
		row.RefusedGrant = row.Grant
		if wait > cooling(hot, c.now()) {
			row.CoolUntil = row.RefusedAt.Add(refusedEvery)
		}
		h := &holder{c: c, hot: hot}
		next, err := h.persist(ctx, &row)
		if err != nil {
			return next, err
		}
		hot = next
	}
	return hot, tryAgain(wait, errors.New("cooling down"))
}

// until is the time until an end that a row names, which is most away at the
// most. One that is further was written by a clock that runs wrong, or by
// somebody else, and holds up nobody.
func until(end, now time.Time, most time.Duration) time.Duration {
	left := end.Sub(now)
	if left > most+clockSkew {
		return 0
	}
	return max(0, left)
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
