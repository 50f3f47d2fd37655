package row

import (
	"context"
	"errors"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Connection contains the rows of one connection, as they were read and checked for one
// caller and one request. A Connection does not show later changes, so get a new one for
// each request. A Connection is not safe for concurrent use.
type Connection struct{ opened Opened }

// ID returns the connection's ID, which is also in the field ID of asanaauth.Details.
func (c *Connection) ID() string { return c.opened.Hot.Connection }

// Kind returns the kind of the connection's credential.
func (c *Connection) Kind() asanaauth.Kind { return asanaauth.Kind(c.opened.Hot.Kind) }

// AsanaUser returns the gid of the credential's Asana user, or an empty string if the
// connection is disconnected.
func (c *Connection) AsanaUser() string { return c.opened.Hot.AsanaGID }

// Opened is the content of a [Connection]. [Wrap] and [Unwrap] convert between the two.
// Because package row is internal, only packages in this module can call them.
type Opened struct {
	Hot    *store.Hot  // never nil
	Cold   *store.Cold // nil for a tombstone, or if the row is missing
	Ring   *seal.Ring  // the data keys, which open the sealed fields in both rows
	Caller string      // the caller's name in audit lines
	Owner  string      // the owner that the caller named; may be empty
	// Session is true if the connection was opened with a browser's session. Such a
	// session ends when the connection's epoch changes.
	Session bool
	Traits  Traits // the traits of the credential's kind; set by Wrap
}

// Wrap returns a Connection with the content o. It also sets the Traits of the content.
func Wrap(o Opened) *Connection {
	o.Traits = TraitsOf(o.Hot.Kind)
	return &Connection{o}
}

// Unwrap returns the content of c. A package that writes the connection's hot row must
// then set Opened.Hot to the new row.
func Unwrap(c *Connection) *Opened { return &c.opened }

// IDMatches reports whether the connection's ID in a hot row matches the row's other
// fields. The ID is a hash of the owner, the Asana user and the kind. If an attacker
// copies a row to a different ID, or changes the owner, the Asana user or the kind, the
// ID does not match.
func IDMatches(hot *store.Hot) bool {
	return isGID(hot.AsanaGID) && store.ConnectionID(hot.Owner, hot.AsanaGID, hot.Kind) == hot.Connection
}

// isGID reports whether s has the format of a gid. "gid" is the name that Asana's API
// gives to the ID of an object.
func isGID(s string) bool { return s != "" && len(s) <= 30 && strings.Trim(s, "0123456789") == "" }

// IsAuthentic reports whether [IDMatches] returns true, or hot is a tombstone of its owner.
// The whole ID of a tombstone cannot be checked, because a tombstone does not contain the
// Asana user. A row that has the status of a tombstone but contains an Asana user or a
// token is not a tombstone: an attacker may have changed its status to hide the connection.
func IsAuthentic(hot *store.Hot) bool {
	if hot.Status != Disconnected {
		return IDMatches(hot)
	}
	return hot.AsanaGID == "" && len(hot.Access)+len(hot.Refresh) == 0 &&
		store.OwnerPartition(hot.Owner) == hot.Key().PK
}

// CheckAuthentic returns nil if [IsAuthentic] returns true. Otherwise, someone has changed
// the row: CheckAuthentic raises the alarm unseal_failed, and returns Internal.
func CheckAuthentic(ctx context.Context, t *Table, hot *store.Hot) error {
	if IsAuthentic(hot) {
		return nil
	}
	err := errors.New("the connection's ID does not match its row")
	t.Alarm(ctx, AlarmUnseal, hot.Connection, err)
	return &asanaauth.Error{Kind: asanaauth.Internal, Err: err}
}

// IsConsistent reports whether the hot row and the cold row belong to the same consent. A
// tombstone is always consistent, because it has no cold row.
func (o *Opened) IsConsistent() bool {
	if o.Hot.Status == Disconnected {
		return true
	}
	return o.Cold != nil && o.Cold.Generation == o.Hot.Generation
}

// maxReads limits how many times the hot row and the cold row are read if they are
// inconsistent. They can be inconsistent because a write happened between the two reads.
const maxReads = 3

// Open reads and checks a connection. If owner is not empty and the connection has a
// different owner, Open writes an audit line and returns NotFound. caller is the caller's
// name in audit lines.
//
// A connection is inconsistent if its cold row is missing or belongs to a different
// consent than its hot row. Open also returns such a connection. It can be disconnected,
// but all other operations on it return TryAgain.
//
// Errors: NotFound if the connection does not exist or has a different owner;
// InvalidRequest if owner is not a valid name; the errors of [CheckAuthentic]; TryAgain;
// Internal.
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
		if hot == nil {
			return nil, ErrNotFound
		}
		if err := CheckAuthentic(ctx, r.Table, hot); err != nil {
			return nil, err
		}
		if owner != "" && hot.Owner != store.HashText(owner) {
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

// OpenMany reads and checks connections, and returns them by ID. The new connections get
// the caller and the data keys of asking, which is already open. The result does not
// contain connections that are missing or disconnected, whose ID does not match their
// other fields, or whose rows are inconsistent.
func (r *Rows) OpenMany(ctx context.Context, asking *Connection, ids []string) (map[string]*Connection, error) {
	opened := map[string]*Connection{}
	for range maxReads {
		var keys []store.Key
		for _, id := range ids {
			keys = append(keys, store.HotKey(id), store.ColdKey(id))
		}
		rows, err := r.Read(ctx, "connections", keys...) // returns no rows if keys is empty
		if err != nil {
			return nil, err
		}
		var again []string
		for _, id := range ids {
			hot := Get[*store.Hot](rows, store.HotKey(id))
			if hot == nil || CheckAuthentic(ctx, r.Table, hot) != nil || hot.Status == Disconnected {
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

// ReadHot reads a connection's hot row. Errors: ReconnectRequired if the row is missing;
// the errors of [CheckAuthentic]; TryAgain, Internal.
func (t *Table) ReadHot(ctx context.Context, connection string) (*store.Hot, error) {
	key := store.HotKey(connection)
	rows, err := t.Read(ctx, "the connection", key)
	if err != nil {
		return nil, err
	}
	hot := Get[*store.Hot](rows, key)
	if hot == nil {
		return nil, ReconnectRequired("gone")
	}
	if err := CheckAuthentic(ctx, t, hot); err != nil {
		return nil, err
	}
	return hot, nil
}
