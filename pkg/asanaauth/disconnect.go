package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Disconnected says how far the end of a connection has come.
type Disconnected struct {
	Status  store.Status // Disconnected, or Revoking where Asana could not be asked yet
	Revoked bool         // Asana said so
}

// Disconnect ends the session's connection, and with it every session of it.
// From its first write on no token is given out. What is kept is erased when
// Asana has revoked it, or has nothing to revoke; Asana is not asked where
// another connection of the same Asana user lives here, which the revocation
// could end too.
//
// Errors: TryAgain, Misconfigured, Internal. Trouble with Asana is none: the
// answer then says Revoking, and somebody tries again.
func (c *Connections) Disconnect(ctx context.Context, s *Session) (Disconnected, error) {
	ctx, cancel := c.bound(ctx, callerTime)
	defer cancel()
	d, err := c.disconnect(ctx, s.hot, s.row.Epoch, s.Caller())
	if err != nil {
		return Disconnected{}, err
	}
	// The epoch has ended the session; its row has nothing more to say.
	if err := c.SignOut(ctx, s); err != nil {
		c.Log.WarnContext(ctx, "session row left to its TTL", "err", err)
	}
	return d, nil
}

func (c *Connections) disconnect(ctx context.Context, hot *store.Hot, epoch, caller string) (Disconnected, error) {
	hot, err := c.markRevoking(ctx, hot, epoch)
	if err != nil {
		return Disconnected{}, err
	}
	ended := hot.Epoch
	for {
		if hot.Status != store.Revoking || hot.Epoch != ended {
			return c.endedOtherwise(hot)
		}
		d, next, err := c.endStep(ctx, hot, caller)
		switch {
		case err == nil:
			return d, nil
		case !errors.Is(err, errLook):
			return Disconnected{}, err
		case next != nil:
			hot = next
			continue
		}
		if hot, err = c.readHot(ctx, hot.Connection); err != nil {
			return Disconnected{}, err
		}
	}
}

// endedOtherwise answers where somebody else ended the connection meanwhile,
// or where the person has connected again, which drops the revocation.
func (c *Connections) endedOtherwise(hot *store.Hot) (Disconnected, error) {
	if hot.Status == store.Disconnected {
		return Disconnected{Status: store.Disconnected}, nil
	}
	return Disconnected{}, tryAgain(0, errors.New("connected again while disconnecting"))
}

// markRevoking is the first write: a new epoch ends all sessions, the access
// token is erased, the lease stays whose it is.
func (c *Connections) markRevoking(ctx context.Context, hot *store.Hot, epoch string) (*store.Hot, error) {
	newEpoch, err := c.drawName()
	if err != nil {
		return nil, err
	}
	writer, err := c.drawName()
	if err != nil {
		return nil, err
	}
	h := &holder{c: c, hot: hot}
	for {
		if hot.ClientID != c.Asana.ClientID() {
			err := errors.New("the grant was issued to another client id")
			c.alarm(ctx, alarmWrongClient, hot.Connection, err)
			return nil, &Error{Kind: Misconfigured, Err: err}
		}
		row := *hot
		row.Status, row.Reason, row.Epoch = store.Revoking, "", newEpoch
		eraseAccess(&row)
		next, err := h.write(ctx, &row, writer)
		switch {
		case err == nil:
			return next, nil
		case !errors.Is(err, errLook):
			return nil, err
		case next == nil || next.Epoch != epoch || !named(next):
			return nil, errUnauthenticated // somebody else ended it
		}
		hot, h.hot = next, next
	}
}

// endStep does what a connection that is being ended asks for now. It returns
// errLook, with the row to look at if it is known, where that has moved.
func (c *Connections) endStep(ctx context.Context, hot *store.Hot, caller string) (Disconnected, *store.Hot, error) {
	now := c.now()
	later := Disconnected{Status: store.Revoking}
	cooling := max(0, hot.CoolUntil.Sub(now))
	if c.left(ctx) < cooling+requestTime+saveReserve {
		return later, nil, nil
	}
	if cooling > 0 {
		if c.Clock.Sleep(ctx, cooling) != nil {
			return later, nil, nil
		}
		return later, nil, errLook
	}
	if left := c.leases.left(hot, now); left > 0 {
		if c.Clock.Sleep(ctx, min(left, c.between(pollMin, pollMax))) != nil {
			return later, nil, nil
		}
		return later, nil, errLook
	}
	h, err := c.ready(ctx, hot)
	if err != nil {
		c.Log.WarnContext(ctx, "revocation put off", "connection", hot.Connection, "err", err)
		return later, nil, nil
	}
	if next, err := h.lease(ctx, want{}); err != nil {
		if errors.Is(err, errLook) {
			return later, next, err
		}
		return later, nil, nil
	}
	return h.revokeAndErase(ctx, caller)
}

// revokeAndErase has the lease. It asks Asana, and erases at the very grant
// that it revoked.
func (h *holder) revokeAndErase(ctx context.Context, caller string) (Disconnected, *store.Hot, error) {
	c := h.c
	later := Disconnected{Status: store.Revoking}
	if !h.timeToAsk(ctx) {
		h.release(ctx, func(*store.Hot) {})
		return later, nil, nil
	}
	ctx = context.WithoutCancel(ctx)
	revoked, err := h.revoke(ctx, h.refresh)
	if err != nil {
		h.revocationFailed(ctx, err)
		return later, nil, nil
	}
	next, err := h.erase(ctx)
	if err != nil {
		if errors.Is(err, errLook) {
			return later, next, err
		}
		return later, nil, nil
	}
	if revoked {
		c.audit(ctx, "revoked", caller, h.hot)
	}
	return Disconnected{Status: store.Disconnected, Revoked: revoked}, nil, nil
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
	h.coolDown(ctx, wait)
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
	var writers []string // of every try so far: a lost answer knows itself
	coldKey := store.ColdKey(revoked.Connection)
	pointer := &store.UserPointer{User: store.HashText(revoked.AsanaGID), Connection: revoked.Connection}
	for {
		rows, err := h.c.Store.Read(ctx, revoked.Key(), coldKey, pointer.Key())
		if err != nil {
			return nil, fromParts(err)
		}
		hot, _ := rows[revoked.Key()].(*store.Hot)
		if hot != nil && slices.Contains(writers, hot.Writer) {
			return nil, nil
		}
		if hot == nil || hot.Grant != revoked.Grant {
			return hot, errLook
		}
		writer, err := h.c.drawName()
		if err != nil {
			return nil, err
		}
		writers = append(writers, writer)
		changes := []store.Change{store.Put(tombstone(hot, h.c.now()), hot.Rev, writer)}
		if cold, ok := rows[coldKey].(*store.Cold); ok {
			changes = append(changes, store.Delete(coldKey, cold.Rev))
		}
		if p, ok := rows[pointer.Key()].(*store.UserPointer); ok {
			changes = append(changes, store.Delete(p.Key(), p.Rev))
		}
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
	if _, err := h.revoke(context.WithoutCancel(ctx), held); err != nil {
		h.c.Log.WarnContext(ctx, "tokens of an ended connection not revoked", "connection", h.hot.Connection, "err", err)
	}
}
