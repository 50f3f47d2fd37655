package row

import (
	"context"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// The reader of a workspace is the connection of a service account. Two rows record the
// reader: the connection's cold row lists the gids of its workspaces, and the workspace's
// pointer row contains the connection's id. A reader is used only if both rows agree.

// ReaderKey returns the key of the pointer row from a workspace to its reader. workspace
// is a gid.
func ReaderKey(workspace string) store.Key { return store.ReaderKey(store.HashText(workspace)) }

// ReaderKeys returns the ReaderKey of each workspace.
func ReaderKeys(workspaces []string) []store.Key {
	keys := make([]store.Key, len(workspaces))
	for i, gid := range workspaces {
		keys[i] = ReaderKey(gid)
	}
	return keys
}

// DismissReader deletes the pointer rows from these workspaces to this connection. A
// pointer row to a different connection stays. The caller must already have read the
// pointer rows with tx.
func DismissReader(tx *Tx, connection string, workspaces []string) {
	for _, key := range ReaderKeys(workspaces) {
		if p := Get[*store.Reader](tx.rows, key); p != nil && p.Connection == connection {
			tx.Delete(key)
		}
	}
}

// Erase replaces a connection's hot row with a tombstone. Erase deletes the cold row and
// the pointer row from the Asana user to the connection. If the connection is the reader
// of workspaces, Erase also deletes the workspaces' pointer rows. The caller must already
// have read the hot row, the cold row and the user's pointer row with tx.
func Erase(ctx context.Context, tx *Tx, hot *store.Hot) error {
	coldKey := store.ColdKey(hot.Connection)
	tx.Put(tombstone(hot, tx.table.Now()))
	tx.Delete(coldKey)
	tx.Delete(UserPointerKey(hot))
	if cold := Get[*store.Cold](tx.rows, coldKey); cold != nil && cold.ReaderOf != "" {
		workspaces := strings.Fields(cold.ReaderOf)
		if err := tx.Read(ctx, "who the readers are", ReaderKeys(workspaces)...); err != nil {
			return err
		}
		DismissReader(tx, hot.Connection, workspaces)
	}
	return nil
}

// UserPointerKey returns the key of the pointer row from hot's Asana user to hot's
// connection.
func UserPointerKey(hot *store.Hot) store.Key {
	return (&store.UserPointer{User: store.HashText(hot.AsanaGID), Connection: hot.Connection}).Key()
}
