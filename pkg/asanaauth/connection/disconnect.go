package connection

import (
	"cmp"
	"context"
	"errors"
	"log/slog"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/refresher"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
)

// Disconnection is the result of [Connections.Disconnect].
type Disconnection struct {
	Status  asanaauth.Status // Disconnected, or Revoking if Disconnect must be called again
	Revoked bool             // whether Asana confirmed the revocation
}

// Disconnect ends a connection and all of its sessions. After Disconnect's first write,
// package token returns no more tokens for the connection. If the connection is already
// disconnected, Disconnect does nothing. Disconnect takes at most 25 seconds.
//
// Disconnect revokes an OAuth grant at Asana (RFC 7009), and then erases the grant. If
// the same Asana user has another active connection in this deployment,
// Disconnect erases the grant without revoking it, because the revocation could also end
// the other connection. A long-lived token is erased without a revocation, because Asana
// has no endpoint to revoke such a token. A grant is also erased without a revocation if
// Asana refuses to revoke it, or if it was issued to a different client ID.
//
// If Asana cannot be reached in time, the connection's status stays Revoking and
// Disconnect returns no error. Call Disconnect again later.
//
// Errors: NotFound if the connection no longer exists; Unauthenticated if a session
// opened the connection and that session has ended; TryAgain, Internal.
func (c *Connections) Disconnect(ctx context.Context, conn *Connection) (Disconnection, error) {
	ctx, cancel := c.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	o := row.Unwrap(conn)
	ctx = asanaauth.WithCaller(ctx, o.Caller)
	hot := o.Hot
	for {
		if hot.Status == row.Disconnected {
			return Disconnection{Status: asanaauth.Disconnected}, nil
		}
		d, err := c.refresher.Revoke(ctx, hot)
		switch {
		case !errors.Is(err, refresher.ErrOtherEpoch):
			return Disconnection(d), err
		case o.Session:
			return Disconnection{}, row.ErrUnauthenticated
		}
		if hot, err = c.rows.ReadHot(ctx, conn.ID()); asanaauth.KindOf(err) == asanaauth.ReconnectRequired {
			return Disconnection{}, row.ErrNotFound
		}
		if err != nil {
			return Disconnection{}, err
		}
	}
}

// EndSessions ends every browser session of a connection, for example when your app signs
// a user out. The connection and its tokens stay. If the connection has no sessions,
// EndSessions does nothing. EndSessions sends no request to Asana.
//
// Errors: NotFound if the connection no longer exists; TryAgain, Internal.
func (c *Connections) EndSessions(ctx context.Context, conn *Connection) error {
	return row.EndSessions(ctx, c.rows.Table, conn)
}

// Disconnections is the result of [Connections.DisconnectAll]. Call DisconnectAll again
// until Revoking and Left are zero.
type Disconnections struct {
	Disconnected int // how many connections the call disconnected
	Revoking     int // how many connections are not yet revoked at Asana
	// Left is how many connections could not be disconnected, either because of an error
	// or because DisconnectAll's time limit of 25 seconds had passed. If DisconnectAll
	// could not read the list to its end, Left counts the unread part as one connection.
	// Left also counts the connections whose rows someone has changed. An operator must
	// repair them; the alarm unseal_failed names them.
	Left int
}

// DisconnectAll disconnects all connections that q selects, for example when a customer
// leaves. DisconnectAll takes at most 25 seconds.
//
// Errors: InvalidRequest if q is not valid; TryAgain or Internal if connections could not
// be disconnected, and Disconnected and Revoking are both zero. If
// Disconnected or Revoking is not zero, DisconnectAll returns no error, and only Left
// shows that connections could not be disconnected.
func (c *Connections) DisconnectAll(ctx context.Context, q Query) (Disconnections, error) {
	var n Disconnections
	if err := q.check(); err != nil {
		return n, err
	}
	ctx, cancel := c.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	var failure error
	l := lister{rows: c.rows, query: q}
	for !l.done {
		page, err := l.next(ctx)
		if err != nil {
			n.Left++ // the rest of the list
			failure = cmp.Or(failure, err)
			break
		}
		for _, conn := range page {
			if row.Unwrap(conn).Hot.Status != row.Disconnected {
				failure = cmp.Or(failure, c.disconnectOne(ctx, conn, &n))
			}
		}
	}
	n.Left += len(l.forged)
	if n.Disconnected+n.Revoking == 0 && failure != nil {
		return n, failure
	}
	return n, nil
}

func (c *Connections) disconnectOne(ctx context.Context, conn *Connection, n *Disconnections) error {
	if c.rows.Remaining(ctx) < row.RequestTime+2*row.SaveReserve {
		n.Left++
		return nil
	}
	d, err := c.Disconnect(ctx, conn)
	switch {
	case err != nil:
		n.Left++
		c.rows.Warn(ctx, "connection not disconnected", slog.String("connection", conn.ID()), slog.Any("err", err))
	case d.Status == asanaauth.Revoking:
		n.Revoking++
	default:
		n.Disconnected++
	}
	return err
}
