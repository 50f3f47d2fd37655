package row

import (
	"context"
	"errors"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// EndSessions ends all sessions of a connection, in all browsers, and writes an audit
// line. The connection itself stays: EndSessions only sets a new epoch, so a refresh that
// is running can save its tokens.
//
// A connection that is revoking or disconnected has no sessions, so EndSessions then does
// nothing. If a session opened c, and that session has ended since, EndSessions does
// nothing either.
//
// Errors: NotFound if the connection no longer exists; TryAgain, Internal.
func EndSessions(ctx context.Context, t *Table, c *Connection) error {
	epoch, err := t.RandomID()
	if err != nil {
		return err
	}
	ctx, cancel := t.WithTimeout(ctx, RequestTime)
	defer cancel()
	o := &c.opened
	known, errNone := o.Hot.Epoch, errors.New("no session is left")
	hot, err := t.UpdateHot(ctx, o.Hot, func(now *store.Hot) error {
		if err := CheckAuthentic(ctx, t, now); err != nil {
			return err
		}
		switch {
		case now.Status == Revoking, now.Status == Disconnected, o.Session && now.Epoch != known && now.Epoch != epoch:
			return errNone
		}
		now.Epoch = epoch
		return nil
	})
	switch {
	case errors.Is(err, errNone):
		return nil
	case errors.Is(err, ErrChanged):
		return ErrNotFound
	case err != nil:
		return err
	}
	o.Hot = hot
	t.Audit(ctx, AuditSessionsEnded, o.Caller, hot)
	return nil
}
