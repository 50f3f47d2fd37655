// Package storetest tests implementations of [store.Store], and makes a store fail
// at a chosen call. It is for tests, in this module and in others: the tests of a
// store call [Run], and those of code that uses a store call it through a [Faulty].
package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Run tests that the stores that open returns do what [store.Store] requires. Every
// store must pass, whichever module it is in. Run calls open once for each subtest;
// open returns an empty store, and closes it with t.Cleanup if it has to be closed.
// If the store is a [store.Scanner] too, Run tests Scan as well, else it skips that
// subtest. Some subtests write from 50 goroutines at once: run them with -race.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"missing rows are left out", missing},
		{"every kind of row comes back as it was written", kinds},
		{"more keys than one batch holds", manyKeys},
		{"a key named twice", duplicateKeys},
		{"large tokens", largeRows},
		{"an expired row is still there", expired},
		{"put a row that is absent", putAbsent},
		{"put in place of a row", putReplaces},
		{"put in place of a row that is gone", putGone},
		{"delete", deletes},
		{"several changes: all or none", allOrNone},
		{"a hundred changes: all or none", manyChanges},
		{"the same write twice", sameWrite},
		{"the same transaction twice", sameTransaction},
		{"the same transaction after one of its rows changed", sameTransactionPartly},
		{"the same transaction after all of its rows changed", sameTransactionOverwritten},
		{"the same deletes of other rows", sameDeletes},
		{"changes that no store can apply", invalid},
		{"list", list},
		{"list more than a page", listPages},
		{"list large rows", listLargeRows},
		{"list with a cursor of another list", listForeignCursor},
		{"a list goes on after any key", listAfter},
		{"scan", scan},
		{"a context that has ended", cancelled},
		{"50 writers, one winner", race},
		{"50 transactions, one winner", raceTransactions},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// at returns a time in the past, so that all rows that expire have expired.
func at() time.Time { return time.Date(2024, 5, 6, 7, 8, 9, 123e6, time.UTC) }

func connection(owner string, n int) string {
	return store.ConnectionID(store.HashOf(owner), fmt.Sprint(n), "oauth")
}

func hot(id string, size int) *store.Hot {
	return &store.Hot{
		Connection: id, Kind: "oauth", AsanaGID: "1200000000000001",
		Owner: store.HashOf("owner"), ClientID: "1300000000000001", Epoch: "epoch",
		Generation: 1, Grant: 1, Status: "active",
		Access: filled('a', size), Refresh: filled('r', size),
		Issued: at(), Expires: at().Add(time.Hour),
	}
}

func cold(id string, size int) *store.Cold {
	return &store.Cold{Connection: id, Generation: 1, Created: at(), Updated: at(), Name: filled('n', size)}
}

func session(cookie string) *store.Session {
	return &store.Session{
		Cookie: store.HashOf(cookie), Connection: connection("owner", 1), Epoch: "epoch",
		Start: at(), End: at().Add(time.Hour), IdleTTL: time.Minute, IdleEnd: at().Add(time.Minute),
		Proof: filled('p', 100),
	}
}

func attempt(state string) *store.Attempt {
	return &store.Attempt{
		State: store.HashOf(state), Browser: store.HashOf("browser"), Salt: filled('s', 16),
		ReturnURL: "https://app.example/?a=1&b=<é>", End: at().Add(10 * time.Minute),
	}
}

func link(token string, size int) *store.Link {
	return &store.Link{
		Token: store.HashOf(token), Owner: store.HashOf("owner"), Person: store.HashOf("person"),
		ReturnURL: "https://app.example/?a=1&b=<é>", Scopes: "users:read", AsanaGID: "1200000000000001",
		End:  at().Add(30 * time.Minute),
		Code: store.HashOf("code"), CodeEnd: at().Add(10 * time.Minute), Held: filled('h', size), Keep: at().Add(50 * time.Minute),
	}
}

func sessionCode(code string) *store.SessionCode {
	return &store.SessionCode{
		Code: store.HashOf(code), Session: store.HashOf("cookie"), Connection: connection("owner", 1), Epoch: "epoch",
		End: at().Add(time.Minute), Proof: filled('p', 100),
	}
}

func reader(n int) *store.Reader {
	return &store.Reader{Workspace: store.HashOf(fmt.Sprint("workspace ", n)), Connection: connection("owner", 1)}
}

func pointer(n int) *store.UserPointer {
	return &store.UserPointer{User: store.HashOf("user"), Connection: connection("owner", n), Kind: "oauth"}
}

func keyring() *store.Keyring {
	return &store.Keyring{Wrapped: filled('k', 300), KMSKey: "key"}
}

func filled(b byte, size int) secret.Sealed {
	if size == 0 {
		return nil
	}
	s := make(secret.Sealed, size)
	for i := range s {
		s[i] = b ^ byte(i)
	}
	return s
}

// write fails the test if the changes are refused.
func write(t *testing.T, s store.Store, changes ...store.Change) {
	t.Helper()
	if err := s.Write(t.Context(), changes...); err != nil {
		t.Fatalf("writing: %v", err)
	}
}

func read(t *testing.T, s store.Store, keys ...store.Key) store.Rows {
	t.Helper()
	rows, err := s.Read(t.Context(), keys...)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return rows
}

// there fails the test unless exactly these rows are under the keys.
func there(t *testing.T, s store.Store, keys []store.Key, want ...store.Row) {
	t.Helper()
	wanted := store.Rows{}
	for _, row := range want {
		wanted[row.Key()] = row
	}
	if diff := differ(wanted, read(t, s, keys...)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// refused fails the test unless the write is a conflict with exactly these rows.
func refused(t *testing.T, s store.Store, changes []store.Change, want ...store.Row) {
	t.Helper()
	err := s.Write(t.Context(), changes...)
	conflict, ok := errors.AsType[*store.Conflict](err)
	if !ok || !errors.Is(err, store.ErrConflict) {
		t.Fatalf("got %v, want a conflict", err)
	}
	rows := store.Rows{}
	for _, row := range want {
		rows[row.Key()] = row
	}
	if diff := differ(rows, conflict.Rows); diff != "" {
		t.Errorf("rows of the conflict (-want +got):\n%s", diff)
	}
}

// differ is cmp.Diff, which is slow for kilobytes, but only if want and got differ.
func differ(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}
