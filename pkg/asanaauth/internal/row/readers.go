package row

import (
	"context"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// The reader of a workspace is a service account. Two rows store who the reader is: the
// service account's cold row lists the gids of the workspaces, and each workspace has a
// pointer row that names the connection. A reader is used only if both rows agree.

// ReaderKey returns the key of the pointer from a workspace (a gid) to its reader.
func ReaderKey(workspace string) store.Key { return store.ReaderKey(store.HashText(workspace)) }

// ReaderKeys returns the ReaderKey of each workspace.
func ReaderKeys(workspaces []string) []store.Key {
	keys := make([]store.Key, len(workspaces))
	for i, gid := range workspaces {
		keys[i] = ReaderKey(gid)
	}
	return keys
}

// DismissReader deletes the workspaces' pointers that name the connection. The caller must
// already have read the pointers with tx.
func DismissReader(tx *Tx, connection string, workspaces []string) {
	for _, key := range ReaderKeys(workspaces) {
		if p := Get[*store.Reader](tx.rows, key); p != nil && p.Connection == connection {
			tx.Delete(key)
		}
	}
}

// Erase replaces a connection's hot row with a tombstone. It deletes the cold row and the
// Asana user's pointer to the connection. If the connection is the reader of workspaces,
// it also deletes their pointers. The caller must already have read the hot row, the cold
// row and the user's pointer with tx.
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

// UserPointerKey returns the key of the pointer from an Asana user to the connection.
func UserPointerKey(hot *store.Hot) store.Key {
	return (&store.UserPointer{User: store.HashText(hot.AsanaGID), Connection: hot.Connection}).Key()
}
