package store_test

import (
	"strconv"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
)

func TestMemoryPages(t *testing.T) {
	m := &store.Memory{}
	for n := range 101 {
		id := store.ConnectionID(store.HashOf("owner"), strconv.Itoa(n), "oauth")
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

// TestMemorySharesNoBytes modifies the bytes of rows that were passed to Write or
// returned by Read. The stored row must not change.
func TestMemorySharesNoBytes(t *testing.T) {
	m := &store.Memory{}
	written := &store.Keyring{Wrapped: []byte("wrapped")}
	if err := m.Write(t.Context(), store.Put(written, store.Absent, "w")); err != nil {
		t.Fatal(err)
	}
	written.Wrapped[0] = 'W'
	for range 2 {
		rows, err := m.Read(t.Context(), store.KeyringKey)
		if err != nil {
			t.Fatal(err)
		}
		read := rows[store.KeyringKey].(*store.Keyring)
		if got := string(read.Wrapped); got != "wrapped" {
			t.Errorf("got %q, want %q", got, "wrapped")
		}
		read.Wrapped[0] = 'W'
	}
}
