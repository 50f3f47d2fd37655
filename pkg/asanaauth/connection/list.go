package connection

import (
	"context"
	"errors"
	"fmt"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Query selects connections by their owner or by their Asana user. Set exactly one field.
type Query struct {
	Owner     string // selects the owner's connections, including those disconnected in the last 30 days
	AsanaUser string // a gid; selects the Asana user's connections that are not disconnected
}

func (q Query) check() error {
	switch {
	case (q.Owner == "") == (q.AsanaUser == ""):
		return row.InvalidRequest("Give either owner or asana_user.")
	case q.AsanaUser != "" && !asana.IsGID(q.AsanaUser):
		return row.InvalidRequest("asana_user must be a gid, a string of digits.")
	case q.Owner != "":
		return row.CheckOwner(q.Owner)
	}
	return nil
}

// Page selects one page of a list.
type Page struct {
	Cursor string // the cursor that List returned with the previous page; empty for the first page
	Limit  int    // 1 to 100; 0 means 50
}

const (
	defaultLimit = 50
	maxLimit     = 100
)

// List returns one page of connections, ordered by ID. next is the cursor of the next
// page, or empty on the last page. The read is strongly consistent.
//
// Errors: InvalidRequest if q or p is not valid, or the cursor belongs to a different
// query; TryAgain; Internal, also if someone has changed the owner, the Asana user or the
// kind in the row of a connection that may belong to the list.
func (c *Connections) List(ctx context.Context, q Query, p Page) (list []asanaauth.Details, next string, err error) {
	if err := q.check(); err != nil {
		return nil, "", err
	}
	if p.Limit < 0 || p.Limit > maxLimit {
		return nil, "", row.InvalidRequest("limit must be a whole number from 1 to 100.")
	}
	if p.Limit == 0 {
		p.Limit = defaultLimit
	}
	l := lister{rows: c.rows, query: q, cursor: p.Cursor}
	for !l.done {
		found, err := l.next(ctx)
		if err == nil && len(l.forged) > 0 {
			err = l.forged[0] // the list would not be complete without the connection
		}
		if err != nil {
			return nil, "", err
		}
		for i, conn := range found {
			d, err := c.describeAny(ctx, conn)
			if err != nil {
				return nil, "", err
			}
			list = append(list, d)
			if len(list) < p.Limit {
				continue
			}
			if i == len(found)-1 && l.done {
				return list, "", nil
			}
			return list, l.after(conn), nil
		}
	}
	return list, "", nil
}

// If the connection's rows are inconsistent, describeAny returns only the details that
// are in the hot row, so that the connection is not missing from the list.
func (c *Connections) describeAny(ctx context.Context, conn *Connection) (asanaauth.Details, error) {
	o := row.Unwrap(conn)
	if o.IsConsistent() {
		return c.rows.Describe(ctx, conn)
	}
	d := row.DetailsOf(o.Hot, &store.Cold{})
	d.Owner = o.Owner
	return d, nil
}

// lister reads the connections that a query selects, one page of rows at a time.
type lister struct {
	rows   *row.Rows
	query  Query
	ring   *seal.Ring
	cursor string
	done   bool
	cold   *store.Cold // the last cold row that was read; its hot row may be on the next page
	forged []error     // an error for each row that was read and that someone has changed
}

func (l *lister) partition() string {
	if l.query.AsanaUser != "" {
		return store.UserPartition(store.HashText(l.query.AsanaUser))
	}
	return store.OwnerPartition(store.HashText(l.query.Owner))
}

// after returns the cursor of a page that begins after conn.
func (l *lister) after(conn *Connection) string {
	if l.query.AsanaUser != "" {
		return store.After(store.Key{PK: l.partition(), SK: conn.ID()})
	}
	return store.After(row.Unwrap(conn).Hot.Key())
}

// next reads one page of rows and returns its connections. The result can be empty even
// if more pages follow. Do not call next if l.done is true.
func (l *lister) next(ctx context.Context) ([]*Connection, error) {
	if l.ring == nil {
		ring, err := l.rows.Ring(ctx)
		if err != nil {
			return nil, err
		}
		l.ring = ring
	}
	page, next, err := l.rows.List(ctx, l.partition(), l.cursor)
	switch {
	case errors.Is(err, store.ErrCursor):
		return nil, row.InvalidRequest("cursor is not from this list. Start again without cursor.")
	case err != nil:
		return nil, row.ErrorOf(fmt.Errorf("listing connections: %w", err))
	}
	l.cursor, l.done = next, next == ""
	if l.query.AsanaUser != "" {
		return l.ofUser(ctx, page)
	}
	return l.ofOwner(ctx, page)
}

// ofOwner relies on the order of an owner's partition: a cold row comes immediately
// before its hot row.
func (l *lister) ofOwner(ctx context.Context, page []store.Row) ([]*Connection, error) {
	owner := store.HashText(l.query.Owner)
	var found []*Connection
	for _, r := range page {
		if cold, ok := r.(*store.Cold); ok {
			l.cold = cold
			continue
		}
		hot, ok := r.(*store.Hot)
		if !ok || !l.isAuthentic(ctx, hot) || hot.Owner != owner {
			continue // owners whose hashes have the same prefix share a partition
		}
		o := row.Opened{Hot: hot, Ring: l.ring, Owner: l.query.Owner}
		if l.cold != nil && l.cold.Connection == hot.Connection {
			o.Cold = l.cold
		}
		found = append(found, row.Wrap(o))
	}
	return l.consistent(ctx, found)
}

// ofUser reads the connections whose IDs are in the pointer rows of page.
func (l *lister) ofUser(ctx context.Context, page []store.Row) ([]*Connection, error) {
	var ids []string
	var keys []store.Key
	for _, r := range page {
		p, ok := r.(*store.UserPointer)
		if ok && store.ValidConnectionID(p.Connection) {
			ids = append(ids, p.Connection)
			keys = append(keys, store.HotKey(p.Connection), store.ColdKey(p.Connection))
		}
	}
	rows, err := l.rows.Read(ctx, "connections", keys...)
	if err != nil {
		return nil, err
	}
	var found []*Connection
	for _, id := range ids {
		hot := row.Get[*store.Hot](rows, store.HotKey(id))
		if hot != nil && l.isAuthentic(ctx, hot) && hot.AsanaGID == l.query.AsanaUser {
			found = append(found, row.Wrap(row.Opened{Hot: hot, Cold: row.Get[*store.Cold](rows, store.ColdKey(id)), Ring: l.ring}))
		}
	}
	return l.consistent(ctx, found)
}

// isAuthentic reports whether a row is authentic, and otherwise adds an error to l.forged.
// A row that someone has changed may belong to the list, because its real owner and Asana
// user are not known.
func (l *lister) isAuthentic(ctx context.Context, hot *store.Hot) bool {
	err := row.CheckAuthentic(ctx, l.rows.Table, hot)
	if err != nil {
		l.forged = append(l.forged, err)
	}
	return err == nil
}

// consistent reads a connection again if its rows are inconsistent. A connection that no
// longer exists is left out of the result.
func (l *lister) consistent(ctx context.Context, found []*Connection) ([]*Connection, error) {
	kept := found[:0]
	for _, conn := range found {
		o := row.Unwrap(conn)
		if !o.IsConsistent() {
			again, err := l.rows.Open(ctx, conn.ID(), "", "")
			if asanaauth.KindOf(err) == asanaauth.NotFound {
				continue
			}
			if err != nil {
				return nil, err
			}
			row.Unwrap(again).Owner = o.Owner
			conn = again // still inconsistent if the cold row is lost
		}
		row.Unwrap(conn).Caller = asanaauth.CallerOf(ctx)
		kept = append(kept, conn)
	}
	return kept, nil
}
