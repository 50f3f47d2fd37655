package thirdstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"example.com/thirdstore"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
)

var _ store.Scanner = (*thirdstore.Store)(nil) // otherwise storetest would skip Scan

func open(t *testing.T, path string) *thirdstore.Store {
	t.Helper()
	s, err := thirdstore.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, filepath.Join(t.TempDir(), "rows")) })
}

// A reopened store contains the effects of all complete writes and ignores an incomplete
// write.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows")
	pointer := &store.UserPointer{User: store.HashOf("user"), Connection: "a"}
	ring := &store.Keyring{KMSKey: "key"}
	first := open(t, path)
	for _, changes := range [][]store.Change{
		{store.Put(pointer, store.Absent, "w"), store.Put(ring, store.Absent, "w")},
		{store.Delete(pointer.Key(), pointer.Rev)},
	} {
		if err := first.Write(t.Context(), changes...); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	part := `[{"Key":{"PK":"k#keyring","SK":"keyring"}}`
	if err := os.WriteFile(path, append(data, part...), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		again := open(t, path)
		rows, err := again.Read(t.Context(), pointer.Key(), ring.Key())
		if got, _ := rows[ring.Key()].(*store.Keyring); err != nil || len(rows) != 1 || got == nil || got.Rev != ring.Rev {
			t.Fatalf("got %v, %v, want the keyring of rev %d", rows, err, ring.Rev)
		}
		if err := again.Write(t.Context(), store.Put(ring, ring.Rev, "again")); err != nil {
			t.Fatal(err)
		}
	}
}
