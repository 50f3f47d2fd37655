// Package store defines the rows and what a store does with them. It has no rules
// about leases, expiry or protocols: those are in package asanaauth, once for every
// store.
//
// A row is always replaced as a whole, on the condition that it has not changed
// since it was read. [Memory] is the store in memory; store/bolt keeps one file and
// store/dynamo one DynamoDB table.
//
// # Writing a store
//
// A store can also be written outside this module. It implements [Store], and
// [Scanner] if maintenance and the command are to use it. It keeps rows as [Encode] or
// [EncodeJSON] makes them, and returns them by [Decode] or [DecodeJSON], whose
// [ErrFormat] it passes on.
//
// A Write must be atomic, with up to 100 changes. If the store can look at the rows while no other Write
// runs, it reads the rows of [Keys], asks [Judge], and applies all changes or none.
// If its database checks the conditions, it calls [Validate] first, and [Refused]
// with the rows that are there when the database refuses. List and Scan read their
// cursor with [ParseListCursor] and [ParseCursor], and make the next one with
// [After] of the page's last key. A failure of the database wraps [ErrUnavailable]
// if a retry may succeed.
//
// The tests of a store must run storetest.Run, which every store in this module
// passes. For an example of about 180 lines in a module of its own, see
// storetest/testdata/thirdstore.
package store

import (
	"context"
	"errors"
)

// Key names a row: DynamoDB's partition key and sort key.
type Key struct{ PK, SK string }

// String returns the form in which a sealed field names its row.
func (k Key) String() string { return k.PK + "/" + k.SK }

// Row is one row of the table: a pointer to [Attempt], [Link], [Session],
// [SessionCode], [Hot], [Cold], [UserPointer], [Reader] or [Keyring].
type Row interface {
	// Key returns the key that the row's own fields make.
	Key() Key
	// head returns the fields that every row has.
	head() *Head
	format() int64
	fields(*codec)
}

// Head has the fields that every row has.
type Head struct {
	// Rev counts the writes of the row, from 1. [Put] sets it.
	Rev int64
	// Writer is a random name drawn for one write. If the response of a write
	// is lost and the write is tried again, it is recognised by this name.
	Writer string
}

// head implements [Row].
func (h *Head) head() *Head { return h }

// Rows holds rows by their keys. A missing row is nil: in
//
//	hot, _ := rows[key].(*store.Hot)
//
// hot is nil if there is no such row.
type Rows map[Key]Row

// Store keeps rows. Implementations are safe for concurrent use, and strongly
// consistent: a Read, List or Scan sees every Write that returned before it
// began. They do not retry a refused write, wait for a lease, or look at a row's
// expiry.
//
// An error is a [*Conflict], or wraps [ErrUnavailable], [ErrFormat] or
// [ErrCursor], or is that of the context (with ErrUnavailable if it ended during
// the call), or is another one, which a retry does not mend. No error holds a
// row's content.
type Store interface {
	// Read returns the rows of the keys and leaves out missing ones. It is not
	// a snapshot: one row may be from before a Write and another from after it.
	// A row that it could not read is an error, never a missing row. The zero
	// Key, which a malformed connection id has, is missing.
	Read(ctx context.Context, keys ...Key) (Rows, error)

	// Write applies all changes or none. The same write once more (the same
	// Writer, in a row that is still as it left it) succeeds and changes
	// nothing. After ErrUnavailable, and if the context ended during the call,
	// the write may have happened or not. Changes that [Validate] refuses are
	// an ErrFormat. A Write without changes succeeds.
	Write(ctx context.Context, changes ...Change) error

	// List returns the rows of a partition in the order of their sort keys, a
	// page at a time. It begins with an empty cursor and ends when the next
	// one is empty. A page may be empty before the end. List takes every
	// cursor that [After] makes of a key of this partition; any other cursor
	// is an ErrCursor.
	List(ctx context.Context, pk, cursor string) (page []Row, next string, err error)
}

// Scanner goes through all rows, in no order. The command uses it;
// no function that serves requests has the permission for it.
type Scanner interface {
	// Scan pages as [Store.List] does. A malformed cursor is an ErrCursor. Rows
	// that are written during a scan may be left out.
	Scan(ctx context.Context, cursor string) (page []Row, next string, err error)
}

var (
	// ErrConflict is what errors.Is finds in a [*Conflict].
	ErrConflict = errors.New("store: another row is there")
	// ErrUnavailable says that the store could not be reached, or did not
	// respond. A retry may succeed.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrFormat says that a row is of a format, or a shape, that this release
	// does not know. Such a row must not be overwritten.
	ErrFormat = errors.New("store: unknown row format")
)
