package row

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Update describes an atomic change to one or more rows, for [Table.Update].
type Update struct {
	// What describes the rows in the error texts "reading <What>" and "writing <What>".
	What string
	// Keys are the keys of the rows that Update reads before it calls Edit.
	Keys []store.Key
	// Known contains the rows with the keys in Keys, if the caller has already read them.
	// Update then does not read them before it first calls Edit.
	Known store.Rows
	// Edit makes the changes by calling methods of tx, which contains the current rows.
	// Edit may be called several times. If Edit returns an error, nothing is written.
	Edit func(ctx context.Context, tx *Tx) error
}

// Tx is one try of an [Update]. It contains the rows that were read and the changes that
// Edit makes.
type Tx struct {
	table   *Table
	writer  string
	rows    store.Rows
	more    bool // whether Read added rows that are not in Update.Keys
	changes []store.Change
}

// Row returns the row that was read under key, or nil if there was no such row.
func (tx *Tx) Row(key store.Key) store.Row { return tx.rows[key] }

// Rows returns all rows that were read.
func (tx *Tx) Rows() store.Rows { return tx.rows }

// Read reads more rows, so that Put and Delete can change them. Errors: the errors of
// [Table.Read].
func (tx *Tx) Read(ctx context.Context, what string, keys ...store.Key) error {
	rows, err := tx.table.Read(ctx, what, keys...)
	maps.Copy(tx.rows, rows)
	tx.more = true
	return err
}

// ReadConnection returns the hot row and the cold row of a connection, which must be in
// Update.Keys. A row that does not exist is nil. If the rows belong to different consents,
// because a different writer came between the reads of the two rows, ReadConnection reads
// both again, as [Rows.Open] does. Errors: the errors of [Table.Read].
func (tx *Tx) ReadConnection(ctx context.Context, id string) (*store.Hot, *store.Cold, error) {
	hotKey, coldKey := store.HotKey(id), store.ColdKey(id)
	for read := 1; ; read++ {
		o := Opened{Hot: Get[*store.Hot](tx.rows, hotKey), Cold: Get[*store.Cold](tx.rows, coldKey)}
		if o.Hot == nil || o.IsConsistent() || read == maxReads {
			return o.Hot, o.Cold, nil
		}
		delete(tx.rows, hotKey)
		delete(tx.rows, coldKey)
		if err := tx.Read(ctx, "the connection", hotKey, coldKey); err != nil {
			return nil, nil, err
		}
	}
}

// Put replaces the row that was read under the key of row. If no row was read under this
// key, the write succeeds only if the table has no row with this key.
func (tx *Tx) Put(row store.Row) {
	tx.changes = append(tx.changes, store.Put(row, store.RevOf(tx.rows[row.Key()]), tx.writer))
}

// Delete deletes the row that was read under key. If there was no such row, Delete does
// nothing.
func (tx *Tx) Delete(key store.Key) {
	if there := tx.rows[key]; there != nil {
		tx.changes = append(tx.changes, store.Delete(key, store.RevOf(there)))
	}
}

// Update calls Edit, and then writes the changes that Edit made: all of them or none. If
// a different writer comes first, Update calls Edit again with the current rows. If the
// write fails for any other reason, Update repeats the same write until ctx ends. If the
// change contains a value that cannot be obtained again, such as a rotated token, call
// Update with a context from [Table.Detach].
//
// A write can succeed although its response is lost. To recognize such a write, Update
// puts a random writer ID into each row that it writes. All tries of one call of Update
// use the same writer ID. If a repeated write finds a row with this writer ID, the store
// reports success (see [store.Refused]). If Update reads a row with this writer ID,
// Update returns nil.
//
// If Edit makes no change, Update writes nothing. Errors: the errors of Edit; TryAgain,
// Internal.
func (t *Table) Update(ctx context.Context, u Update) error {
	writer, err := t.RandomID()
	if err != nil {
		return err
	}
	tx := &Tx{table: t, writer: writer, rows: maps.Clone(u.Known)}
	for {
		done, err := t.try(ctx, u, tx)
		if done {
			return err
		}
		if len(tx.changes) == 0 && tx.rows != nil {
			continue // the conflict returned the current row, so edit that row without a pause
		}
		if t.Pause(ctx) != nil {
			return err
		}
	}
}

// try writes the changes in tx once. If tx contains no changes, try first calls Edit. If
// done is true, Update must return err. If done is false, Update may call try again. The
// next call then writes the changes that are still in tx, or calls Edit if there are
// none.
func (t *Table) try(ctx context.Context, u Update, tx *Tx) (done bool, err error) {
	if tx.rows == nil {
		rows, err := t.Read(ctx, u.What, u.Keys...)
		if err != nil {
			return !errors.Is(err, store.ErrUnavailable), err
		}
		for _, row := range rows {
			if store.WrittenBy(row, tx.writer) {
				return true, nil // our own write succeeded, but its response was lost
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

// ErrChanged means that a different writer has changed the row since the caller read it.
var ErrChanged = errors.New("the row has changed")

// UpdateHot changes a connection's hot row. hot is the row as the caller read it. edit
// changes a copy of the current row. UpdateHot returns the row that it wrote. If
// UpdateHot fails, it returns an error and the row that it read last, or nil if the row
// was deleted.
//
// Errors: the errors of edit; ErrChanged if the row was deleted; TryAgain, Internal.
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

// Replace tries once to replace old with row. If old is nil, the write succeeds only if
// the table has no row with the key of row. Replace does not repeat a failed write, so
// use it only if such a failure does no harm. Replace returns the store's errors
// unchanged. If the error is [store.ErrUnavailable], the row may have been written.
func (t *Table) Replace(ctx context.Context, old, row store.Row) error {
	writer, err := t.RandomID()
	if err != nil {
		return err
	}
	return t.store.Write(ctx, store.Put(row, store.RevOf(old), writer))
}

// Insert tries once to write a new row. The parameter "what" describes the row in the
// error text "writing <what>". Errors: TryAgain, also if the table has a row with the
// same key; Internal.
func (t *Table) Insert(ctx context.Context, what string, row store.Row) error {
	if err := t.Replace(ctx, nil, row); err != nil {
		return ErrorOf(fmt.Errorf("writing %s: %w", what, err))
	}
	return nil
}

// Consume replaces row, which may be used only once, with marker. If the row in the table
// has changed since the caller read row, Consume returns errSpent. Therefore, if two
// callers consume the same row, one of them gets errSpent. Errors: errSpent; TryAgain,
// Internal.
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
