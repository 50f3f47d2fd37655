package asanaauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// ListRequest says which connections are meant: those of an owner, tombstones
// included, or of an Asana user.
type ListRequest struct {
	Owner     string
	AsanaUser string // a gid; in place of Owner
	Cursor    string // of the page before; empty for the first
	Limit     int    // of a page: 1 to 100; 0 means 50
}

const (
	defaultLimit = 50
	mostLimit    = 100
)

// check judges the request itself.
func (r ListRequest) check() error {
	switch {
	case (r.Owner == "") == (r.AsanaUser == ""):
		return &Error{Kind: InvalidRequest, Detail: "Either owner or asana_user is required."}
	case r.AsanaUser != "" && !asana.IsGID(r.AsanaUser):
		return &Error{Kind: InvalidRequest, Detail: "asana_user is a gid, a string of digits."}
	case r.Limit < 0 || r.Limit > mostLimit:
		return &Error{Kind: InvalidRequest, Detail: "limit is 1 to 100."}
	case r.Owner != "":
		return checkName("owner", r.Owner)
	}
	return nil
}

// List returns connections in the order of their ids, a page at a time; next is
// empty at the end. No index is read: an owner's connections are one partition, and
// an Asana user's have pointers. Errors: InvalidRequest (a cursor of another list
// too), TryAgain, Internal.
func (c *Connections) List(ctx context.Context, r ListRequest) (page []Details, next string, err error) {
	if err := r.check(); err != nil {
		return nil, "", err
	}
	if r.Limit == 0 {
		r.Limit = defaultLimit
	}
	l := listing{c: c, owner: r.Owner, user: r.AsanaUser, cursor: r.Cursor}
	for {
		found, err := l.next(ctx)
		if err != nil {
			return nil, "", err
		}
		for i, conn := range found {
			d, err := c.describeAny(ctx, conn)
			if err != nil {
				return nil, "", err
			}
			page = append(page, d)
			if len(page) == r.Limit {
				if i == len(found)-1 && l.done {
					return page, "", nil
				}
				return page, l.after(conn), nil
			}
		}
		if l.done {
			return page, "", nil
		}
	}
}

// describeAny is Describe, and of a connection that has lost a row what is left to
// know: it must not hide the others.
func (c *Connections) describeAny(ctx context.Context, conn *Connection) (Details, error) {
	if conn.whole() {
		return c.Describe(ctx, conn)
	}
	d := describe(conn.hot, &store.Cold{})
	d.Owner = conn.owner
	return d, nil
}

// listing goes through the connections of an owner, or of an Asana user, a page of
// the store at a time.
type listing struct {
	c      *Connections
	owner  string // that is listed, or
	user   string // an Asana user's gid
	ring   *seal.Ring
	cursor string
	done   bool
	cold   *store.Cold // at the end of a page, whose hot row begins the next one
}

// partition is where the rows are.
func (l *listing) partition() string {
	if l.user != "" {
		return store.UserPartition(store.HashText(l.user))
	}
	return store.OwnerPartition(store.HashText(l.owner))
}

// after is the cursor that goes on after a connection.
func (l *listing) after(conn *Connection) string {
	if l.user != "" {
		return store.After(store.Key{PK: l.partition(), SK: conn.ID()})
	}
	return store.After(conn.hot.Key())
}

// next returns the connections of the next page, of which there may be none. It is not
// called when the listing is done.
func (l *listing) next(ctx context.Context) ([]*Connection, error) {
	if l.ring == nil {
		ring, err := l.c.Keys.Ring(ctx)
		if err != nil {
			return nil, err
		}
		l.ring = ring
	}
	rows, next, err := l.c.Store.List(ctx, l.partition(), l.cursor)
	switch {
	case errors.Is(err, store.ErrCursor):
		return nil, &Error{Kind: InvalidRequest, Detail: "cursor is none of this list."}
	case err != nil:
		return nil, fromParts(fmt.Errorf("listing connections: %w", err))
	}
	l.cursor, l.done = next, next == ""
	if l.user != "" {
		return l.pointed(ctx, rows)
	}
	return l.paired(ctx, rows)
}

// paired puts the hot and cold rows of an owner's partition together: a cold row
// comes before its hot one.
func (l *listing) paired(ctx context.Context, rows []store.Row) ([]*Connection, error) {
	owner := store.HashText(l.owner)
	var found []*Connection
	for _, row := range rows {
		if cold, ok := row.(*store.Cold); ok {
			l.cold = cold
			continue
		}
		hot, ok := row.(*store.Hot)
		if !ok || hot.Owner != owner || !genuine(hot) {
			continue // owners whose hashes begin alike share a partition
		}
		conn := &Connection{hot: hot, ring: l.ring, owner: l.owner}
		if l.cold != nil && l.cold.Connection == hot.Connection {
			conn.cold = l.cold
		}
		found = append(found, conn)
	}
	return l.wholeOnes(ctx, found)
}

// pointed reads the connections that an Asana user's pointers name.
func (l *listing) pointed(ctx context.Context, rows []store.Row) ([]*Connection, error) {
	var ids []string
	var keys []store.Key
	for _, row := range rows {
		p, ok := row.(*store.UserPointer)
		if ok && store.ValidConnectionID(p.Connection) {
			ids = append(ids, p.Connection)
			keys = append(keys, store.HotKey(p.Connection), store.ColdKey(p.Connection))
		}
	}
	there, err := l.c.Store.Read(ctx, keys...)
	if err != nil {
		return nil, fromParts(fmt.Errorf("reading connections: %w", err))
	}
	var found []*Connection
	for _, id := range ids {
		hot, _ := there[store.HotKey(id)].(*store.Hot)
		cold, _ := there[store.ColdKey(id)].(*store.Cold)
		if hot != nil && hot.AsanaGID == l.user && genuine(hot) {
			found = append(found, &Connection{hot: hot, cold: cold, ring: l.ring})
		}
	}
	return l.wholeOnes(ctx, found)
}

// wholeOnes reads those again whose rows were read at different moments, and leaves
// out what has gone meanwhile.
func (l *listing) wholeOnes(ctx context.Context, found []*Connection) ([]*Connection, error) {
	whole := found[:0]
	for _, conn := range found {
		if !conn.whole() {
			again, err := l.c.Open(ctx, Ref{ID: conn.ID()}, "")
			if KindOf(err) == NotFound {
				continue
			}
			if err != nil {
				return nil, err
			}
			again.owner = conn.owner
			conn = again // whole, or with a row that is lost
		}
		whole = append(whole, conn)
	}
	return whole, nil
}

// Ended counts the connections that [Connections.EndAll] met: those that are ended
// now, those that Asana could not yet be asked to revoke, and those that there was no
// time for. Call again until the last two are zero.
type Ended struct{ Disconnected, Revoking, Left int }

// EndAll ends all connections of an owner, or of an Asana user: off-boarding. It
// takes 25 seconds at most, and says how far it has come; Cursor and Limit are
// without meaning. Errors: InvalidRequest, TryAgain, Misconfigured, Internal, where
// nothing could be done at all.
func (c *Connections) EndAll(ctx context.Context, r ListRequest, caller string) (Ended, error) {
	r.Cursor, r.Limit = "", 0
	if err := r.check(); err != nil {
		return Ended{}, err
	}
	ctx, cancel := c.bound(ctx, callerTime)
	defer cancel()
	var ended Ended
	var failure error
	l := listing{c: c, owner: r.Owner, user: r.AsanaUser}
	for !l.done {
		page, err := l.next(ctx)
		if err != nil {
			ended.Left++ // those that were not seen
			failure = cmp.Or(failure, err)
			break
		}
		for _, conn := range page {
			if conn.hot.Status == store.Disconnected {
				continue
			}
			conn.caller = caller
			failure = cmp.Or(failure, c.endOne(ctx, conn, &ended))
		}
	}
	if ended.Disconnected+ended.Revoking == 0 && failure != nil {
		return ended, failure
	}
	return ended, nil
}

func (c *Connections) endOne(ctx context.Context, conn *Connection, ended *Ended) error {
	if c.left(ctx) < requestTime+2*saveReserve {
		ended.Left++
		return nil
	}
	d, err := c.End(ctx, conn)
	switch {
	case err != nil:
		ended.Left++
		c.Log.WarnContext(ctx, "connection left to another time", "connection", conn.ID(), "err", err)
	case d.Status == store.Revoking:
		ended.Revoking++
	default:
		ended.Disconnected++
	}
	return err
}
