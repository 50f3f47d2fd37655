// Package connection opens, describes, lists, imports and disconnects connections, for
// backends.
//
// A connection is one Asana credential of one owner, which is the backend's own name for a
// user or a customer. It is made when a person signs in (package login), when a backend
// redeems the connect code of a link (package link), or when a backend imports a credential
// ([Connections.Import]).
//
// [Connections.Open] reads a connection for one request. Packages token and membership then
// use the opened connection. This package returns no tokens: package token does.
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

// Config configures [Connections]. All packages of a program can share its values.
type Config struct {
	Store   store.Store           // required
	Keys    *keyring.Keyring      // required
	Asana   *asana.Client         // required
	Secrets *clientsecret.Secrets // required
	Clock   asanaauth.Clock       // nil: asanaauth.SystemClock
	Rand    io.Reader             // nil: crypto/rand.Reader
	Log     *slog.Logger          // for audit lines and alarms; nil: nothing is logged
}

// Connections opens, describes, lists, imports and disconnects connections. It is safe
// for concurrent use. Audit lines name the caller of the context
// ([asanaauth.WithCaller]).
type Connections struct {
	rows      *row.Rows
	requests  *requests.Requests
	refresher *refresher.Refresher
	clientID  string
}

// New returns Connections. The error reports every missing field.
func New(c Config) (*Connections, error) {
	r, err := refresher.New(refresher.Config{
		Store: c.Store, Keys: c.Keys, Asana: c.Asana, Secrets: c.Secrets, Clock: c.Clock, Rand: c.Rand, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	return &Connections{rows: r.Rows(), requests: r.Requests(), refresher: r, clientID: c.Asana.ClientID()}, nil
}

// Connection is an opened connection: its rows as they were read and checked for one
// caller and one request. It has three methods: ID, Kind, and AsanaUser, which returns
// the gid of the credential's Asana user (empty if it was disconnected).
//
// It does not show later changes, so open a connection anew for each request. It is not
// safe for concurrent use.
type Connection = row.Connection

// Ref names the connection that [Connections.Open] opens.
type Ref struct {
	ID string // as in asanaauth.Details
	// Owner, if not empty, must be the connection's owner. An id is not a secret: if it
	// came from a browser, name the owner too.
	Owner string
}

// Open reads and checks a connection. It does not ask Asana.
//
// If its rows do not belong together, for example because one is missing, it can only be
// disconnected: every other use returns TryAgain.
//
// Errors: NotFound if the connection does not exist or has another owner; InvalidRequest
// if ref.Owner is not 1 to 256 bytes of UTF-8 without control characters; TryAgain;
// Internal.
func (c *Connections) Open(ctx context.Context, ref Ref) (*Connection, error) {
	return c.rows.Open(ctx, ref.ID, ref.Owner, asanaauth.CallerOf(ctx))
}

// Describe returns what a backend may know about an opened connection. It does not ask
// Asana. Errors: TryAgain, also if the rows of conn do not belong together; Internal.
func (c *Connections) Describe(ctx context.Context, conn *Connection) (asanaauth.Details, error) {
	return c.rows.Describe(ctx, conn)
}
