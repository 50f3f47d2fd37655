package asanaauth

import (
	"context"
	"errors"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
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
	if err := c.canAsk(); err != nil {
		return Disconnected{}, err
	}
	d, err := c.disconnect(ctx, s.hot, s.row.Epoch, s.Caller())
	if errors.Is(err, errEndedOtherwise) {
		return Disconnected{}, errUnauthenticated
	}
	if err != nil {
		return Disconnected{}, err
	}
	// The epoch has ended the session; its row has nothing more to say.
	if err := c.SignOut(ctx, s); err != nil {
		c.Log.WarnContext(ctx, "session row left to its TTL", "err", err)
	}
	return d, nil
}

// End is [Connections.Disconnect] for a backend, and for credentials of every kind: a
// personal access token and a service account's are erased here, as Asana offers no
// way to revoke them. A connection that has ended stays so.
//
// Errors: NotFound where it is gone, TryAgain, Misconfigured, Internal.
func (c *Connections) End(ctx context.Context, conn *Connection) (Disconnected, error) {
	ctx, cancel := c.bound(ctx, callerTime)
	defer cancel()
	if conn.hot.Kind == store.OAuth {
		if err := c.canAsk(); err != nil {
			return Disconnected{}, err
		}
	}
	hot := conn.hot
	for {
		if hot.Status == store.Disconnected {
			return Disconnected{Status: store.Disconnected}, nil
		}
		d, err := c.disconnect(ctx, hot, hot.Epoch, conn.caller)
		if !errors.Is(err, errEndedOtherwise) {
			return d, err
		}
		if hot, err = c.readHot(ctx, conn.ID()); KindOf(err) == ReconnectRequired {
			return Disconnected{}, errNotFound
		}
		if err != nil {
			return Disconnected{}, err
		}
	}
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
		revoked, next, err := c.endStep(ctx, hot, caller)
		switch {
		case err == nil:
			return Disconnected{Status: store.Disconnected, Revoked: revoked}, nil
		case errors.Is(err, errLater):
			return Disconnected{Status: store.Revoking}, nil
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

// errEndedOtherwise says that somebody else has ended the connection, which was to
// be ended in the epoch that the caller knows.
var errEndedOtherwise = errors.New("ended by somebody else")

// markRevoking is the first write: a new epoch ends all sessions, the access
// token is erased, the lease stays whose it is. One who finds it done goes on.
func (c *Connections) markRevoking(ctx context.Context, hot *store.Hot, epoch string) (*store.Hot, error) {
	newEpoch, err := c.drawName()
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.bound(ctx, requestTime)
	defer cancel()
	h := &holder{c: c, hot: hot}
	for {
		if err := c.issuedToUs(ctx, hot); err != nil {
			return nil, err
		}
		if hot.Status == store.Revoking {
			return hot, nil
		}
		row := *hot
		row.Status, row.Reason, row.Epoch = store.Revoking, "", newEpoch
		eraseAccess(&row)
		if row.CoolUntil.Equal(row.RefusedAt.Add(refusedEvery)) {
			row.CoolUntil = time.Time{} // of a report, and no wish of Asana's
		}
		next, err := h.persist(ctx, &row)
		switch {
		case err == nil:
			return next, nil
		case !errors.Is(err, errLook):
			return nil, err
		case next != nil && next.Epoch == newEpoch:
			return next, nil // our own, whose answer was lost, and moved since
		case next == nil || next.Epoch != epoch || !named(next):
			return nil, errEndedOtherwise
		}
		hot, h.hot = next, next
	}
}

// errLater says that a connection cannot be ended now: it stays revoking.
var errLater = errors.New("not now")

// endStep does what a connection that is being ended asks for now. It returns
// errLook, with the row to look at if it is known, where that has moved, and
// errLater where somebody has to try again.
func (c *Connections) endStep(ctx context.Context, hot *store.Hot, caller string) (revoked bool, next *store.Hot, err error) {
	now := c.now()
	cooling := cooling(hot, now)
	if c.left(ctx) < cooling+requestTime+saveReserve {
		return false, nil, errLater
	}
	if cooling > 0 {
		if c.Clock.Sleep(ctx, cooling) != nil {
			return false, nil, errLater
		}
		return false, nil, errLook
	}
	if left := c.leases.left(hot, now); left > 0 {
		if c.Clock.Sleep(ctx, min(left, c.between(pollMin, pollMax))) != nil {
			return false, nil, errLater
		}
		return false, nil, errLook
	}
	h, err := c.ready(ctx, hot)
	if errors.Is(err, seal.ErrOpen) && !errors.Is(err, seal.ErrUnknownKey) {
		// Nobody can revoke what does not open; what is kept has to go all the
		// same. The alarm has been raised.
		h, err = &holder{c: c, hot: hot}, nil
	}
	if err != nil {
		c.Log.WarnContext(ctx, "revocation put off", "connection", hot.Connection, "err", err)
		return false, nil, errLater
	}
	if next, err := h.lease(ctx, want{}); err != nil {
		return false, next, lookOrLater(err)
	}
	return h.revokeAndErase(ctx, caller)
}

// lookOrLater keeps errLook: any other trouble is for another time.
func lookOrLater(err error) error {
	if errors.Is(err, errLook) {
		return errLook
	}
	return errLater
}
