// Package connection opens, describes, lists, imports and disconnects connections, for
// backends.
//
// A connection is one Asana credential that belongs to one owner. An owner is the
// backend's own name for a user or a customer. A connection is made in one of three ways:
//
//   - A person signs in (package login).
//   - A backend redeems the connect code of a link (package link).
//   - A backend imports a credential ([Connections.Import]).
//
// [Connections.Open] reads a connection for one request. You can then pass the opened
// connection to the functions of packages token and membership. Package connection
// returns no tokens; package token does.
package connection

import (
	"context"
	"io"
	"log/slog"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/refresher"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Config configures [Connections]. The packages that a program uses can share one Store,
// one Keyring, one asana.Client and one Secrets.
type Config struct {
	Store   store.Store           // required
	Keys    *keyring.Keyring      // required
	Asana   *asana.Client         // required
	Secrets *clientsecret.Secrets // required
	Clock   asanaauth.Clock       // nil: asanaauth.SystemClock
	Rand    io.Reader             // nil: crypto/rand.Reader
	Log     *slog.Logger          // for audit lines and alarms; nil: nothing is logged
}

// Connections opens, describes, lists, imports and disconnects connections. The methods
// of Connections are safe for concurrent use. Audit lines contain the caller's name from
// the context ([asanaauth.WithCaller]).
type Connections struct {
	rows      *row.Rows
	requests  *requests.Requests
	refresher *refresher.Refresher
	clientID  string
}

// New returns a Connections, or an error that names every missing field of c.
func New(c Config) (*Connections, error) {
	r, err := refresher.New(refresher.Config{
		Store: c.Store, Keys: c.Keys, Asana: c.Asana, Secrets: c.Secrets, Clock: c.Clock, Rand: c.Rand, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	return &Connections{rows: r.Rows(), requests: r.Requests(), refresher: r, clientID: c.Asana.ClientID()}, nil
}

// Connection is an opened connection. A Connection contains the hot row and the cold row
// that [Connections.Open] read and checked for one request of one caller. The methods of
// a Connection are ID, Kind and AsanaUser. AsanaUser returns the gid of the credential's
// Asana user, or "" if the connection is disconnected.
//
// A Connection does not show later changes to the rows, so open the connection again for
// each request. A Connection is not safe for concurrent use.
type Connection = row.Connection

// Ref names the connection that [Connections.Open] opens.
type Ref struct {
	ID string // the ID in asanaauth.Details
	// Owner is the connection's owner. If Owner is empty, Open does not check the owner.
	// Set Owner if the ID came from a browser, because an ID is not a secret.
	Owner string
}

// Open reads and checks a connection, without a request to Asana.
//
// If the hot row and the cold row are inconsistent, for example because the cold row is
// missing, Open still returns the connection. The methods of Connections, Tokens and
// Memberships that take such a connection return TryAgain, except Disconnect.
//
// Errors: NotFound if the connection does not exist or has a different owner;
// InvalidRequest if ref.Owner is not 1 to 256 bytes of UTF-8 without control characters;
// TryAgain; Internal.
func (c *Connections) Open(ctx context.Context, ref Ref) (*Connection, error) {
	return c.rows.Open(ctx, ref.ID, ref.Owner, asanaauth.CallerOf(ctx))
}

// Describe returns the details of an opened connection, without a request to Asana.
// Errors: TryAgain (for example, if the connection's rows are inconsistent), Internal.
func (c *Connections) Describe(ctx context.Context, conn *Connection) (asanaauth.Details, error) {
	return c.rows.Describe(ctx, conn)
}
