package row_test

import (
	"errors"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

var errSpent = errors.New("spent")

func spent(name string) *store.UserPointer {
	marker := pointer(name)
	marker.Kind = "spent"
	return marker
}

func TestOneOfTwoConsumersWins(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		x.onWrite(func(int) (bool, error) {
			time.Sleep(100 * time.Millisecond)
			return true, nil
		})
		results := make(chan error)
		for range 2 {
			known := x.known(keyA)[keyA]
			go func() { results <- x.table.Consume(t.Context(), "a", known, spent("a"), errSpent) }()
		}
		first, second := <-results, <-results
		if first != nil {
			first, second = second, first
		}
		if first != nil || !errors.Is(second, errSpent) {
			t.Errorf("got %v and %v, want one errSpent", first, second)
		}
		x.wantKind(keyA, "spent")
	})
}

func TestConsumeRecognizesItself(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		x.onWrite(func(n int) (bool, error) { return true, authtest.FailIf(n == 1, authtest.ErrTableDown) })
		if err := x.table.Consume(t.Context(), "a", x.known(keyA)[keyA], spent("a"), errSpent); err != nil {
			t.Error(err)
		}
		x.wantKind(keyA, "spent")
	})
}

func TestConsumeEndsAfterTheSaveReserve(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		x.onWrite(func(int) (bool, error) { return false, authtest.ErrTableDown })
		err := x.table.Consume(t.Context(), "a", x.known(keyA)[keyA], spent("a"), errSpent)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		if took := time.Since(x.began); took != row.SaveReserve {
			t.Errorf("took %v, want %v", took, row.SaveReserve)
		}
		x.wantKind(keyA, "old")
	})
}

func TestInsertDoesNotReplace(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		authtest.WantKind(t, x.table.Insert(t.Context(), "a", spent("a")), asanaauth.TryAgain)
		x.wantKind(keyA, "old")
		if err := x.table.Insert(t.Context(), "c", pointer("c")); err != nil {
			t.Error(err)
		}
		x.wantKind(keyC, "old")
	})
}

func TestReplaceWritesOnce(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		known := x.known(keyA)[keyA]
		x.overwrite(keyA, "another's")
		var conflict *store.Conflict
		if err := x.table.Replace(t.Context(), known, spent("a")); !errors.As(err, &conflict) || conflict.Rows[keyA] == nil {
			t.Errorf("got %v, want a conflict with the row that is there", err)
		}
		x.wantCounts(0, 1)
		if err := x.table.Replace(t.Context(), x.known(keyA)[keyA], spent("a")); err != nil {
			t.Error(err)
		}
		x.wantKind(keyA, "spent")
	})
}

func TestUpdateHot(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		hot := &store.Hot{Connection: store.ConnectionID(store.HashText("owner"), "1", string(asanaauth.OAuth)), Status: row.Active}
		if err := x.table.Insert(t.Context(), "the connection", hot); err != nil {
			t.Fatal(err)
		}
		written, err := x.table.UpdateHot(t.Context(), hot, func(now *store.Hot) error { now.Status = row.Broken; return nil })
		if err != nil || written.Status != row.Broken || written.Rev != 2 || hot.Status != row.Active {
			t.Errorf("got %+v, %v; the caller's row is %s", written, err, hot.Status)
		}
		// If edit changes the row and then returns an error, UpdateHot must return the
		// row without the change.
		seen, err := x.table.UpdateHot(t.Context(), written, func(now *store.Hot) error { now.Status = row.Revoking; return errSpent })
		if !errors.Is(err, errSpent) || seen.Status != row.Broken {
			t.Errorf("UpdateHot() = %+v, %v; want the row as it was, and errSpent", seen, err)
		}
		if err := x.rows.Write(t.Context(), store.Delete(hot.Key(), written.Rev)); err != nil {
			t.Fatal(err)
		}
		gone, err := x.table.UpdateHot(t.Context(), written, func(now *store.Hot) error { now.Status = row.Revoking; return nil })
		if !errors.Is(err, row.ErrChanged) || gone != nil {
			t.Errorf("got %+v, %v; want no row and ErrChanged", gone, err)
		}
		_, err = x.table.ReadHot(t.Context(), hot.Connection)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
	})
}
