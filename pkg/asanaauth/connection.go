package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Connection is a connection as it was read for one caller and one request: what
// somebody else does to it afterwards, it does not see while its token lives. Keep
// ids, and open one anew for each request. It is not for concurrent use.
type Connection struct {
	hot    *store.Hot
	cold   *store.Cold // nil of a tombstone
	ring   *seal.Ring
	caller string // in audit lines
	owner  string // as the caller named it; may be empty
	bound  bool   // to its epoch: whoever ends the connection ends this
}

// ID is the connection's id.
func (c *Connection) ID() string { return c.hot.Connection }

// Kind is how the connection's credential came.
func (c *Connection) Kind() store.Kind { return c.hot.Kind }

// AsanaUser is the gid of the Asana user whom the credential is of; empty of a
// connection that has ended.
func (c *Connection) AsanaUser() string { return c.hot.AsanaGID }

// Ref names a connection.
type Ref struct {
	ID string
	// Owner, where it is not empty, has to be the connection's. An id is a name
	// and no proof: whoever got it from a browser names the owner too.
	Owner string
}

// CallerLibrary is the caller of Go programs that use this package, in audit lines.
const CallerLibrary = "library"

// Open reads a connection for a backend. caller names who asks in audit lines: an
// IAM ARN, or [CallerLibrary].
//
// One of which a row was lost, or changed by somebody else, can be ended and no more:
// all else is TryAgain.
//
// Errors: NotFound, where there is none, and where the owner is another one;
// InvalidRequest for an owner that nobody can have; TryAgain; Internal.
func (c *Connections) Open(ctx context.Context, ref Ref, caller string) (*Connection, error) {
	if ref.Owner != "" {
		if err := checkName("owner", ref.Owner); err != nil {
			return nil, err
		}
	}
	if !store.ValidConnectionID(ref.ID) {
		return nil, errNotFound
	}
	hotKey, coldKey := store.HotKey(ref.ID), store.ColdKey(ref.ID)
	for try := 1; ; try++ {
		rows, err := c.Store.Read(ctx, hotKey, coldKey)
		if err != nil {
			return nil, fromParts(fmt.Errorf("reading the connection: %w", err))
		}
		hot, _ := rows[hotKey].(*store.Hot)
		cold, _ := rows[coldKey].(*store.Cold)
		switch {
		case hot == nil || !genuine(hot):
			return nil, errNotFound
		case ref.Owner != "" && hot.Owner != store.HashText(ref.Owner):
			c.audit(ctx, auditDenied, caller, hot)
			return nil, errNotFound
		}
		conn := &Connection{hot: hot, cold: cold, caller: caller, owner: ref.Owner}
		if !conn.whole() && try < 3 {
			continue
		}
		if conn.ring, err = c.Keys.Ring(ctx); err != nil {
			return nil, err
		}
		return conn, nil
	}
}

var (
	errNotFound = &Error{Kind: NotFound}
	errApart    = errors.New("hot and cold row stay apart")
	errTorn     = tryAgain(0, errApart)
)

// genuine reports whether a row is what its key says: a tombstone, which does not
// tell whose it was, or a connection whose id its own facts make.
func genuine(hot *store.Hot) bool { return hot.Status == store.Disconnected || named(hot) }

// whole reports whether hot and cold row were read as they belong together: a
// tombstone alone, or both of one consent.
func (c *Connection) whole() bool {
	if c.hot.Status == store.Disconnected {
		return true
	}
	return c.cold != nil && c.cold.Generation == c.hot.Generation
}

// Details is what may be known of a connection: never a token. What is not known
// is zero, as it is of what a tombstone does not keep.
type Details struct {
	ID             string
	Kind           store.Kind
	Owner          string // of a tombstone: as the caller named it
	Status         store.Status
	StatusReason   string   // "invalid-grant", "lost-rotated-token", "inactive", or empty
	AttributedTo   Identity // to whom every action will be attributed
	ScopeRequested string   // space-separated
	ScopeGranted   string   // what Asana said; empty where it was not asked
	ReaderOf       []string // gids of workspaces
	CreatedAt      time.Time
	UpdatedAt      time.Time // of the last consent, import or end
	LastRefreshed  time.Time
	BrokenAt       time.Time
	ExpiresAt      time.Time // of the access token; zero where Asana told none
}

// Identity is an Asana user: a person, a bot or a service account.
type Identity struct {
	GID   string
	Name  secret.String // zero where Asana did not tell
	Email secret.String
}

// Describe says what may be known of a connection. Errors: TryAgain, Internal.
func (c *Connections) Describe(ctx context.Context, conn *Connection) (Details, error) {
	if !conn.whole() {
		return Details{}, errTorn
	}
	d := describe(conn.hot, conn.cold)
	if conn.hot.Status == store.Disconnected {
		d.Owner = conn.owner
		return d, nil
	}
	var owner secret.String
	err := c.openTexts(ctx, conn,
		sealedText{"owner_name", conn.cold.OwnerName, &owner},
		sealedText{"name", conn.cold.Name, &d.AttributedTo.Name},
		sealedText{"email", conn.cold.Email, &d.AttributedTo.Email})
	if err != nil {
		return Details{}, err
	}
	d.Owner = owner.Reveal()
	return d, nil
}

// sealedText is a field of the cold row, and where it goes when it is opened.
type sealedText struct {
	name   string
	sealed secret.Sealed
	to     *secret.String
}

// openTexts opens fields of the cold row; one that is not there stays zero.
func (c *Connections) openTexts(ctx context.Context, conn *Connection, fields ...sealedText) error {
	for _, f := range fields {
		if len(f.sealed) == 0 {
			continue
		}
		text, err := c.open(ctx, conn.ring, conn.ID(), coldLabel(conn.hot, f.name), f.sealed)
		if err != nil {
			return err
		}
		*f.to = text
	}
	return nil
}

// describe is what the rows say without being opened.
func describe(hot *store.Hot, cold *store.Cold) Details {
	d := Details{ID: hot.Connection, Kind: hot.Kind, Status: hot.Status}
	if hot.Status == store.Disconnected {
		d.UpdatedAt = hot.End.Add(-tombstoneTTL)
		return d
	}
	switch hot.Reason {
	case reasonInvalidGrant, reasonLostToken, reasonInactive: // no other word is ours
		d.StatusReason = hot.Reason
	}
	d.AttributedTo.GID = hot.AsanaGID
	d.ScopeRequested, d.ScopeGranted = cold.ScopeRequested, cold.ScopeGranted
	d.ReaderOf = strings.Fields(cold.ReaderOf)
	d.CreatedAt, d.UpdatedAt = cold.Created, cold.Updated
	d.BrokenAt, d.ExpiresAt = hot.BrokenAt, hot.Expires
	if hot.Kind == store.OAuth {
		d.LastRefreshed = hot.LastRefreshed
	}
	return d
}
