package asanaauth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// A service account can be named the reader of workspaces: it is asked about people's
// memberships there where their own tokens cannot tell. Its cold row names the
// workspaces, and a pointer of each workspace names it; both have to agree.

// mostReaderOf is how many workspaces one service account is the reader of: with
// those that it takes over from others, they fit into one transaction.
const mostReaderOf = 40

// mostChanges is how many changes DynamoDB takes in one transaction
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
const mostChanges = 100

// SetReaderOf names the workspaces (by gid) that a service account is the reader of,
// in place of those before; none dismisses it. A workspace has one reader: one that
// had another is taken over. New ones have to be within reach of its own token.
//
// All of it happens or nothing, but where it does not fit into one transaction: then
// those that go are dismissed first. After an error the same call again completes it.
//
// Errors: InvalidRequest, NotAllowedForKind, NotFound for a workspace out of reach,
// and those of [Connections.TokenOf].
func (c *Connections) SetReaderOf(ctx context.Context, conn *Connection, workspaces []string) (Details, error) {
	if err := checkReaderOf(workspaces); err != nil {
		return Details{}, err
	}
	ctx, cancel := c.bound(ctx, callerTime)
	defer cancel()
	writer, err := c.drawName()
	if err != nil {
		return Details{}, err
	}
	var checked []string
	for {
		switch {
		case conn.hot.Kind != store.ServiceAccount:
			return Details{}, &Error{Kind: NotAllowedForKind}
		case conn.hot.Status == store.Disconnected, conn.hot.Status == store.Revoking:
			return Details{}, errReconnect(conn.hot)
		case !conn.whole():
			return Details{}, errTorn
		case conn.cold.Writer == writer && conn.cold.ReaderOf == strings.Join(workspaces, " "):
			return c.Describe(ctx, conn) // done, even where the answer was lost
		}
		unchecked := without(without(workspaces, strings.Fields(conn.cold.ReaderOf)), checked)
		if err := c.reaches(ctx, conn, unchecked); err != nil {
			return Details{}, err
		}
		checked = append(checked, unchecked...)
		err := c.writeReaderOf(ctx, conn, workspaces, writer)
		if err == nil {
			continue
		}
		if KindOf(err) != TryAgain || c.Clock.Sleep(ctx, c.between(pollMin, pollMax)) != nil {
			return Details{}, err
		}
		if conn, err = c.Open(ctx, Ref{ID: conn.ID()}, conn.caller); err != nil {
			return Details{}, err
		}
	}
}

func checkReaderOf(workspaces []string) error {
	if len(workspaces) > mostReaderOf {
		return &Error{Kind: InvalidRequest, Detail: "A service account is the reader of 40 workspaces at most."}
	}
	for i, gid := range workspaces {
		if !asana.IsGID(gid) || slices.Contains(workspaces[:i], gid) {
			return &Error{Kind: InvalidRequest, Detail: "reader_of is a list of gids, strings of digits, each once."}
		}
	}
	return nil
}

// without returns what of list is not in other.
func without(list, other []string) []string {
	var left []string
	for _, s := range list {
		if !slices.Contains(other, s) {
			left = append(left, s)
		}
	}
	return left
}

// reaches fails with NotFound unless the connection's own token reaches all of the
// workspaces. Where there are none, Asana is not asked.
func (c *Connections) reaches(ctx context.Context, conn *Connection, workspaces []string) error {
	if len(workspaces) == 0 {
		return nil
	}
	reached, err := withToken(ctx, c, conn, c.Asana.Workspaces)
	if err != nil {
		return withoutScope(overLimit(fromParts(fmt.Errorf("listing workspaces: %w", err))))
	}
	for _, gid := range workspaces {
		if !slices.ContainsFunc(reached, func(w asana.Workspace) bool { return w.GID == gid }) {
			return &Error{Kind: NotFound, Detail: "A workspace is out of this service account's reach."}
		}
	}
	return nil
}

// writeReaderOf writes the cold row and the pointers in one transaction, and the cold
// rows of those who were readers until now. Where that is too much for one, it writes
// what stays alone, and has to be called again.
func (c *Connections) writeReaderOf(ctx context.Context, conn *Connection, workspaces []string, writer string) error {
	before := strings.Fields(conn.cold.ReaderOf)
	pointers, err := c.readerPointers(ctx, append(slices.Clone(workspaces), without(before, workspaces)...))
	if err != nil {
		return err
	}
	cold := *conn.cold
	cold.ReaderOf, cold.Updated = strings.Join(workspaces, " "), c.now()
	changes := []store.Change{store.Put(&cold, conn.cold.Rev, writer)}
	taken := map[string][]string{} // from others, by their connections
	for _, gid := range workspaces {
		key := store.ReaderKey(store.HashText(gid))
		there, _ := pointers[key].(*store.Reader)
		if there != nil && there.Connection == conn.ID() {
			continue
		}
		if there != nil {
			taken[there.Connection] = append(taken[there.Connection], gid)
		}
		changes = append(changes, store.Put(&store.Reader{Workspace: store.HashText(gid), Connection: conn.ID()}, revOf(there), writer))
	}
	changes = append(changes, dismissals(conn.ID(), without(before, workspaces), pointers)...)
	others, err := c.takeOver(ctx, taken, writer)
	if err != nil {
		return err
	}
	changes = append(changes, others...)
	stay := without(workspaces, without(workspaces, before))
	if len(changes) > mostChanges && len(stay) < len(workspaces) {
		return c.writeReaderOf(ctx, conn, stay, writer)
	}
	if err := c.Store.Write(ctx, changes...); err != nil {
		return fromParts(fmt.Errorf("naming a reader: %w", err))
	}
	conn.cold = &cold
	return nil
}

func (c *Connections) readerPointers(ctx context.Context, workspaces []string) (store.Rows, error) {
	keys := make([]store.Key, len(workspaces))
	for i, gid := range workspaces {
		keys[i] = store.ReaderKey(store.HashText(gid))
	}
	rows, err := c.Store.Read(ctx, keys...)
	if err != nil {
		return nil, fromParts(fmt.Errorf("reading who the readers are: %w", err))
	}
	return rows, nil
}

// dismissals delete the pointers of workspaces, those that name the connection.
func dismissals(connection string, workspaces []string, pointers store.Rows) []store.Change {
	var changes []store.Change
	for _, gid := range workspaces {
		p, ok := pointers[store.ReaderKey(store.HashText(gid))].(*store.Reader)
		if ok && p.Connection == connection {
			changes = append(changes, store.Delete(p.Key(), p.Rev))
		}
	}
	return changes
}

// dismissed are the changes that leave no pointer to a connection that ends.
func (c *Connections) dismissed(ctx context.Context, row store.Row) ([]store.Change, error) {
	cold, ok := row.(*store.Cold)
	if !ok || cold.ReaderOf == "" {
		return nil, nil
	}
	workspaces := strings.Fields(cold.ReaderOf)
	pointers, err := c.readerPointers(ctx, workspaces)
	if err != nil {
		return nil, err
	}
	return dismissals(cold.Connection, workspaces, pointers), nil
}

// takeOver takes workspaces from the cold rows of those who were their readers.
func (c *Connections) takeOver(ctx context.Context, taken map[string][]string, writer string) ([]store.Change, error) {
	var keys []store.Key
	for id := range taken {
		keys = append(keys, store.ColdKey(id))
	}
	rows, err := c.Store.Read(ctx, keys...)
	if err != nil {
		return nil, fromParts(fmt.Errorf("reading who the readers were: %w", err))
	}
	var changes []store.Change
	for id, workspaces := range taken {
		if there, ok := rows[store.ColdKey(id)].(*store.Cold); ok {
			row := *there
			row.ReaderOf = strings.Join(without(strings.Fields(there.ReaderOf), workspaces), " ")
			changes = append(changes, store.Put(&row, there.Rev, writer))
		}
	}
	return changes, nil
}
