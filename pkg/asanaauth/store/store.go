// Package store defines the rows that this module keeps in a database, and the
// [Store] interface that reads and writes them. A write replaces whole rows, on
// the condition that none of them changed since the caller read them. The package
// knows nothing of leases, expiry or OAuth: the packages that call it decide those,
// and so every store behaves alike.
//
// This module has three stores. [Memory] keeps rows in memory. Package bolt keeps
// them in one file, and package dynamo in one DynamoDB table. ROWS.md, next to
// this file, lists the attributes of every row.
//
// # Writing another store
//
// You can write a store for another database, in your own module. Implement
// [Store]. Also implement [Scanner] if your own tools must read the whole table.
//
// Keep each row as [Encode] or [EncodeJSON] returns it, under its key. To read a
// row, call [Decode] or [DecodeJSON], and return their [ErrFormat] unchanged.
//
// Write must apply all of its changes or none of them, and must accept 100 changes.
// Choose one of two ways:
//
//   - If your store can block other writers, read the rows of [Keys] inside the
//     transaction and call [Judge]. Apply the changes only if Judge returns true.
//   - If your database checks conditions itself, call [Validate] first. Send the
//     changes with their conditions. If the database refuses them, pass the rows
//     that it has now to [Refused], and return the result.
//
// List and Scan parse their cursor with [ParseListCursor] and [ParseCursor]. The
// next cursor is [After] of the last key of the page. If the database fails and a
// retry may succeed, return an error that wraps [ErrUnavailable].
//
// Then test the store. Package storetest has the tests that every store must pass:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store {
//			return mystore.Open(t.TempDir()) // empty
//		})
//	}
//
// The directory storetest/testdata/thirdstore is a complete example: a module of
// its own, with a store of about 180 lines.
package store

import (
	"context"
	"errors"
)

// Key identifies a row. PK is the partition key and SK the sort key, as in DynamoDB.
type Key struct{ PK, SK string }

// String returns "PK/SK". Sealed fields contain this form in their associated data, so
// it must never change.
func (k Key) String() string { return k.PK + "/" + k.SK }

// Row is one row of the table: a pointer to [Attempt], [Link], [Session],
// [SessionCode], [Hot], [Cold], [UserPointer], [Reader] or [Keyring].
type Row interface {
	// Key returns the row's key, which it derives from the row's other fields.
	Key() Key
	head() *Head
	format() int64
	fields(*codec)
}

// Head holds the fields that all rows have in common.
type Head struct {
	// Rev is the row's revision: 1 after the first write, and one more after each
	// further write. [Put] sets it.
	Rev int64
	// Writer is a random name for one write. If the response of a write is lost
	// and the write is retried, the store recognizes it by this name.
	Writer string
}

func (h *Head) head() *Head { return h }

// Rows maps keys to rows. It has no entry for a missing row, so in
//
//	hot, _ := rows[key].(*store.Hot)
//
// hot is nil if the row is missing.
type Rows map[Key]Row

// Store reads and writes rows. Implementations are safe for concurrent use and
// strongly consistent: Read, List and Scan see every Write that returned before they
// were called. A store does not retry a write that it refused, does not wait for a
// lease, and returns expired rows like others.
//
// An error is a [*Conflict], wraps [ErrUnavailable], [ErrFormat] or [ErrCursor], or is
// the error of the context. If the context ends during the call, the error wraps both
// ErrUnavailable and the error of the context. Any other error is permanent: a retry
// fails too. Errors never contain the content of a row.
type Store interface {
	// Read returns the rows with the given keys. Missing rows are left out. The
	// rows are not a snapshot: a Write that runs at the same time may be visible
	// in one row and not yet in another. If Read cannot read a row, it returns an
	// error and never treats the row as missing. The zero Key is always missing;
	// [HotKey] and [ColdKey] return it for a malformed connection ID.
	Read(ctx context.Context, keys ...Key) (Rows, error)

	// Write applies all changes or none of them. It returns a [*Conflict] if a
	// row does not have the revision that its change replaces. If the same write
	// was applied before, and one of its rows is still as that write left it, Write
	// returns nil and changes nothing. After ErrUnavailable the write may or may
	// not have been applied. Changes that [Validate] rejects are an ErrFormat.
	// A Write without changes returns nil.
	Write(ctx context.Context, changes ...Change) error

	// List returns one page of the rows of the partition pk, sorted by sort key. Pass
	// an empty cursor for the first page, then the returned next cursor. After the
	// last page, next is empty; a page can be empty before that. List accepts
	// every cursor that [After] returns for a key of this partition. For any
	// other cursor it returns ErrCursor.
	List(ctx context.Context, pk, cursor string) (page []Row, next string, err error)
}

// Scanner reads all rows of a store. Only the asanaauth command uses it. The functions
// that serve requests have no permission to scan.
type Scanner interface {
	// Scan returns one page of all rows, in no particular order. Its cursor works as
	// that of [Store.List]; a malformed one is an ErrCursor. Rows that are
	// written during a scan may be left out.
	Scan(ctx context.Context, cursor string) (page []Row, next string, err error)
}

var (
	// ErrConflict matches every [*Conflict] in errors.Is.
	ErrConflict = errors.New("store: row has changed")
	// ErrUnavailable means that the store could not be reached or did not respond.
	// A retry may succeed.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrFormat means that a row has a kind, a format or an attribute that this
	// release does not know. Callers must not overwrite such a row.
	ErrFormat = errors.New("store: unknown row format")
)
