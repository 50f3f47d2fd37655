package local_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// goldenRows returns a row of each kind, with every attribute that the kind allows.
func goldenRows(t *testing.T) []store.Row {
	t.Helper()
	files, err := filepath.Glob("../../../../pkg/asanaauth/store/testdata/rows/*-1.json")
	if err != nil || len(files) < 9 {
		t.Fatalf("got %d golden rows, %v; want at least 9", len(files), err)
	}
	var rows []store.Row
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		row, err := store.DecodeJSON(data)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// TestEveryKindIsShown checks that the page describes each kind of row, and shows for
// each attribute whether the attribute is encrypted.
func TestEveryKindIsShown(t *testing.T) {
	type attributes struct{ Readable, Sealed []string }
	want, got := []attributes{}, []attributes{}
	rows := &store.Memory{}
	for _, row := range goldenRows(t) {
		readable, sealed := split(row)
		want = append(want, attributes{readable, sealed})
		if err := rows.Write(t.Context(), store.Put(row, store.Absent, "w")); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := local.CountKept(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, k := range kept {
		if k.Rows != 1 || k.Purpose == "" || named[k.Kind] {
			t.Errorf("kind %q: got %d rows, purpose %q, repeated: %t; want 1 row, a purpose, not repeated", k.Kind, k.Rows, k.Purpose, named[k.Kind])
		}
		named[k.Kind] = true
		got = append(got, attributes{k.Attributes, k.Sealed})
	}
	order := func(a, b attributes) int {
		return slices.Compare(slices.Concat(a.Readable, a.Sealed), slices.Concat(b.Readable, b.Sealed))
	}
	slices.SortFunc(want, order)
	slices.SortFunc(got, order)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes by kind (-want +got):\n%s", diff)
	}
}

// split returns the names of the row's readable and sealed attributes. To find the sealed
// attributes, split sets the row's secret.Sealed fields to zero, and looks for attributes
// that are missing afterwards. The encrypted keys in a keyring also count as sealed.
func split(row store.Row) (readable, sealed []string) {
	all := store.Encode(row)
	copied := reflect.New(reflect.TypeOf(row).Elem())
	copied.Elem().Set(reflect.ValueOf(row).Elem())
	for i := range copied.Elem().NumField() {
		if field := copied.Elem().Field(i); field.Type() == reflect.TypeFor[secret.Sealed]() {
			field.SetZero()
		}
	}
	if k, ok := copied.Interface().(*store.Keyring); ok {
		k.Wrapped = nil
	}
	left := store.Encode(copied.Interface().(store.Row))
	readable, sealed = slices.Sorted(maps.Keys(left)), []string{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, ok := left[name]; !ok {
			sealed = append(sealed, name)
		}
	}
	return readable, sealed
}
