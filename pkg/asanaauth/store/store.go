// Package store defines the rows that this module keeps in a database. A [Store] reads
// and writes rows. A write replaces whole rows, and succeeds only if none of the rows has
// changed since the caller read it. A Store does not implement leases, expiry or OAuth.
// The packages that use a Store implement them.
//
// The module asanaauth contains three stores. [Memory] keeps rows in memory. Package bolt
// keeps rows in one file. Package dynamo keeps rows in one DynamoDB table. The file
// ROWS.md in this directory lists the attributes of every row.
//
// # Writing another store
//
// You can write a store for another database in your own module. The store must implement
// [Store], and also [Scanner] if your own tools read the whole table.
//
// Store the result of [Encode] or [EncodeJSON] under the row's key. To read a row, call
// [Decode] or [DecodeJSON]. If Decode or DecodeJSON returns an [ErrFormat], return the
// error unchanged.
//
// Write must accept up to 100 changes, and must apply either all of them or none. You can
// implement Write in one of two ways:
//
//   - If your store can block other writers during a transaction, begin a transaction and
//     read the rows with the keys from [Keys]. Pass these rows to [Judge]. Apply the
//     changes only if Judge returns true. Otherwise, return the error from Judge.
//   - If your database supports conditional writes, check the changes with [Validate].
//     Then send the changes with the conditions that [Put] and [Delete] describe. If a
//     condition fails, pass the stored rows that did not satisfy their condition to
//     [Refused], and return the result of Refused.
//
// List must parse its cursor with [ParseListCursor], and Scan with [ParseCursor]. If
// there are more rows after a page, pass the key of the page's last row to [After] and
// return the result as the next cursor. If the database fails and a retry may succeed,
// return an error that wraps [ErrUnavailable].
//
// Test your store with package storetest, which contains the tests that every store must
// pass:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store {
//			return mystore.Open(t.TempDir()) // empty
//		})
//	}
//
// The directory storetest/testdata/thirdstore contains a complete example. The example is
// a separate module with a store of about 180 lines.
package store

import (
	"context"
	"errors"
)

// Key identifies a row. PK is the partition key and SK is the sort key, as in DynamoDB.
type Key struct{ PK, SK string }

// String returns the partition key, a slash and the sort key. The format of the string
// must never change, because the associated data of sealed fields contains the string.
func (k Key) String() string { return k.PK + "/" + k.SK }

// Row is one row of the table: a pointer to [Attempt], [Link], [Session], [SessionCode],
// [Hot], [Cold], [UserPointer], [ImportPointer], [Reader] or [Keyring].
type Row interface {
	// Key returns the row's key, which depends only on the row's fields.
	Key() Key
	head() *Head
	format() int64
	fields(*codec)
}

// Head holds the fields that all rows have in common.
type Head struct {
	// Rev is the row's revision: 1 after the first write, and incremented by 1 by each
	// further write. [Put] sets Rev.
	Rev int64
	// Writer is a random ID for the row's last write. If the response to a write is lost
	// and the caller retries the write, the store recognizes the write by Writer.
	Writer string
}

func (h *Head) head() *Head { return h }

// Rows maps keys to rows. A missing row has no entry. For example, after
//
//	hot, _ := rows[key].(*store.Hot)
//
// hot is nil if the row is missing.
type Rows map[Key]Row

// Store reads and writes rows. Implementations are safe for concurrent use and strongly
// consistent: Read, List and Scan return the effects of every Write that has returned. A
// store does not retry a write whose condition failed. A store ignores leases, and
// returns expired rows like any other rows.
//
// A store can return a [*Conflict], the context's error, and errors that wrap
// [ErrUnavailable], [ErrFormat] or [ErrCursor]. If the context ends while the store
// accesses the database, the error wraps both ErrUnavailable and the context's error. A
// store can also return other errors, after which a retry would fail too. Errors never
// contain data from a row.
type Store interface {
	// Read returns the rows with the given keys. The result has no entry for a missing
	// row. The rows are not a snapshot: a concurrent Write may be visible in one row but
	// not yet in another. If Read cannot read a row, Read returns an error and never
	// treats the row as missing. The keys may include the zero Key, which [HotKey] and
	// [ColdKey] return for a malformed connection ID. Read treats the zero Key like the
	// key of a missing row.
	Read(ctx context.Context, keys ...Key) (Rows, error)

	// Write applies either all changes or none. Write returns a [*Conflict] if a stored
	// row does not have the revision in [Change.Replaces]. Write returns nil and changes
	// nothing if an earlier call has already applied the same changes, and at least one
	// row that the earlier call stored has not changed since then. If Write returns
	// ErrUnavailable, the changes may or may not have been applied. Write returns
	// ErrFormat if [Validate] rejects the changes. If the list of changes is empty, Write
	// returns nil.
	Write(ctx context.Context, changes ...Change) error

	// List returns one page of the rows in the partition pk, sorted by sort key. For the
	// first page, pass an empty cursor. For each further page, pass the value of next
	// from the page before. For the last page, next is empty. A page may contain no rows
	// although it is not the last page. List accepts every cursor that [After] returns
	// for a key in this partition. List returns ErrCursor for any other cursor.
	List(ctx context.Context, pk, cursor string) (page []Row, next string, err error)
}

// Scanner reads all rows of a store. Only the asanaauth command scans a table. The Lambda
// functions have no permission to scan.
type Scanner interface {
	// Scan returns one page of the store's rows, in no particular order. The cursor works
	// as in [Store.List]. If the cursor is malformed, Scan returns ErrCursor. A scan may
	// miss rows that are written while it is running.
	Scan(ctx context.Context, cursor string) (page []Row, next string, err error)
}

var (
	// ErrConflict means that the condition of a change failed. If err is a [*Conflict],
	// errors.Is(err, ErrConflict) returns true.
	ErrConflict = errors.New("store: row has changed")
	// ErrUnavailable means that the store could not be reached or did not respond.
	// A retry may succeed.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrFormat means that a row or a change is malformed, or that this release does not
	// know the kind or the format of a row. Callers must not overwrite such a row.
	ErrFormat = errors.New("store: unknown row format")
)
