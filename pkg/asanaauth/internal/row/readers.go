package row

import (
	"context"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// The reader of a workspace is the connection of a service account. Two rows record the
// reader: the connection's cold row lists the gids of its workspaces, and the workspace's
// pointer row contains the connection's ID. A reader is used only if both rows agree.

// ReaderKey returns the key of the pointer row of a workspace, which contains the ID of
// the workspace's reader. workspace is a gid.
func ReaderKey(workspace string) store.Key { return store.ReaderKey(store.HashText(workspace)) }

// ReaderKeys returns the ReaderKey of each workspace.
func ReaderKeys(workspaces []string) []store.Key {
	keys := make([]store.Key, len(workspaces))
	for i, gid := range workspaces {
		keys[i] = ReaderKey(gid)
	}
	return keys
}

// DismissReader deletes the pointer row of each of the workspaces, unless the workspace
// has a different connection as its reader. The caller must already have read the pointer
// rows with tx.
func DismissReader(tx *Tx, connection string, workspaces []string) {
	for _, key := range ReaderKeys(workspaces) {
		if p := Get[*store.Reader](tx.rows, key); p != nil && p.Connection == connection {
			tx.Delete(key)
		}
	}
}

// Erase replaces a connection's hot row with a tombstone, and deletes the cold row and
// the row at [UserPointerKey]. If the connection was imported, or is the reader of
// workspaces, Erase also reads and deletes the pointer rows of the credential and of those
// workspaces. The caller must already have read the hot row, the cold row and the row at
// UserPointerKey with tx.
func Erase(ctx context.Context, tx *Tx, hot *store.Hot) error {
	coldKey := store.ColdKey(hot.Connection)
	tx.Put(tombstone(hot, tx.table.Now()))
	tx.Delete(coldKey)
	tx.Delete(UserPointerKey(hot))
	cold := Get[*store.Cold](tx.rows, coldKey)
	if err := ForgetImport(ctx, tx, cold); err != nil {
		return err
	}
	if cold != nil && cold.ReaderOf != "" {
		workspaces := strings.Fields(cold.ReaderOf)
		if err := tx.Read(ctx, "who the readers are", ReaderKeys(workspaces)...); err != nil {
			return err
		}
		DismissReader(tx, hot.Connection, workspaces)
	}
	return nil
}

// ForgetImport reads and deletes the row that points from the connection's imported
// credential to the connection. ForgetImport does nothing if cold is nil, if the
// connection was not imported, or if the row points to a different connection.
func ForgetImport(ctx context.Context, tx *Tx, cold *store.Cold) error {
	if cold == nil || cold.Imported.IsZero() {
		return nil
	}
	key := store.ImportKey(cold.Imported)
	if err := tx.Read(ctx, "the import", key); err != nil {
		return err
	}
	if p := Get[*store.ImportPointer](tx.rows, key); p != nil && p.Connection == cold.Connection {
		tx.Delete(key)
	}
	return nil
}

// UserPointerKey returns the key of the [store.UserPointer] row, which lists hot's
// connection as a connection of its Asana user.
func UserPointerKey(hot *store.Hot) store.Key {
	return (&store.UserPointer{User: store.HashText(hot.AsanaGID), Connection: hot.Connection}).Key()
}
