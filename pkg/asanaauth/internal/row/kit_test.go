package row_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
)

// fixture is an in-memory table whose operations a test can make fail. At first, the
// table contains the rows a and b, whose Kind is "old".
type fixture struct {
	t      *testing.T
	rows   *store.Memory // without faults
	faulty *storetest.Faulty
	table  *row.Table
	began  time.Time
}

var (
	keyA = pointer("a").Key()
	keyB = pointer("b").Key()
	keyC = pointer("c").Key() // this row is not in the table
)

func pointer(name string) *store.UserPointer {
	return &store.UserPointer{User: store.HashText(name), Connection: store.ConnectionID(store.HashText(name), "1", string(asanaauth.OAuth)), Kind: "old"}
}

func withTable(t *testing.T, f func(t *testing.T, x *fixture)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows := &store.Memory{}
		x := &fixture{t: t, rows: rows, faulty: &storetest.Faulty{Store: rows}, began: time.Now()}
		var err error
		if x.table, err = row.NewTable(row.TableConfig{Store: x.faulty}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b"} {
			if err := rows.Write(t.Context(), store.Put(pointer(name), store.Absent, "another")); err != nil {
				t.Fatal(err)
			}
		}
		f(t, x)
	})
}

func (x *fixture) known(keys ...store.Key) store.Rows {
	x.t.Helper()
	rows, err := x.rows.Read(context.Background(), keys...)
	if err != nil {
		x.t.Fatal(err)
	}
	return rows
}

func (x *fixture) kind(key store.Key) string {
	x.t.Helper()
	if p := row.Get[*store.UserPointer](x.known(key), key); p != nil {
		return p.Kind
	}
	return ""
}

// overwrite sets the Kind of a row. To the table under test, this is the write of a
// different writer.
func (x *fixture) overwrite(key store.Key, kind string) {
	x.t.Helper()
	p := row.Get[*store.UserPointer](x.known(key), key)
	p.Kind = kind
	if err := x.rows.Write(context.Background(), store.Put(p, p.Rev, "another")); err != nil {
		x.t.Fatal(err)
	}
}

// onWrite makes the store call f before each write. n is the number of the write, counted
// from 1. err is the response to the write. If saved is true, the write succeeds, even if
// err is not nil.
func (x *fixture) onWrite(f func(n int) (saved bool, err error)) {
	var n atomic.Int32
	x.faulty.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
		if op.Name != "write" {
			return true, nil
		}
		return f(int(n.Add(1)))
	}
}

func appendNew(keys ...store.Key) func(context.Context, *row.Tx) error {
	return func(_ context.Context, tx *row.Tx) error {
		for _, key := range keys {
			p := *row.Get[*store.UserPointer](tx.Rows(), key)
			p.Kind += "+new"
			tx.Put(&p)
		}
		return nil
	}
}

func counted(n *int, edit func(context.Context, *row.Tx) error) func(context.Context, *row.Tx) error {
	return func(ctx context.Context, tx *row.Tx) error {
		*n++
		return edit(ctx, tx)
	}
}

func (x *fixture) wantCounts(reads, writes int) {
	x.t.Helper()
	if r, w := x.faulty.Count("read"), x.faulty.Count("write"); r != reads || w != writes {
		x.t.Errorf("got %d reads and %d writes, want %d and %d", r, w, reads, writes)
	}
}

func (x *fixture) wantKind(key store.Key, want string) {
	x.t.Helper()
	if got := x.kind(key); got != want {
		x.t.Errorf("row %v has %q, want %q", key, got, want)
	}
}
