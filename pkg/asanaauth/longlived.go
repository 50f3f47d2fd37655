package asanaauth

import (
	"context"
	"errors"
	"fmt"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Personal access tokens and service accounts' tokens are never refreshed, and die
// without a word. Where a caller says that Asana refused one, or its end has come,
// Asana is asked whether it is active: one that is not breaks the connection.

const reasonInactive = "inactive"

// longLived returns the opened token of a connection that is no OAuth grant.
func (c *Connections) longLived(ctx context.Context, conn *Connection, r TokenRequest) (secret.String, error) {
	for {
		held, err := c.openAccess(ctx, conn.hot, conn.ring)
		if err != nil {
			return secret.String{}, err
		}
		if !c.doubtful(conn.hot, held, r) {
			return held, nil
		}
		_, err = c.introspect(ctx, conn, held, true)
		if !errors.Is(err, errLook) {
			return held, err
		}
		if conn.hot, err = c.readHot(ctx, conn.ID()); err != nil {
			return secret.String{}, err
		}
	}
}

// doubtful reports whether Asana has to be asked about the token: a caller says that
// it was refused, or its end has come. What Asana then said holds for 30 seconds: a 401
// is also how Asana answers in a workspace that blocks the token.
func (c *Connections) doubtful(hot *store.Hot, held secret.String, r TokenRequest) bool {
	now := c.now()
	over := !hot.Expires.IsZero() && !now.Before(hot.Expires)
	refused := r.Refused != nil && store.HashText(held.Reveal()) == *r.Refused
	return (over || refused) && until(hot.RefusedAt.Add(refusedEvery), now, refusedEvery) == 0
}

// introspect asks Asana about the token and writes down what it said: errLook where
// the row has moved meanwhile, ReconnectRequired where the token is not active. doubted
// notes that somebody's doubt was the reason: the next one has to wait.
func (c *Connections) introspect(ctx context.Context, conn *Connection, held secret.String, doubted bool) (asana.Introspection, error) {
	told, err := c.tokenInfo(ctx, held)
	if err != nil {
		return told, err
	}
	ctx, cancel := c.bound(context.WithoutCancel(ctx), saveReserve)
	defer cancel()
	row := *conn.hot
	row.LastIntrospected = c.now()
	if doubted {
		row.RefusedAt = c.now()
	}
	if !told.Active {
		row.Status, row.Reason, row.BrokenAt = store.Broken, reasonInactive, c.now()
		eraseAccess(&row)
	}
	h := &holder{c: c, hot: conn.hot}
	if _, err := h.persist(ctx, &row); err != nil {
		return told, err
	}
	conn.hot = &row
	if told.Active {
		return told, nil
	}
	c.audit(ctx, auditReconnect, conn.caller, conn.hot)
	return told, &Error{Kind: ReconnectRequired, Err: errors.New("asana says that the token is not active")}
}

// tokenInfo introspects a token of any kind (RFC 7662), which changes nothing at Asana.
func (c *Connections) tokenInfo(ctx context.Context, token secret.String) (asana.Introspection, error) {
	if err := c.hasAsana(); err != nil {
		return asana.Introspection{}, err
	}
	ctx, cancel := c.bound(ctx, requestTime)
	defer cancel()
	told, err := c.Asana.Introspect(ctx, token)
	if err != nil {
		err = overLimit(fromParts(fmt.Errorf("introspecting: %w", err)))
	}
	return told, err
}
