// Package bolt stores rows in one file, which is a bbolt database. The command "asanaauth
// local" uses this package. [Open] opens the file and returns a [Store]. Only one process
// can open the file at a time. Only the operating system user who owns the file can read
// it. When Write returns, the rows are on disk.
//
// All rows are in the same bucket. The bbolt key of a row is its partition key, a zero
// byte and its sort key. The value is the result of [store.EncodeJSON].
package bolt

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Store stores rows in one file. A Store implements [store.Store] and [store.Scanner],
// and is safe for concurrent use.
type Store struct {
	db *bbolt.DB
	// writing is a semaphore that only one writer can hold. A writer stops waiting for
	// the semaphore when its context ends. With bbolt's own lock, a writer could not stop
	// waiting.
	writing chan struct{}
}

// Close waits until running calls have returned, and closes the file. Later calls return
// [store.ErrUnavailable]. A second Close does nothing.
func (s *Store) Close() error { return s.db.Close() }

// Read implements [store.Store].
func (s *Store) Read(ctx context.Context, keys ...store.Key) (store.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var rows store.Rows
	err := s.db.View(func(tx *bbolt.Tx) (err error) {
		rows, err = storedRows(tx.Bucket(bucket), keys)
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
	if errors.Is(err, errRollback) {
		return outcome
	}
	return failure(err)
}

// errRollback makes bbolt roll back a transaction.
var errRollback = errors.New("store/bolt: no changes")

// write applies the changes. If the changes must not be applied, err is errRollback, and
// outcome is the result that Write returns.
func write(rows *bbolt.Bucket, changes []store.Change) (outcome, err error) {
	present, err := storedRows(rows, store.Keys(changes))
	if err != nil {
		return nil, err
	}
	if apply, outcome := store.Judge(changes, present); !apply {
		return outcome, errRollback
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

func storedRows(rows *bbolt.Bucket, keys []store.Key) (store.Rows, error) {
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

// failure returns err unchanged if it is nil or an ErrFormat. Any other err comes from
// the file, for example because the file is closed or the disk is full. In that case,
// failure returns an error that wraps ErrUnavailable.
func failure(err error) error {
	if err == nil || errors.Is(err, store.ErrFormat) {
		return err
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}
