// Package storetest helps to test stores and the code that uses stores. [Run] checks that
// an implementation of [store.Store] does what the interface requires. Every
// implementation must pass Run, even if it is in another module. [Faulty] wraps a store
// and makes selected calls fail. Use it to test how code handles the errors of a store.
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

// Run checks that a store does what [store.Store] requires. Run calls open once for each
// subtest, and open must return an empty store each time. The function open can use
// t.Cleanup to close the store. If the store implements [store.Scanner], Run also tests
// Scan. Some subtests write from 50 goroutines at once, so run the tests with -race.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"missing rows are left out", missing},
		{"every kind of row is read as it was written", kinds},
		{"more keys than one batch holds", manyKeys},
		{"a duplicate key", duplicateKeys},
		{"large rows", largeRows},
		{"an expired row is still returned", expired},
		{"put a row that is absent", putAbsent},
		{"put that replaces a row", putReplaces},
		{"put that replaces a missing row", putGone},
		{"delete", deletes},
		{"several changes: all or none", allOrNone},
		{"a hundred changes: all or none", manyChanges},
		{"the same write twice", sameWrite},
		{"the same transaction twice", sameTransaction},
		{"the same transaction after one of its rows changed", sameTransactionPartly},
		{"the same transaction after all of its rows changed", sameTransactionOverwritten},
		{"the same deletes after the rows were written again", sameDeletes},
		{"malformed changes", invalid},
		{"list", list},
		{"list more than one page", listPages},
		{"list large rows", listLargeRows},
		{"list with a cursor from another list", listForeignCursor},
		{"list after any key", listAfter},
		{"scan", scan},
		{"a context that has ended", canceled},
		{"50 writers, one winner", race},
		{"50 transactions, one winner", raceTransactions},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// All expiry times in these tests are in the past, because a store must return expired
// rows too.
func pastTime() time.Time { return time.Date(2024, 5, 6, 7, 8, 9, 123e6, time.UTC) }

func connection(owner string, n int) string {
	return store.ConnectionID(store.HashOf(owner), fmt.Sprint(n), "oauth")
}

func hot(id string, size int) *store.Hot {
	return &store.Hot{
		Connection: id, Kind: "oauth", AsanaGID: "1200000000000001",
		Owner: store.HashOf("owner"), ClientID: "1300000000000001", Epoch: "epoch",
		Generation: 1, Grant: 1, Status: "active",
		Access: filled('a', size), Refresh: filled('r', size),
		Issued: pastTime(), Expires: pastTime().Add(time.Hour),
	}
}

func cold(id string, size int) *store.Cold {
	return &store.Cold{Connection: id, Generation: 1, Created: pastTime(), Updated: pastTime(), Name: filled('n', size)}
}

func session(cookie string) *store.Session {
	return &store.Session{
		Cookie: store.HashOf(cookie), Connection: connection("owner", 1), Epoch: "epoch",
		Start: pastTime(), End: pastTime().Add(time.Hour), IdleTTL: time.Minute, IdleEnd: pastTime().Add(time.Minute),
		Proof: filled('p', 100),
	}
}

func attempt(state string) *store.Attempt {
	return &store.Attempt{
		State: store.HashOf(state), Browser: store.HashOf("browser"), Salt: filled('s', 16),
		ReturnURL: "https://app.example/?a=1&b=<é>", End: pastTime().Add(10 * time.Minute),
	}
}

func link(token string, size int) *store.Link {
	return &store.Link{
		Token: store.HashOf(token), Owner: store.HashOf("owner"), Person: store.HashOf("person"),
		ReturnURL: "https://app.example/?a=1&b=<é>", Scopes: "users:read", AsanaGID: "1200000000000001",
		End:  pastTime().Add(30 * time.Minute),
		Code: store.HashOf("code"), CodeEnd: pastTime().Add(10 * time.Minute), Held: filled('h', size), Keep: pastTime().Add(50 * time.Minute),
	}
}

func sessionCode(code string) *store.SessionCode {
	return &store.SessionCode{
		Code: store.HashOf(code), Session: store.HashOf("cookie"), Connection: connection("owner", 1), Epoch: "epoch",
		End: pastTime().Add(time.Minute), Proof: filled('p', 100),
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

func checkRead(t *testing.T, s store.Store, keys []store.Key, want ...store.Row) {
	t.Helper()
	wanted := store.Rows{}
	for _, row := range want {
		wanted[row.Key()] = row
	}
	if diff := quickDiff(wanted, read(t, s, keys...)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func checkConflict(t *testing.T, s store.Store, changes []store.Change, want ...store.Row) {
	t.Helper()
	err := s.Write(t.Context(), changes...)
	conflict, ok := errors.AsType[*store.Conflict](err)
	if !ok || !errors.Is(err, store.ErrConflict) {
		t.Fatalf("Write: got %v, want a *store.Conflict", err)
	}
	rows := store.Rows{}
	for _, row := range want {
		rows[row.Key()] = row
	}
	if diff := quickDiff(rows, conflict.Rows); diff != "" {
		t.Errorf("rows in the conflict (-want +got):\n%s", diff)
	}
}

// quickDiff is like cmp.Diff, but it does not call cmp.Diff if want and got are equal,
// because cmp.Diff is slow for large rows.
func quickDiff(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}
