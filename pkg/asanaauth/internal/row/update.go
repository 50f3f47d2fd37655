package row

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Update describes one change of one or more rows, for [Table.Update].
type Update struct {
	// What names the change in errors: "writing <What>".
	What string
	// Keys are the rows that are read before Edit is called.
	Keys []store.Key
	// Known has these rows if the caller has read them already. It saves the first read.
	Known store.Rows
	// Tries limits how often the change is tried; 0: until ctx ends.
	Tries int
	// Edit makes the changes with tx, which has the rows as they are now. It may be
	// called several times. If it returns an error, nothing is written.
	Edit func(ctx context.Context, tx *Tx) error
}

// Tx is one try of an [Update].
type Tx struct {
	table   *Table
	writer  string
	rows    store.Rows
	more    bool // Read added rows that are not in Update.Keys
	changes []store.Change
}

// Row returns a row as it was read, or nil.
func (tx *Tx) Row(key store.Key) store.Row { return tx.rows[key] }

// Rows returns all rows that were read.
func (tx *Tx) Rows() store.Rows { return tx.rows }

// Read reads more rows, which Put and Delete may then replace. Its errors are those of
// [Table.Read].
func (tx *Tx) Read(ctx context.Context, what string, keys ...store.Key) error {
	rows, err := tx.table.Read(ctx, what, keys...)
	maps.Copy(tx.rows, rows)
	tx.more = true
	return err
}

// Put writes a row. It replaces the row that was read under the same key. If none was
// read, the row must be new.
func (tx *Tx) Put(row store.Row) {
	tx.changes = append(tx.changes, store.Put(row, store.RevOf(tx.rows[row.Key()]), tx.writer))
}

// Delete removes a row that was read. It does nothing if the row was missing.
func (tx *Tx) Delete(key store.Key) {
	if there := tx.rows[key]; there != nil {
		tx.changes = append(tx.changes, store.Delete(key, store.RevOf(there)))
	}
}

// Update changes all rows or none. If another writer comes first, Update calls Edit again
// with the rows as they are now. If the write fails for another reason, Update repeats
// the same write until ctx ends.
//
// The response to a write may be lost although the write happened. Update recognises such
// a write, because all its tries have the same random writer name. The store returns
// success if a repeated write finds its own row (see [store.Refused]). Update returns
// success if a row that it reads again has its writer name.
//
// Update does nothing if Edit makes no change. Errors: those of Edit; TryAgain, Internal.
func (t *Table) Update(ctx context.Context, u Update) error {
	writer, err := t.RandomID()
	if err != nil {
		return err
	}
	tx := &Tx{table: t, writer: writer, rows: maps.Clone(u.Known)}
	for try := 1; ; try++ {
		done, err := t.try(ctx, u, tx)
		if done || try == u.Tries {
			return err
		}
		if len(tx.changes) == 0 && tx.rows != nil {
			continue // the conflict returned the row as it is now, so edit it at once
		}
		if t.Pause(ctx) != nil {
			return err
		}
	}
}

// try edits and writes once. If done is true, Update returns err. If not, err is why the
// try failed; tx has the changes to write again, or no changes if Edit must run again.
func (t *Table) try(ctx context.Context, u Update, tx *Tx) (done bool, err error) {
	if tx.rows == nil {
		rows, err := t.Read(ctx, u.What, u.Keys...)
		if err != nil {
			return !errors.Is(err, store.ErrUnavailable), err
		}
		for _, row := range rows {
			if store.WrittenBy(row, tx.writer) {
				return true, nil // the response to our own write was lost
			}
		}
		tx.rows = rows
	}
	if len(tx.changes) == 0 {
		err := u.Edit(ctx, tx)
		if errors.Is(err, store.ErrUnavailable) { // from tx.Read
			tx.changes, tx.rows, tx.more = nil, nil, false
			return false, err
		}
		if err != nil || len(tx.changes) == 0 {
			return true, err
		}
	}
	err = t.store.Write(ctx, tx.changes...)
	var conflict *store.Conflict
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &conflict):
		alone := len(u.Keys) == 1 && !tx.more
		tx.changes, tx.rows, tx.more = nil, nil, false
		if alone {
			tx.rows = store.Rows{}
			maps.Copy(tx.rows, conflict.Rows)
		}
	case errors.Is(err, store.ErrFormat):
		done = true // no later try can succeed
	}
	return done, ErrorOf(fmt.Errorf("writing %s: %w", u.What, err))
}

// ErrChanged reports that another writer has changed the row since it was read.
var ErrChanged = errors.New("the row has changed")

// UpdateHot replaces a connection's hot row. edit gets a copy of the row as it is now, and
// changes it. hot is the row as the caller has read it. UpdateHot returns the row as
// written. With an error it returns the row as last seen, or nil if the row is gone.
//
// Errors: those of edit; ErrChanged if the row is gone; TryAgain, Internal.
func (t *Table) UpdateHot(ctx context.Context, hot *store.Hot, edit func(row *store.Hot) error) (*store.Hot, error) {
	key, seen := hot.Key(), hot
	var written *store.Hot
	err := t.Update(ctx, Update{
		What: "the connection", Keys: []store.Key{key}, Known: store.Rows{key: hot},
		Edit: func(_ context.Context, tx *Tx) error {
			if seen = Get[*store.Hot](tx.rows, key); seen == nil {
				return ErrChanged
			}
			row := *seen
			written = &row
			if err := edit(written); err != nil {
				return err
			}
			tx.Put(written)
			return nil
		},
	})
	if err != nil {
		return seen, err
	}
	return written, nil
}

// Replace tries once to write row in place of old, or as a new row if old is nil. Use it
// only if a failure does no harm. It returns the store's errors unchanged: after
// [store.ErrUnavailable], the row may or may not have been written.
func (t *Table) Replace(ctx context.Context, old, row store.Row) error {
	writer, err := t.RandomID()
	if err != nil {
		return err
	}
	return t.store.Write(ctx, store.Put(row, store.RevOf(old), writer))
}

// Insert tries once to write a new row. Errors: TryAgain, Internal.
func (t *Table) Insert(ctx context.Context, what string, row store.Row) error {
	if err := t.Replace(ctx, nil, row); err != nil {
		return ErrorOf(fmt.Errorf("writing %s: %w", what, err))
	}
	return nil
}

// Consume replaces a row that may be used only once by a spent marker. If two callers
// consume the same row, one of them gets errSpent. Errors: errSpent; TryAgain, Internal.
func (t *Table) Consume(ctx context.Context, what string, row, marker store.Row, errSpent error) error {
	ctx, cancel := t.WithTimeout(ctx, SaveReserve)
	defer cancel()
	key := row.Key()
	return t.Update(ctx, Update{
		What: what, Keys: []store.Key{key}, Known: store.Rows{key: row},
		Edit: func(_ context.Context, tx *Tx) error {
			if store.RevOf(tx.Row(key)) != store.RevOf(row) {
				return errSpent
			}
			tx.Put(marker)
			return nil
		},
	})
}
