package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

func missing(t *testing.T, s store.Store) {
	id := connection("owner", 1)
	kept := hot(id, 100)
	write(t, s, store.Put(kept, store.Absent, "w"))
	checkRead(t, s, []store.Key{store.ColdKey(id), store.KeyringKey, kept.Key(), store.HotKey("malformed")}, kept)
	checkRead(t, s, nil)
	checkRead(t, s, []store.Key{store.HotKey("malformed")})
}

func kinds(t *testing.T, s store.Store) {
	id := connection("owner", 1)
	rows := []store.Row{
		attempt("state"), link("link", 600), session("cookie"), sessionCode("code"),
		hot(id, 150), cold(id, 20), pointer(1), reader(1), keyring(),
	}
	var keys []store.Key
	for i, row := range rows {
		write(t, s, store.Put(row, store.Absent, fmt.Sprint("w", i)))
		checkRead(t, s, []store.Key{row.Key()}, row)
		keys = append(keys, row.Key())
	}
	checkRead(t, s, keys, rows...)
}

func manyKeys(t *testing.T, s store.Store) {
	var rows []store.Row
	var keys []store.Key
	for n := range 230 {
		row := pointer(n)
		keys = append(keys, row.Key())
		if n%2 == 0 {
			write(t, s, store.Put(row, store.Absent, fmt.Sprint("w", n)))
			rows = append(rows, row)
		}
	}
	checkRead(t, s, keys, rows...)
}

func duplicateKeys(t *testing.T, s store.Store) {
	row := keyring()
	write(t, s, store.Put(row, store.Absent, "w"))
	absent := store.HotKey(connection("owner", 1))
	checkRead(t, s, []store.Key{row.Key(), absent, row.Key(), absent, row.Key()}, row)
}

func largeRows(t *testing.T, s store.Store) {
	for _, size := range []int{4 << 10, 20 << 10} {
		id := connection("owner", size)
		h, c := hot(id, size), cold(id, size)
		write(t, s, store.Put(h, store.Absent, "w"), store.Put(c, store.Absent, "w"))
		checkRead(t, s, []store.Key{h.Key(), c.Key()}, h, c)
		checkConflict(t, s, []store.Change{store.Put(hot(id, size), store.Absent, "x")}, h)
		l := link(fmt.Sprint(size), 2*size)
		write(t, s, store.Put(l, store.Absent, "w"))
		checkRead(t, s, []store.Key{l.Key()}, l)
	}
}

func expired(t *testing.T, s store.Store) {
	tomb := hot(connection("owner", 1), 0)
	tomb.Status, tomb.End = "disconnected", pastTime()
	rows := []store.Row{attempt("state"), link("link", 600), session("cookie"), sessionCode("code"), tomb}
	var keys []store.Key
	for _, row := range rows {
		write(t, s, store.Put(row, store.Absent, "w"))
		keys = append(keys, row.Key())
	}
	checkRead(t, s, keys, rows...)
	checkConflict(t, s, []store.Change{store.Put(attempt("state"), store.Absent, "x")}, rows[0])
}

func canceled(t *testing.T, s store.Store) {
	row := keyring()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, readErr := s.Read(ctx, row.Key())
	_, _, listErr := s.List(ctx, row.Key().PK, "")
	writeErr := s.Write(ctx, store.Put(row, store.Absent, "w"))
	for i, err := range []error{readErr, listErr, writeErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("call %d: got %v, want context.Canceled", i, err)
		}
	}
	checkRead(t, s, []store.Key{row.Key()})
}

func list(t *testing.T, s store.Store) {
	h, c := hot(connection("owner", 1), 150), cold(connection("owner", 1), 20)
	h2 := hot(connection("owner", 2), 150)
	foreign := hot(connection("another owner", 1), 150)
	for _, row := range []store.Row{h, c, h2, foreign} {
		write(t, s, store.Put(row, store.Absent, "w"))
	}
	want := []store.Row{h, c, h2}
	sortRows(want)
	checkEqual(t, pages(t, func(cursor string) ([]store.Row, string, error) {
		return s.List(t.Context(), h.Key().PK, cursor)
	}), want)
	page, next, err := s.List(t.Context(), store.UserPartition(store.HashOf("another user")), "")
	if len(page) != 0 || next != "" || err != nil {
		t.Errorf("an empty partition: got %v, %q, %v, want no rows and no cursor", page, next, err)
	}
}

func sortRows(rows []store.Row) {
	slices.SortFunc(rows, func(a, b store.Row) int {
		return slices.Compare([]string{a.Key().PK, a.Key().SK}, []string{b.Key().PK, b.Key().SK})
	})
}
