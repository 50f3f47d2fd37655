package store_test

import (
	"strconv"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
)

// TestMemoryPages: a caller that forgets the cursor is to learn it in a test.
func TestMemoryPages(t *testing.T) {
	m := &store.Memory{}
	for n := range 101 {
		id := store.ConnectionID(store.HashOf("owner"), strconv.Itoa(n), store.OAuth)
		row := &store.UserPointer{User: store.HashOf("user"), Connection: id}
		if err := m.Write(t.Context(), store.Put(row, store.Absent, "w")); err != nil {
			t.Fatal(err)
		}
	}
	page, next, err := m.List(t.Context(), store.UserPartition(store.HashOf("user")), "")
	if len(page) != 100 || next == "" || err != nil {
		t.Errorf("got %d rows, cursor %q, %v, want 100 and a cursor", len(page), next, err)
	}
}

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return &store.Memory{} })
}
