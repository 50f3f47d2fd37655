package sealtest_test

import (
	"errors"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/sealtest"
)

func TestFaultyReturnsTheHooksError(t *testing.T) {
	var fault error
	f := &sealtest.Faulty{Wrapper: local.New([32]byte{1}), Hook: func(op string) error {
		if op == sealtest.OpUnwrap {
			return fault
		}
		return nil
	}}
	wrapped, key, err := f.Wrap(t.Context(), []byte("plain"), seal.Context("i"))
	if err != nil {
		t.Fatal(err)
	}
	fault = seal.ErrUnavailable
	if plain, err := f.Unwrap(t.Context(), wrapped, key, seal.Context("i")); !errors.Is(err, fault) || plain != nil {
		t.Errorf("Unwrap = %q, %v, want the hook's error", plain, err)
	}
	fault = nil
	if plain, err := f.Unwrap(t.Context(), wrapped, key, seal.Context("i")); err != nil || string(plain) != "plain" {
		t.Errorf("Unwrap = %q, %v, want the wrapper's result", plain, err)
	}
	if w, u := f.Calls(sealtest.OpWrap), f.Calls(sealtest.OpUnwrap); w != 1 || u != 2 {
		t.Errorf("Calls = %d wraps and %d unwraps, want 1 and 2", w, u)
	}
}

func TestConformanceOfFaultyWithoutHook(t *testing.T) {
	sealtest.Run(t, func(*testing.T) seal.Wrapper { return &sealtest.Faulty{Wrapper: local.New([32]byte{1})} })
}
