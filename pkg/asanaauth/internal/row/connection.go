package row

import (
	"context"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Connection is an opened connection: its rows as they were read and checked for one
// caller and one request. It does not show later changes, so open a connection anew for
// each request. It is not safe for concurrent use.
type Connection struct{ opened Opened }

// ID returns the connection's id, as in asanaauth.Details.
func (c *Connection) ID() string { return c.opened.Hot.Connection }

// Kind returns the kind of the connection's credential.
func (c *Connection) Kind() asanaauth.Kind { return asanaauth.Kind(c.opened.Hot.Kind) }

// AsanaUser returns the gid of the credential's Asana user. It is empty for a
// disconnected connection.
func (c *Connection) AsanaUser() string { return c.opened.Hot.AsanaGID }

// Opened is the content of a [Connection]. Only packages of this module can use it, with
// [Wrap] and [Unwrap].
type Opened struct {
	Hot    *store.Hot  // never nil
	Cold   *store.Cold // nil for a tombstone, or if the row is missing
	Ring   *seal.Ring  // opens the sealed fields of both rows
	Caller string      // in audit lines
	Owner  string      // the name that the caller gave; may be empty
	// Session reports whether a browser's session opened the connection. The session
	// ends when the connection's epoch changes.
	Session bool
	Traits  Traits // of the credential's kind; set by Wrap
}

// Wrap returns a Connection with the content o, and sets its Traits.
func Wrap(o Opened) *Connection {
	o.Traits = TraitsOf(o.Hot.Kind)
	return &Connection{o}
}

// Unwrap returns the content of c. A package that writes the hot row must set Hot to the
// new row.
func Unwrap(c *Connection) *Opened { return &c.opened }

// IDMatches reports whether the row's id matches its contents. It computes the id from the
// owner, the Asana user and the kind. If the row was copied to another id, or one of the
// three was changed, it does not match.
func IDMatches(hot *store.Hot) bool {
	return isGID(hot.AsanaGID) && store.ConnectionID(hot.Owner, hot.AsanaGID, hot.Kind) == hot.Connection
}

// isGID reports whether s looks like one of Asana's ids.
func isGID(s string) bool { return s != "" && len(s) <= 30 && strings.Trim(s, "0123456789") == "" }

// IsAuthentic reports whether hot is a tombstone or its id matches. The id of a tombstone
// cannot be checked, because a tombstone does not keep its Asana user.
func IsAuthentic(hot *store.Hot) bool { return hot.Status == Disconnected || IDMatches(hot) }

// IsConsistent reports whether the hot and the cold row belong to the same consent, or the
// hot row is a tombstone.
func (o *Opened) IsConsistent() bool {
	if o.Hot.Status == Disconnected {
		return true
	}
	return o.Cold != nil && o.Cold.Generation == o.Hot.Generation
}

// maxReads limits how often the hot and the cold row are read until they belong together. A
// read of several rows is not a snapshot.
const maxReads = 3

// Open reads and checks a connection. If owner is not empty and is not the connection's
// owner, Open writes an audit line and returns NotFound. caller is the name in audit lines.
//
// If the cold row is missing or of another consent, the connection is inconsistent. Then it
// can only be disconnected, and every other use returns TryAgain.
//
// Errors: NotFound if the connection does not exist or has another owner; InvalidRequest
// if owner is not a valid name; TryAgain; Internal.
func (r *Rows) Open(ctx context.Context, id, owner, caller string) (*Connection, error) {
	if owner != "" {
		if err := CheckOwner(owner); err != nil {
			return nil, err
		}
	}
	if !store.ValidConnectionID(id) {
		return nil, ErrNotFound
	}
	hotKey, coldKey := store.HotKey(id), store.ColdKey(id)
	for read := 1; ; read++ {
		rows, err := r.Read(ctx, "the connection", hotKey, coldKey)
		if err != nil {
			return nil, err
		}
		hot, cold := Get[*store.Hot](rows, hotKey), Get[*store.Cold](rows, coldKey)
		switch {
		case hot == nil || !IsAuthentic(hot):
			return nil, ErrNotFound
		case owner != "" && hot.Owner != store.HashText(owner):
			r.Audit(ctx, AuditDenied, caller, hot)
			return nil, ErrNotFound
		}
		o := Opened{Hot: hot, Cold: cold, Caller: caller, Owner: owner}
		if !o.IsConsistent() && read < maxReads {
			continue
		}
		if o.Ring, err = r.Ring(ctx); err != nil {
			return nil, err
		}
		return Wrap(o), nil
	}
}

// OpenMany reads and checks connections, and returns them by id. They get the caller and
// the ring of asking. It leaves out a connection that is missing or disconnected, whose
// id does not match its contents, or whose rows do not belong together.
func (r *Rows) OpenMany(ctx context.Context, asking *Connection, ids []string) (map[string]*Connection, error) {
	opened := map[string]*Connection{}
	for range maxReads {
		var keys []store.Key
		for _, id := range ids {
			keys = append(keys, store.HotKey(id), store.ColdKey(id))
		}
		rows, err := r.Read(ctx, "connections", keys...) // without keys, it returns no rows
		if err != nil {
			return nil, err
		}
		var again []string
		for _, id := range ids {
			hot := Get[*store.Hot](rows, store.HotKey(id))
			if hot == nil || !IDMatches(hot) {
				continue
			}
			o := Opened{Hot: hot, Cold: Get[*store.Cold](rows, store.ColdKey(id)), Ring: asking.opened.Ring, Caller: asking.opened.Caller}
			if o.IsConsistent() {
				opened[id] = Wrap(o)
			} else {
				again = append(again, id)
			}
		}
		if ids = again; len(ids) == 0 {
			break
		}
	}
	return opened, nil
}

// ReadHot reads the hot row of a connection. Errors: ReconnectRequired if it is missing;
// TryAgain, Internal.
func (t *Table) ReadHot(ctx context.Context, connection string) (*store.Hot, error) {
	key := store.HotKey(connection)
	rows, err := t.Read(ctx, "the connection", key)
	if err != nil {
		return nil, err
	}
	hot := Get[*store.Hot](rows, key)
	if hot == nil || hot.Connection != connection {
		return nil, ReconnectRequired("gone")
	}
	return hot, nil
}
