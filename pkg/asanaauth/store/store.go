// Package store says what rows there are and what a store does with them. It
// knows no lease, no expiry and no protocol: those are written once, above it,
// in package asanaauth.
//
// Every row is replaced whole, under the condition that it has not moved since
// it was read. [Memory] is the store in memory; store/bolt keeps one file and
// store/dynamo one DynamoDB table. storetest proves the three alike.
package store

import (
	"context"
	"errors"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/internal/cursor"
)

// Key names a row: DynamoDB's partition key and sort key.
type Key struct{ PK, SK string }

// String gives the form in which a sealed field names its row.
func (k Key) String() string { return k.PK + "/" + k.SK }

// Row is one row of the table: a pointer to [Attempt], [Link], [Session],
// [SessionCode], [Hot], [Cold], [UserPointer], [Reader] or [Keyring].
type Row interface {
	// Key is made of the row's own fields.
	Key() Key
	// head gives the fields that every row has.
	head() *Head
	format() int64
	fields(*codec)
}

// Head is what every row has.
type Head struct {
	// Rev counts the writes of the row, from 1. [Put] sets it.
	Rev int64
	// Writer is a random name drawn for one write. A write whose answer was
	// lost knows itself by it when it is tried again.
	Writer string
}

// head implements [Row].
func (h *Head) head() *Head { return h }

// Revision returns Rev.
func (h *Head) Revision() int64 { return h.Rev }

// Rows holds rows by their keys. A missing row is nil: in
//
//	hot, _ := rows[key].(*store.Hot)
//
// hot is nil where there is none.
type Rows map[Key]Row

// Store keeps rows. Implementations are safe for concurrent use, and strongly
// consistent: a Read, List or Scan sees every Write that returned before it
// began. None of them retries a refused write, waits for a lease, or looks at
// a row's expiry.
//
// Errors: a [*Conflict], or one that wraps [ErrUnavailable], [ErrFormat] or
// [ErrCursor], or that of the context (with ErrUnavailable where it ended during
// the call), or another, which trying again does not mend. None holds a row's
// content.
type Store interface {
	// Read returns the rows of the keys; what is missing is left out. It is
	// not a snapshot: two rows may stem from before and after one Write. It
	// never returns a row as missing that it could not ask for. The zero Key,
	// which a malformed connection id has, is missing.
	Read(ctx context.Context, keys ...Key) (Rows, error)

	// Write applies all changes or none. The same write once more (the same
	// Writer, in a row that is still as it left it) succeeds and changes
	// nothing. After ErrUnavailable, and after a context that ended meanwhile,
	// the write may have happened or not. Changes that [Validate] refuses are
	// an ErrFormat; no changes are none.
	Write(ctx context.Context, changes ...Change) error

	// List returns the rows of a partition in the order of their sort keys, a
	// page at a time. It begins with an empty cursor and ends when the next
	// one is empty. A page may be empty before the end. A cursor that is none
	// of this partition is an ErrCursor.
	List(ctx context.Context, pk, cursor string) (page []Row, next string, err error)
}

// Scanner goes through all rows, in no order. The command uses it;
// no function that serves requests has the permission for it.
type Scanner interface {
	// Scan pages as [Store.List] does; a malformed cursor is an ErrCursor. Rows
	// written meanwhile may be left out.
	Scan(ctx context.Context, cursor string) (page []Row, next string, err error)
}

var (
	// ErrConflict is what errors.Is finds in a [*Conflict].
	ErrConflict = errors.New("store: another row is there")
	// ErrUnavailable says that the store could not be asked, or did not
	// answer: it may succeed later.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrFormat says that a row is of a format, or a shape, that this release
	// does not know. It is never to be overwritten.
	ErrFormat = errors.New("store: unknown row format")
	// ErrCursor says that a cursor is malformed, or of another list.
	ErrCursor = cursor.ErrMalformed
)

// After is the cursor of a list of the key's partition that goes on after the key,
// whether a row is there or not.
func After(key Key) string { return cursor.Encode(key.PK, key.SK) }
