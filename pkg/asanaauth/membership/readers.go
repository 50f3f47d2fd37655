package membership

import (
	"context"
	"fmt"
	"log/slog"
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

// maxReaderOf limits how many workspaces a service account can be the reader of. A
// transaction that adds 40 workspaces contains at most 81 changes: 40 pointer rows, the
// cold rows of 40 former readers, and the service account's own cold row.
const maxReaderOf = 40

// maxChanges is how many changes DynamoDB accepts in one transaction
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
const maxChanges = 100

// SetReaderOf sets the workspaces (gids) that a service account is the reader of. The
// list replaces the service account's previous list, and may be empty. A workspace has at
// most one reader, so SetReaderOf replaces a workspace's former reader. If the former
// reader belongs to a different owner, replace must be true. The service account's own
// token must be able to read each new workspace.
//
// If all changes fit into one transaction, they are atomic. If not, SetReaderOf makes two
// transactions: the first removes workspaces, and the second adds workspaces. If
// SetReaderOf returns an error, repeat the same call to complete the changes.
//
// Errors: InvalidRequest if workspaces has more than 40 entries, a repeated entry, or an
// entry that is not a gid; NotAllowedForKind if the credential is not a service account's
// token; NotFound if the token cannot read a new workspace; AlreadyConnected if replace is
// false and the reader of a new workspace belongs to a different owner, and then nothing
// changes; ReconnectRequired, TryAgain, AsanaUnavailable, Misconfigured, Internal.
func (m *Memberships) SetReaderOf(ctx context.Context, conn *connection.Connection, workspaces []string, replace bool) (asanaauth.Details, error) {
	if err := checkReaderOf(workspaces); err != nil {
		return asanaauth.Details{}, err
	}
	ctx, cancel := m.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	a := &assignment{Memberships: m, conn: conn, workspaces: workspaces, replace: replace}
	for !a.done {
		if err := a.write(ctx); err != nil {
			return asanaauth.Details{}, err
		}
	}
	return m.rows.Describe(ctx, a.conn)
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

type assignment struct {
	*Memberships
	conn       *connection.Connection
	workspaces []string
	replace    bool     // whether to replace readers of other owners
	reached    []string // workspaces that the service account's token can read
	done       bool     // whether all workspaces are written
	changes    []readerChange
}

// readerChange is an audit line that write logs after its transaction.
type readerChange struct {
	event      string
	hot        *store.Hot
	workspaces []string
}

// audit logs a line for each connection that became, or stopped being, a reader.
func (a *assignment) audit(ctx context.Context) {
	for _, c := range a.changes {
		if len(c.workspaces) > 0 && c.hot != nil {
			a.rows.Audit(ctx, c.event, row.Unwrap(a.conn).Caller, c.hot, slog.Any("workspaces", c.workspaces))
		}
	}
}

// write writes the service account's cold row, the pointer rows of the workspaces, and
// the cold rows of former readers. If the changes do not fit into one transaction, write
// only removes workspaces, and a.done stays false. The next call of write then adds the
// new workspaces.
func (a *assignment) write(ctx context.Context) error {
	o := row.Unwrap(a.conn)
	if err := a.check(o); err != nil {
		return err
	}
	hotKey, coldKey := store.HotKey(a.conn.ID()), store.ColdKey(a.conn.ID())
	err := a.rows.Update(ctx, row.Update{
		What: "who the reader is", Keys: []store.Key{hotKey, coldKey}, Known: store.Rows{hotKey: o.Hot, coldKey: o.Cold},
		Edit: func(ctx context.Context, tx *row.Tx) error {
			there := *o
			var err error
			if there.Hot, there.Cold, err = tx.ReadConnection(ctx, a.conn.ID()); err != nil {
				return err
			}
			if there.Hot == nil {
				return row.ErrNotFound
			}
			if err := row.CheckAuthentic(ctx, a.rows.Table, there.Hot); err != nil {
				return err
			}
			a.conn = row.Wrap(there)
			return a.edit(ctx, tx, &there)
		},
	})
	if err == nil {
		a.audit(ctx)
	}
	return err
}

func (a *assignment) check(o *row.Opened) error {
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

func (a *assignment) edit(ctx context.Context, tx *row.Tx, o *row.Opened) error {
	if err := a.check(o); err != nil {
		return err
	}
	before := strings.Fields(o.Cold.ReaderOf)
	if err := a.checkReach(ctx, difference(difference(a.workspaces, before), a.reached)); err != nil {
		return err
	}
	former, err := a.formerReaders(ctx, tx, before)
	if err != nil {
		return err
	}
	if !a.replace && a.takesFromOthers(tx, former) {
		return errOtherReader
	}
	changes := 1 + len(former.ids) + len(difference(before, a.workspaces)) + len(former.workspaces)
	now := a.workspaces
	if stay := intersection(a.workspaces, before); changes > maxChanges && len(stay) < len(a.workspaces) {
		now = stay
	}
	cold := *o.Cold
	cold.ReaderOf, cold.Updated = strings.Join(now, " "), a.rows.Now()
	tx.Put(&cold)
	o.Cold = &cold
	a.conn, a.done = row.Wrap(*o), len(now) == len(a.workspaces)
	row.DismissReader(tx, a.conn.ID(), difference(before, now))
	a.changes = []readerChange{{row.AuditReaderRemoved, o.Hot, difference(before, now)}}
	if !a.done {
		return nil
	}
	a.changes = append(a.changes, readerChange{row.AuditReaderNamed, o.Hot, former.workspaces})
	for _, gid := range former.workspaces {
		tx.Put(&store.Reader{Workspace: store.HashText(gid), Connection: a.conn.ID()})
	}
	for _, id := range former.ids {
		if there := row.Get[*store.Cold](tx.Rows(), store.ColdKey(id)); there != nil {
			lost := intersection(strings.Fields(there.ReaderOf), former.workspaces)
			a.changes = append(a.changes, readerChange{row.AuditReaderRemoved, row.Get[*store.Hot](tx.Rows(), store.HotKey(id)), lost})
			cold := *there
			cold.ReaderOf = strings.Join(difference(strings.Fields(there.ReaderOf), lost), " ")
			tx.Put(&cold)
		}
	}
	return nil
}

type former struct {
	workspaces []string // workspaces whose pointer must change
	ids        []string // connections that are readers of these workspaces now
}

// formerReaders reads the pointer rows of all old and new workspaces, and the rows of the
// former readers.
func (a *assignment) formerReaders(ctx context.Context, tx *row.Tx, before []string) (former, error) {
	involved := append(slices.Clone(a.workspaces), difference(before, a.workspaces)...)
	if err := tx.Read(ctx, "who the readers are", row.ReaderKeys(involved)...); err != nil {
		return former{}, err
	}
	var f former
	var keys []store.Key
	for _, gid := range a.workspaces {
		p := row.Get[*store.Reader](tx.Rows(), row.ReaderKey(gid))
		if p != nil && p.Connection == a.conn.ID() {
			continue
		}
		f.workspaces = append(f.workspaces, gid)
		if p != nil && store.ValidConnectionID(p.Connection) && !slices.Contains(f.ids, p.Connection) {
			f.ids = append(f.ids, p.Connection)
			keys = append(keys, store.ColdKey(p.Connection), store.HotKey(p.Connection))
		}
	}
	return f, tx.Read(ctx, "who the readers were", keys...)
}

var errOtherReader error = &asanaauth.Error{
	Kind:   asanaauth.AlreadyConnected,
	Detail: "A workspace in reader_of has a reader that belongs to another owner. Set replace to true to replace that reader.",
}

// takesFromOthers reports whether a workspace has a reader that belongs to a different
// owner. A connection is a reader only if its cold row lists the workspace.
func (a *assignment) takesFromOthers(tx *row.Tx, f former) bool {
	for _, id := range f.ids {
		there := row.Get[*store.Cold](tx.Rows(), store.ColdKey(id))
		if there == nil || there.Key().PK == store.ColdKey(a.conn.ID()).PK { // an owner's connections share a partition
			continue
		}
		if len(intersection(strings.Fields(there.ReaderOf), f.workspaces)) > 0 {
			return true
		}
	}
	return false
}

// checkReach returns NotFound unless the service account's token can read all of the given
// workspaces. If workspaces is empty, checkReach sends no request to Asana.
func (a *assignment) checkReach(ctx context.Context, workspaces []string) error {
	if len(workspaces) == 0 {
		return nil
	}
	reached, err := accesstoken.Use(ctx, a.source, a.conn, a.asana.Workspaces)
	if err != nil {
		if requests.IsRefusal(err) {
			return cannotList(err, NotAllowed)
		}
		return requests.ErrorOf(fmt.Errorf("listing workspaces: %w", err))
	}
	for _, gid := range workspaces {
		if !slices.ContainsFunc(reached, func(w asana.Workspace) bool { return w.GID == gid }) {
			return &asanaauth.Error{Kind: asanaauth.NotFound, Detail: "The service account has no access to a workspace in reader_of. Remove that workspace."}
		}
	}
	a.reached = append(a.reached, workspaces...)
	return nil
}

func difference(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

func intersection(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !slices.Contains(other, s) })
}
