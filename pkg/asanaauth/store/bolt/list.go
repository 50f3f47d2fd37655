package bolt

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

const pageRows = 100

// separator separates the partition key from the sort key in a bbolt key. Keys do not
// contain a zero byte, and a zero byte sorts before all other bytes. Therefore bbolt
// sorts rows first by partition key and then by sort key.
const separator = "\x00"

func name(key store.Key) []byte { return []byte(key.PK + separator + key.SK) }

// List implements [store.Store].
func (s *Store) List(ctx context.Context, pk, after string) ([]store.Row, string, error) {
	last, err := store.ParseListCursor(pk, after)
	if err != nil {
		return nil, "", err
	}
	return s.page(ctx, []byte(pk+separator), name(last))
}

// Scan implements [store.Scanner].
func (s *Store) Scan(ctx context.Context, after string) ([]store.Row, string, error) {
	last, err := store.ParseCursor(after)
	if err != nil {
		return nil, "", err
	}
	return s.page(ctx, nil, name(last))
}

// page returns the rows whose bbolt keys start with prefix and are greater than after.
func (s *Store) page(ctx context.Context, prefix, after []byte) (page []store.Row, next string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, data := c.Seek(after); k != nil && bytes.HasPrefix(k, prefix); k, data = c.Next() {
			if bytes.Equal(k, after) {
				continue
			}
			if len(page) == pageRows {
				next = store.After(page[pageRows-1].Key())
				return nil
			}
			row, err := store.DecodeJSON(data)
			if err != nil {
				return err
			}
			page = append(page, row)
		}
		return nil
	})
	if err != nil {
		return nil, "", failure(err)
	}
	return page, next, nil
}
