package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// pages returns the rows of all pages. If there are more than 1000 pages, the test fails,
// because a broken cursor could make the list endless.
func pages(t *testing.T, next func(cursor string) ([]store.Row, string, error)) []store.Row {
	t.Helper()
	var rows []store.Row
	cursor := ""
	for range 1000 {
		page, after, err := next(cursor)
		if err != nil {
			t.Fatalf("after %d rows: %v", len(rows), err)
		}
		rows = append(rows, page...)
		if after == "" {
			return rows
		}
		cursor = after
	}
	t.Fatal("the list has no last page after 1000 pages")
	return nil
}

func checkEqual(t *testing.T, got, want []store.Row) {
	t.Helper()
	if len(want)+len(got) == 0 {
		return // nil and empty slices are equal here
	}
	if diff := quickDiff(want, got); diff != "" {
		t.Errorf("rows in order (-want +got):\n%s", diff)
	}
}

func listPages(t *testing.T, s store.Store) {
	var want []store.Row
	for n := range 230 {
		row := pointer(n)
		write(t, s, store.Put(row, store.Absent, fmt.Sprint("w", n)))
		want = append(want, row)
	}
	sortRows(want)
	checkEqual(t, pages(t, func(cursor string) ([]store.Row, string, error) {
		return s.List(t.Context(), want[0].Key().PK, cursor)
	}), want)
}

// DynamoDB limits each page to one megabyte, so listLargeRows lists rows with a total of
// more than one megabyte.
func listLargeRows(t *testing.T, s store.Store) {
	var want []store.Row
	for n := range 32 {
		row := hot(connection("owner", n), 20<<10)
		write(t, s, store.Put(row, store.Absent, "w"))
		want = append(want, row)
	}
	sortRows(want)
	checkEqual(t, pages(t, func(cursor string) ([]store.Row, string, error) {
		return s.List(t.Context(), want[0].Key().PK, cursor)
	}), want)
}

func listForeignCursor(t *testing.T, s store.Store) {
	for n := range 32 {
		write(t, s, store.Put(hot(connection("owner", n), 20<<10), store.Absent, "w"))
	}
	for n := range 230 {
		write(t, s, store.Put(pointer(n), store.Absent, "w"))
	}
	foreign := store.UserPartition(store.HashOf("another user"))
	for _, pk := range []string{hot(connection("owner", 1), 0).Key().PK, pointer(1).Key().PK} {
		_, next, err := s.List(t.Context(), pk, "")
		if err != nil {
			t.Fatal(err)
		}
		if next == "" {
			continue // this store returns the whole list in one page
		}
		if page, _, err := s.List(t.Context(), foreign, next); !errors.Is(err, store.ErrCursor) {
			t.Errorf("a cursor of another partition: got %d rows, %v, want ErrCursor", len(page), err)
		}
	}
	for name, cursor := range map[string]string{
		"malformed":                   "*",
		"for the zero key":            store.After(store.Key{}),
		"without a sort key":          store.After(store.Key{PK: foreign}),
		"longer than any key":         store.After(store.Key{PK: foreign, SK: strings.Repeat("x", 1025)}),
		"that is not UTF-8":           store.After(store.Key{PK: foreign, SK: "\xff"}),
		"for a longer partition key":  store.After(store.Key{PK: foreign + "0", SK: "x"}),
		"for a shorter partition key": store.After(store.Key{PK: foreign[:65], SK: "x"}),
	} {
		if page, _, err := s.List(t.Context(), foreign, cursor); !errors.Is(err, store.ErrCursor) {
			t.Errorf("a cursor %s: got %d rows, %v, want ErrCursor", name, len(page), err)
		}
	}
}

func listAfter(t *testing.T, s store.Store) {
	var want []store.Row
	for n := range 10 {
		row := pointer(n)
		write(t, s, store.Put(row, store.Absent, "w"))
		want = append(want, row)
	}
	sortRows(want)
	pk := want[0].Key().PK
	listsAfter := func(sk string, want []store.Row) {
		t.Helper()
		checkEqual(t, pages(t, func(cursor string) ([]store.Row, string, error) {
			if cursor == "" {
				cursor = store.After(store.Key{PK: pk, SK: sk})
			}
			return s.List(t.Context(), pk, cursor)
		}), want)
	}
	listsAfter("!", want)
	for i, row := range want {
		sk := row.Key().SK
		listsAfter(sk[:len(sk)-1], want[i:])
		listsAfter(sk, want[i+1:])
		listsAfter(sk+"!", want[i+1:])
	}
	gone := want[4].Key()
	write(t, s, store.Delete(gone, 1))
	listsAfter(want[3].Key().SK, want[5:])
	listsAfter(gone.SK, want[5:])
	if page, _, err := s.List(t.Context(), pk, store.After(store.Key{PK: "u#another", SK: "x"})); !errors.Is(err, store.ErrCursor) {
		t.Errorf("after a key of another partition: got %d rows, %v, want ErrCursor", len(page), err)
	}
}

func scan(t *testing.T, s store.Store) {
	scanner, ok := s.(store.Scanner)
	if !ok {
		t.Skip("the store does not implement store.Scanner")
	}
	want := []store.Row{keyring(), session("cookie")}
	for n := range 110 {
		want = append(want, pointer(n))
	}
	for n := range 32 {
		want = append(want, hot(connection("owner", n), 20<<10))
	}
	for _, row := range want {
		write(t, s, store.Put(row, store.Absent, "w"))
	}
	got := pages(t, func(cursor string) ([]store.Row, string, error) { return scanner.Scan(t.Context(), cursor) })
	sortRows(want)
	sortRows(got)
	checkEqual(t, got, want)
	if _, _, err := scanner.Scan(t.Context(), "*"); !errors.Is(err, store.ErrCursor) {
		t.Errorf("a malformed cursor: got %v, want ErrCursor", err)
	}
}
