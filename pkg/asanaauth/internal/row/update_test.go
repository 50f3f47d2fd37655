package row_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
)

func TestUpdateReadsOnceAndWritesOnce(t *testing.T) {
	for name, isKnown := range map[string]bool{"known rows": true, "rows to be read": false} {
		t.Run(name, func(t *testing.T) {
			withTable(t, func(t *testing.T, x *fixture) {
				u := row.Update{Keys: []store.Key{keyA, keyB}, Edit: appendNew(keyA, keyB)}
				reads := 1
				if isKnown {
					u.Known, reads = x.known(keyA, keyB), 0
				}
				if err := x.table.Update(t.Context(), u); err != nil {
					t.Fatal(err)
				}
				x.wantCounts(reads, 1)
				x.wantKind(keyA, "old+new")
				x.wantKind(keyB, "old+new")
			})
		})
	}
}

// If the response to a successful write is lost, Update repeats the write. The store must
// then recognize that it has already written the rows.
func TestUpdateRecognizesItsOwnChanges(t *testing.T) {
	for name, keys := range map[string][]store.Key{"one row": {keyA}, "several rows": {keyA, keyB}} {
		t.Run(name, func(t *testing.T) {
			withTable(t, func(t *testing.T, x *fixture) {
				edits := 0
				x.onWrite(func(n int) (bool, error) { return true, authtest.FailIf(n == 1, authtest.ErrTableDown) })
				err := x.table.Update(t.Context(), row.Update{Keys: keys, Edit: counted(&edits, appendNew(keys...))})
				if err != nil {
					t.Fatal(err)
				}
				x.wantCounts(1, 2)
				authtest.WantCount(t, "edits", edits, 1)
				x.wantKind(keyA, "old+new")
			})
		})
	}
}

// The response to a successful write of two rows is lost, and then a different writer
// overwrites one of the rows. Because Update recognizes the other row as its own, it must
// report success.
func TestUpdateRecognizesItsOwnChangesInPart(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		x.onWrite(func(n int) (bool, error) {
			if n == 2 {
				x.overwrite(keyA, "another's")
			}
			return true, authtest.FailIf(n == 1, authtest.ErrTableDown)
		})
		err := x.table.Update(t.Context(), row.Update{Keys: []store.Key{keyA, keyB}, Edit: appendNew(keyA, keyB)})
		if err != nil {
			t.Fatal(err)
		}
		x.wantKind(keyA, "another's")
		x.wantKind(keyB, "old+new")
	})
}

// If the store's client sends a request twice, the first request can write the rows, and
// the response to the second is a conflict. Update must then read the rows again, and
// find that its write succeeded.
func TestUpdateRecognizesItsOwnRowsWhenItReadsThemAgain(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		edits := 0
		x.onWrite(func(n int) (bool, error) {
			if n > 1 {
				return true, nil
			}
			return true, &store.Conflict{}
		})
		err := x.table.Update(t.Context(), row.Update{Keys: []store.Key{keyA, keyB}, Edit: counted(&edits, appendNew(keyA, keyB))})
		if err != nil {
			t.Fatal(err)
		}
		x.wantCounts(2, 1)
		authtest.WantCount(t, "edits", edits, 1)
		x.wantKind(keyA, "old+new")
	})
}

func TestUpdateOfOneRowEditsTheRowThatCameFirst(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		x.onWrite(func(n int) (bool, error) {
			if n == 1 {
				x.overwrite(keyA, "another's")
			}
			return true, nil
		})
		u := row.Update{Keys: []store.Key{keyA}, Known: x.known(keyA), Edit: appendNew(keyA)}
		if err := x.table.Update(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		x.wantCounts(0, 2) // the conflict error contains the row, so Update does not read it
		x.wantKind(keyA, "another's+new")
		if took := time.Since(x.began); took > 0 {
			t.Errorf("waited %v, want 0", took)
		}
	})
}

func TestUpdateOfSeveralRowsReadsAllAgain(t *testing.T) {
	readsB := func(ctx context.Context, tx *row.Tx) error {
		if err := tx.Read(ctx, "b", keyB); err != nil {
			return err
		}
		return appendNew(keyA, keyB)(ctx, tx)
	}
	for name, u := range map[string]row.Update{
		"keys":           {Keys: []store.Key{keyA, keyB}, Edit: appendNew(keyA, keyB)},
		"a row of a try": {Keys: []store.Key{keyA}, Edit: readsB},
	} {
		t.Run(name, func(t *testing.T) {
			withTable(t, func(t *testing.T, x *fixture) {
				x.onWrite(func(n int) (bool, error) {
					if n == 1 {
						x.overwrite(keyA, "another's")
						x.overwrite(keyB, "another's")
					}
					return true, nil
				})
				if err := x.table.Update(t.Context(), u); err != nil {
					t.Fatal(err)
				}
				x.wantKind(keyA, "another's+new")
				x.wantKind(keyB, "another's+new")
				if took := time.Since(x.began); took == 0 {
					t.Error("it did not pause before it read again")
				}
			})
		})
	}
}

// If a row in Known has been deleted, the first write fails. Update must then call Edit
// without that row.
func TestUpdateOfARowThatIsGone(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		known := x.known(keyA)
		if err := x.rows.Write(t.Context(), store.Delete(keyA, store.RevOf(known[keyA]))); err != nil {
			t.Fatal(err)
		}
		errGone := errors.New("gone")
		err := x.table.Update(t.Context(), row.Update{
			Keys: []store.Key{keyA}, Known: known,
			Edit: func(ctx context.Context, tx *row.Tx) error {
				if tx.Row(keyA) == nil {
					return errGone
				}
				return appendNew(keyA)(ctx, tx)
			},
		})
		if !errors.Is(err, errGone) {
			t.Errorf("Update() = %v, want errGone", err)
		}
	})
}

func TestUpdateInsertsAndDeletes(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		u := row.Update{Keys: []store.Key{keyA, keyB, keyC}, Edit: func(_ context.Context, tx *row.Tx) error {
			tx.Delete(keyA)
			tx.Put(pointer("c"))
			return nil
		}}
		if err := x.table.Update(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		x.wantKind(keyA, "")
		x.wantKind(keyC, "old")
		// Deleting a missing row is not an error.
		u.Edit = func(_ context.Context, tx *row.Tx) error { tx.Delete(keyA); return nil }
		if err := x.table.Update(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		x.wantCounts(2, 1)
	})
}

func TestUpdateTriesUntilTheContextEnds(t *testing.T) {
	for _, op := range []string{"read", "write"} {
		t.Run(op, func(t *testing.T) {
			withTable(t, func(t *testing.T, x *fixture) {
				x.faulty.Hook = func(_ context.Context, o storetest.Op) (bool, error) {
					return o.Name != op, authtest.FailIf(o.Name == op, authtest.ErrTableDown)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				err := x.table.Update(ctx, row.Update{Keys: []store.Key{keyA}, Edit: appendNew(keyA)})
				authtest.WantKind(t, err, asanaauth.TryAgain)
				if !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("got %v, want the store's error", err)
				}
				if took := time.Since(x.began); took != 2*time.Second {
					t.Errorf("took %v, want 2s", took)
				}
				if n := x.faulty.Count(op); n < 5 || n > 20 {
					t.Errorf("%d tries in 2s, want one in 100 to 400 ms", n)
				}
			})
		})
	}
}

// If Tx.Read fails in Edit, Update must read all rows again, and call Edit again.
func TestUpdateRepeatsAFurtherRead(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		reads := 0
		x.faulty.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "read" {
				reads++
			}
			return true, authtest.FailIf(reads == 2, authtest.ErrTableDown)
		}
		u := row.Update{Keys: []store.Key{keyA}, Edit: func(ctx context.Context, tx *row.Tx) error {
			if err := tx.Read(ctx, "b", keyB); err != nil {
				return err
			}
			return appendNew(keyA, keyB)(ctx, tx)
		}}
		if err := x.table.Update(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		x.wantCounts(4, 1)
		x.wantKind(keyB, "old+new")
	})
}

// Update must also repeat a write after an unknown error, for example while an operator
// changes a permission. Otherwise, a rotated token could be lost.
func TestUpdateRepeatsAWriteAfterAnyOtherError(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		failures := 3
		x.faulty.Hook = func(_ context.Context, o storetest.Op) (bool, error) {
			if o.Name == "write" && failures > 0 {
				failures--
				return false, errors.New("access denied")
			}
			return true, nil
		}
		if err := x.table.Update(t.Context(), row.Update{Keys: []store.Key{keyA}, Edit: appendNew(keyA)}); err != nil {
			t.Fatal(err)
		}
		x.wantCounts(1, 4)
	})
}

func TestUpdateDoesNotRepeatAnUnknownFormat(t *testing.T) {
	for _, op := range []string{"read", "write"} {
		t.Run(op, func(t *testing.T) {
			withTable(t, func(t *testing.T, x *fixture) {
				x.faulty.Hook = func(_ context.Context, o storetest.Op) (bool, error) {
					return o.Name != op, authtest.FailIf(o.Name == op, store.ErrFormat)
				}
				err := x.table.Update(t.Context(), row.Update{Keys: []store.Key{keyA}, Edit: appendNew(keyA)})
				authtest.WantKind(t, err, asanaauth.Internal)
				authtest.WantCount(t, op+"s", x.faulty.Count(op), 1)
			})
		})
	}
}

func TestUpdateStopsAtAnErrorOfEdit(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		errEdit := errors.New("not this row")
		err := x.table.Update(t.Context(), row.Update{Keys: []store.Key{keyA}, Edit: func(ctx context.Context, tx *row.Tx) error {
			return errors.Join(appendNew(keyA)(ctx, tx), errEdit)
		}})
		if !errors.Is(err, errEdit) {
			t.Errorf("Update() = %v, want errEdit", err)
		}
		x.wantCounts(1, 0)
	})
}

func TestUpdateWithoutChangesWritesNothing(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		err := x.table.Update(t.Context(), row.Update{Keys: []store.Key{keyA}, Edit: func(context.Context, *row.Tx) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		x.wantCounts(1, 0)
	})
}
