package storetest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
)

func TestFaultyPassesThrough(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return &storetest.Faulty{Store: &store.Memory{}} })
}

func TestFaultyWrites(t *testing.T) {
	down := errors.New("down")
	for _, test := range []struct {
		name      string
		apply     bool
		err, want error
		saved     bool
	}{
		{"passed through", true, nil, nil, true},
		{"failed and not saved", false, down, down, false},
		{"failed but saved", true, down, down, true},
		{"not saved and no error", false, nil, store.ErrUnavailable, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			memory := &store.Memory{}
			faulty := &storetest.Faulty{Store: memory, Hook: func(context.Context, storetest.Op) (bool, error) {
				return test.apply, test.err
			}}
			err := faulty.Write(t.Context(), store.Put(&store.Keyring{}, store.Absent, "w"))
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			rows, _ := memory.Read(t.Context(), store.KeyringKey)
			if saved := rows[store.KeyringKey] != nil; saved != test.saved {
				t.Errorf("got saved %t, want %t", saved, test.saved)
			}
		})
	}
}

func TestFaultyReadsFailAndAreCounted(t *testing.T) {
	faulty := &storetest.Faulty{Store: &store.Memory{}, Hook: func(context.Context, storetest.Op) (bool, error) {
		return true, store.ErrUnavailable
	}}
	_, readErr := faulty.Read(t.Context(), store.KeyringKey)
	_, _, listErr := faulty.List(t.Context(), "k#keyring", "")
	_, _, scanErr := faulty.Scan(t.Context(), "")
	for _, err := range []error{readErr, listErr, scanErr} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	}
	calls := faulty.Calls()
	if len(calls) != 3 || calls[0].Name != "read" || calls[0].Keys[0] != store.KeyringKey || calls[1].Keys[0].PK != "k#keyring" {
		t.Errorf("got calls %+v, want a read, a list and a scan", calls)
	}
	if n := faulty.Count("list"); n != 1 {
		t.Errorf("got %d lists, want 1", n)
	}
	faulty.Reset()
	if calls := faulty.Calls(); len(calls) != 0 {
		t.Errorf("after Reset: got calls %+v, want none", calls)
	}
}
