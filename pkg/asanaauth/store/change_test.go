package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

func pointer(rev int64, writer string) store.Row {
	id := store.ConnectionID(store.HashOf("owner"), "1", "oauth")
	return &store.UserPointer{Head: store.Head{Rev: rev, Writer: writer}, User: store.HashOf("user"), Connection: id}
}

func ring(rev int64, writer string) store.Row {
	return &store.Keyring{Head: store.Head{Rev: rev, Writer: writer}, KMSKey: "key"}
}

func rows(of ...store.Row) store.Rows {
	out := store.Rows{}
	for _, row := range of {
		out[row.Key()] = row
	}
	return out
}

func TestPut(t *testing.T) {
	row := ring(0, "")
	got := store.Put(row, 4, "w")
	if diff := cmp.Diff(store.Change{Key: store.KeyringKey, Row: ring(5, "w"), Replaces: 4}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJudge(t *testing.T) {
	type kind func(rev int64, writer string) store.Row
	put := func(row kind, replaces int64) store.Change { return store.Put(row(0, ""), replaces, "w") }
	drop := func(row kind, replaces int64) store.Change { return store.Delete(row(0, "").Key(), replaces) }
	for _, test := range []struct {
		name     string
		changes  []store.Change
		there    store.Rows
		apply    bool
		conflict store.Rows // nil if no conflict is expected
	}{
		{"put absent, row is missing", []store.Change{put(ring, 0)}, rows(), true, nil},
		{"put absent, row exists", []store.Change{put(ring, 0)}, rows(ring(1, "x")), false, rows(ring(1, "x"))},
		{"put, rev matches", []store.Change{put(ring, 3)}, rows(ring(3, "x")), true, nil},
		{"put, rev is newer", []store.Change{put(ring, 3)}, rows(ring(4, "x")), false, rows(ring(4, "x"))},
		{"put, rev is older", []store.Change{put(ring, 3)}, rows(ring(2, "x")), false, rows(ring(2, "x"))},
		{"put, row is missing", []store.Change{put(ring, 3)}, rows(), false, rows()},
		{"delete, rev matches", []store.Change{drop(ring, 3)}, rows(ring(3, "x")), true, nil},
		{"delete, rev is newer", []store.Change{drop(ring, 3)}, rows(ring(4, "x")), false, rows(ring(4, "x"))},
		{"delete, row is missing", []store.Change{drop(ring, 3)}, rows(), true, nil},
		{"repeated put", []store.Change{put(ring, 3)}, rows(ring(4, "w")), false, nil},
		{"repeated put, row was replaced", []store.Change{put(ring, 3)}, rows(ring(5, "x")), false, rows(ring(5, "x"))},
		{"a later put by the same writer", []store.Change{put(ring, 4)}, rows(ring(4, "w")), true, nil},
		{"a later put by the same writer, refused", []store.Change{put(ring, 5)}, rows(ring(4, "w")), false, rows(ring(4, "w"))},
		{"two, one refused", []store.Change{put(ring, 3), put(pointer, 0)}, rows(ring(3, "x"), pointer(1, "x")), false, rows(pointer(1, "x"))},
		{"two, one refused, row is missing", []store.Change{put(ring, 3), put(pointer, 0)}, rows(), false, rows()},
		{"two, both refused", []store.Change{put(ring, 3), put(pointer, 0)}, rows(ring(4, "x"), pointer(1, "x")), false, rows(ring(4, "x"), pointer(1, "x"))},
		{"two repeated", []store.Change{put(ring, 3), put(pointer, 0)}, rows(ring(4, "w"), pointer(1, "w")), false, nil},
		{"two repeated, the first was replaced", []store.Change{put(ring, 3), put(pointer, 0)}, rows(ring(5, "x"), pointer(1, "w")), false, nil},
		{"two repeated, the second was deleted", []store.Change{put(ring, 3), put(pointer, 0)}, rows(ring(4, "w")), false, nil},
		{"put and delete repeated", []store.Change{put(ring, 3), drop(pointer, 1)}, rows(ring(4, "w")), false, nil},
		{"no changes", nil, rows(), true, nil},
	} {
		apply, err := store.Judge(test.changes, test.there)
		if apply != test.apply {
			t.Errorf("%s: got apply %t, want %t", test.name, apply, test.apply)
		}
		conflict, _ := errors.AsType[*store.Conflict](err)
		if (conflict != nil) != (test.conflict != nil) || (err != nil) != errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: got error %v, want a conflict with %v", test.name, err, test.conflict)
			continue
		}
		if conflict == nil {
			continue
		}
		if diff := cmp.Diff(test.conflict, conflict.Rows); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		// The map test.conflict contains only the rows of failed conditions. A database
		// with conditional writes returns no other rows, so Refused must not need them.
		if again, _ := errors.AsType[*store.Conflict](store.Refused(test.changes, test.conflict)); again == nil {
			t.Errorf("%s: Refused returned no conflict", test.name)
		}
	}
}

func TestWriteWithoutWriterIsNotRecognized(t *testing.T) {
	c := store.Put(ring(0, ""), 3, "")
	if err := store.Refused([]store.Change{c}, rows(ring(4, ""))); !errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestValidate(t *testing.T) {
	good := store.Put(ring(0, ""), 3, "w")
	if err := store.Validate(good, store.Delete(pointer(1, "").Key(), 1)); err != nil {
		t.Errorf("good changes: %v", err)
	}
	elsewhere := good
	elsewhere.Key = pointer(1, "").Key()
	replaces := good
	replaces.Replaces = 4
	for name, changes := range map[string][]store.Change{
		"no key":            {store.Delete(store.Key{}, 1)},
		"a malformed id":    {store.Put(&store.Hot{Connection: "con_1"}, 0, "w")},
		"an unknown prefix": {store.Delete(store.Key{PK: "z#1", SK: "z"}, 1)},
		"a prefix alone":    {store.Delete(store.Key{PK: "a", SK: "attempt"}, 1)},
		"another row's key": {elsewhere},
		"another rev":       {replaces},
		"one row twice":     {good, store.Delete(store.KeyringKey, 3)},
	} {
		if err := store.Validate(changes...); !errors.Is(err, store.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
		if apply, err := store.Judge(changes, rows()); apply || !errors.Is(err, store.ErrFormat) {
			t.Errorf("%s: Judge: got %t, %v", name, apply, err)
		}
	}
}

func TestConflict(t *testing.T) {
	var err error = &store.Conflict{Rows: rows(ring(1, "w"))}
	if !errors.Is(err, store.ErrConflict) || err.Error() != store.ErrConflict.Error() {
		t.Errorf("got %v, want an error that matches ErrConflict", err)
	}
}
