package sealtest

import (
	"context"
	"sync"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
)

// The operations of a wrapper, as Faulty calls them.
const (
	OpWrap   = "wrap"
	OpUnwrap = "unwrap"
)

// Faulty is a wrapper that counts its calls and fails when it is told to. Use
// it by pointer; it is safe for concurrent use if Hook is.
type Faulty struct {
	// Wrapper does the work. Required.
	seal.Wrapper
	// Hook is called before each operation with OpWrap or OpUnwrap. Its error
	// is returned in place of the work; it should wrap seal.ErrDenied or
	// seal.ErrUnavailable, as a wrapper's do. nil never fails.
	Hook func(op string) error

	mu    sync.Mutex
	calls map[string]int
}

// Calls tells how often op was called, failures included.
func (f *Faulty) Calls(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

// Wrap implements [seal.Wrapper].
func (f *Faulty) Wrap(ctx context.Context, plain []byte, encctx map[string]string) ([]byte, string, error) {
	if err := f.enter(OpWrap); err != nil {
		return nil, "", err
	}
	return f.Wrapper.Wrap(ctx, plain, encctx)
}

// Unwrap implements [seal.Wrapper].
func (f *Faulty) Unwrap(ctx context.Context, wrapped []byte, key string, encctx map[string]string) ([]byte, error) {
	if err := f.enter(OpUnwrap); err != nil {
		return nil, err
	}
	return f.Wrapper.Unwrap(ctx, wrapped, key, encctx)
}

func (f *Faulty) enter(op string) error {
	f.mu.Lock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	f.calls[op]++
	f.mu.Unlock()
	if f.Hook == nil {
		return nil
	}
	return f.Hook(op)
}
