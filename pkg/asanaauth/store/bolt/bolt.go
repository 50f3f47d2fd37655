// Package bolt is a [store.Store] in one file, for the local command. Each row
// is kept as [store.EncodeJSON] makes it, in one bucket, under its partition
// key, a zero byte and its sort key.
//
// A Write that has returned is on the disk. The file's owner alone may read it.
package bolt

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Store keeps rows in a file. It implements [store.Store] and
// [store.Scanner], and is safe for concurrent use.
type Store struct {
	db *bbolt.DB
	// writing is held by the one writer: bbolt's own lock knows no context.
	writing chan struct{}
}

// Close waits for what is going on and gives the file back. Later calls fail
// with [store.ErrUnavailable]; closing again does nothing.
func (s *Store) Close() error { return s.db.Close() }

// Read implements [store.Store].
func (s *Store) Read(ctx context.Context, keys ...store.Key) (store.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var rows store.Rows
	err := s.db.View(func(tx *bbolt.Tx) (err error) {
		rows, err = there(tx.Bucket(bucket), keys)
		return err
	})
	return rows, failure(err)
}

// Write implements [store.Store].
func (s *Store) Write(ctx context.Context, changes ...store.Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var outcome error
	err := s.db.Update(func(tx *bbolt.Tx) (err error) {
		outcome, err = write(tx.Bucket(bucket), changes)
		return err
	})
	if errors.Is(err, errKept) {
		return outcome
	}
	return failure(err)
}

// errKept ends a transaction in which there was nothing to do.
var errKept = errors.New("store/bolt: nothing changes")

// write applies the changes, or ends in errKept with the outcome.
func write(rows *bbolt.Bucket, changes []store.Change) (outcome, err error) {
	present, err := there(rows, store.Keys(changes))
	if err != nil {
		return nil, err
	}
	if apply, outcome := store.Judge(changes, present); !apply {
		return outcome, errKept
	}
	for _, c := range changes {
		if err := apply(rows, c); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func apply(rows *bbolt.Bucket, c store.Change) error {
	if c.Row == nil {
		return rows.Delete(name(c.Key))
	}
	data, err := store.EncodeJSON(c.Row)
	if err != nil {
		return err
	}
	return rows.Put(name(c.Key), data)
}

// there returns the rows of the keys.
func there(rows *bbolt.Bucket, keys []store.Key) (store.Rows, error) {
	out := store.Rows{}
	for _, key := range keys {
		data := rows.Get(name(key))
		if data == nil {
			continue
		}
		row, err := store.DecodeJSON(data)
		if err != nil {
			return nil, err
		}
		out[key] = row
	}
	return out, nil
}

// failure leaves the store's own errors as they are; any other is the file's:
// closed, full, or worse.
func failure(err error) error {
	if err == nil || errors.Is(err, store.ErrFormat) {
		return err
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}
