package membership

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/accesstoken"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// maxReaderOf limits the workspaces of which one service account can be the reader. So the
// changes for new workspaces and their former readers fit into one transaction.
const maxReaderOf = 40

// maxChanges is how many changes DynamoDB accepts in one transaction
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
const maxChanges = 100

// SetReaderOf sets the workspaces (gids) of which a service account is the reader. The list
// replaces the former one, and may be empty. A workspace has one reader: SetReaderOf
// replaces the former reader. The service account's own token must be able to read new
// workspaces.
//
// The changes are atomic if they fit into one transaction. If not, the removed workspaces
// are written first. After an error, the same call completes the changes.
//
// Errors: InvalidRequest if workspaces has more than 40 entries, a repeated entry, or one
// that is not a gid; NotAllowedForKind unless the connection is a service account's;
// NotFound if the token cannot read a new workspace; ReconnectRequired, TryAgain,
// AsanaUnavailable, Misconfigured, Internal.
func (m *Memberships) SetReaderOf(ctx context.Context, conn *connection.Connection, workspaces []string) (asanaauth.Details, error) {
	if err := checkReaderOf(workspaces); err != nil {
		return asanaauth.Details{}, err
	}
	ctx, cancel := m.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	n := &naming{Memberships: m, conn: conn, workspaces: workspaces}
	for !n.done {
		if err := n.write(ctx); err != nil {
			return asanaauth.Details{}, err
		}
	}
	return m.rows.Describe(ctx, n.conn)
}

func checkReaderOf(workspaces []string) error {
	if len(workspaces) > maxReaderOf {
		return row.InvalidRequest("reader_of must have at most 40 workspaces.")
	}
	for i, gid := range workspaces {
		if !asana.IsGID(gid) || slices.Contains(workspaces[:i], gid) {
			return row.InvalidRequest("reader_of must be a list of workspace gids, strings of digits, without duplicates.")
		}
	}
	return nil
}

// naming is one call of SetReaderOf.
type naming struct {
	*Memberships
	conn       *connection.Connection
	workspaces []string
	reached    []string // workspaces that the own token can read
	done       bool     // all workspaces are written
}

// write writes the cold row, the pointers, and the cold rows of former readers. If that
// does not fit into one transaction, it only removes workspaces, and must be called
// again.
func (n *naming) write(ctx context.Context) error {
	o := row.Unwrap(n.conn)
	if err := n.check(o); err != nil {
		return err
	}
	hotKey, coldKey := store.HotKey(n.conn.ID()), store.ColdKey(n.conn.ID())
	return n.rows.Update(ctx, row.Update{
		What: "who the reader is", Keys: []store.Key{hotKey, coldKey}, Known: store.Rows{hotKey: o.Hot, coldKey: o.Cold},
		Edit: func(ctx context.Context, tx *row.Tx) error {
			there := *o
			there.Hot, there.Cold = row.Get[*store.Hot](tx.Rows(), hotKey), row.Get[*store.Cold](tx.Rows(), coldKey)
			if there.Hot == nil || !row.IsAuthentic(there.Hot) {
				return row.ErrNotFound
			}
			n.conn = row.Wrap(there)
			return n.edit(ctx, tx, &there)
		},
	})
}

func (n *naming) check(o *row.Opened) error {
	switch {
	case !o.Traits.CanRead:
		return &asanaauth.Error{Kind: asanaauth.NotAllowedForKind, Detail: "Only a service account can be the reader of a workspace."}
	case o.Hot.Status == row.Disconnected, o.Hot.Status == row.Revoking:
		return row.ReconnectRequired(o.Hot.Status)
	case !o.IsConsistent():
		return row.ErrInconsistentRead
	}
	return nil
}

func (n *naming) edit(ctx context.Context, tx *row.Tx, o *row.Opened) error {
	if err := n.check(o); err != nil {
		return err
	}
	before := strings.Fields(o.Cold.ReaderOf)
	if err := n.checkReach(ctx, without(without(n.workspaces, before), n.reached)); err != nil {
		return err
	}
	former, err := n.formerReaders(ctx, tx, before)
	if err != nil {
		return err
	}
	changes := 1 + len(former.ids) + len(without(before, n.workspaces)) + len(former.workspaces)
	now := n.workspaces
	if stay := intersection(n.workspaces, before); changes > maxChanges && len(stay) < len(n.workspaces) {
		now = stay
	}
	cold := *o.Cold
	cold.ReaderOf, cold.Updated = strings.Join(now, " "), n.rows.Now()
	tx.Put(&cold)
	o.Cold = &cold
	n.conn, n.done = row.Wrap(*o), len(now) == len(n.workspaces)
	row.DismissReader(tx, n.conn.ID(), without(before, now))
	if !n.done {
		return nil
	}
	for _, gid := range former.workspaces {
		tx.Put(&store.Reader{Workspace: store.HashText(gid), Connection: n.conn.ID()})
	}
	for _, id := range former.ids {
		if there := row.Get[*store.Cold](tx.Rows(), store.ColdKey(id)); there != nil {
			cold := *there
			cold.ReaderOf = strings.Join(without(strings.Fields(there.ReaderOf), former.workspaces), " ")
			tx.Put(&cold)
		}
	}
	return nil
}

// former describes the former readers of the new workspaces.
type former struct {
	workspaces []string // those whose pointer must change
	ids        []string // the connections that were their readers
}

// formerReaders reads the pointers of all old and new workspaces, and the cold rows of the
// former readers.
func (n *naming) formerReaders(ctx context.Context, tx *row.Tx, before []string) (former, error) {
	involved := append(slices.Clone(n.workspaces), without(before, n.workspaces)...)
	if err := tx.Read(ctx, "who the readers are", row.ReaderKeys(involved)...); err != nil {
		return former{}, err
	}
	var f former
	var keys []store.Key
	for _, gid := range n.workspaces {
		p := row.Get[*store.Reader](tx.Rows(), row.ReaderKey(gid))
		if p != nil && p.Connection == n.conn.ID() {
			continue
		}
		f.workspaces = append(f.workspaces, gid)
		if p != nil && store.ValidConnectionID(p.Connection) && !slices.Contains(f.ids, p.Connection) {
			f.ids = append(f.ids, p.Connection)
			keys = append(keys, store.ColdKey(p.Connection))
		}
	}
	return f, tx.Read(ctx, "who the readers were", keys...)
}

// checkReach returns NotFound unless the connection's own token can read all workspaces. If
// workspaces is empty, it does not ask Asana.
func (n *naming) checkReach(ctx context.Context, workspaces []string) error {
	if len(workspaces) == 0 {
		return nil
	}
	reached, err := accesstoken.Use(ctx, n.source, n.conn, n.asana.Workspaces)
	if err != nil {
		return withoutScope(requests.RateLimited(requests.ErrorOf(fmt.Errorf("listing workspaces: %w", err))))
	}
	for _, gid := range workspaces {
		if !slices.ContainsFunc(reached, func(w asana.Workspace) bool { return w.GID == gid }) {
			return &asanaauth.Error{Kind: asanaauth.NotFound, Detail: "The service account has no access to a workspace in reader_of. Remove that workspace."}
		}
	}
	n.reached = append(n.reached, workspaces...)
	return nil
}

// without returns the entries of list that are not in other.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// intersection returns the entries of list that are also in other.
func intersection(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !slices.Contains(other, s) })
}
