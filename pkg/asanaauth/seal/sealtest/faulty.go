package sealtest

import (
	"context"
	"sync"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
)

// The names of the operations that [Faulty] passes to its Hook.
const (
	OpWrap   = "wrap"   // Wrap
	OpUnwrap = "unwrap" // Unwrap
)

// Faulty is a [seal.Wrapper] that counts its calls and fails if Hook returns an error. A
// Faulty must not be copied after first use. A Faulty is safe for concurrent use if Hook
// is.
type Faulty struct {
	// Wrapper wraps and unwraps if Hook does not return an error. Required.
	seal.Wrapper
	// Hook is called before each operation, with OpWrap or OpUnwrap. If Hook returns an
	// error, Faulty does not call Wrapper and returns that error. The error must wrap
	// seal.ErrDenied or seal.ErrUnavailable, as seal.Wrapper requires. If Hook is nil, no
	// operation fails. Do not set Hook while another goroutine uses the Faulty.
	Hook func(op string) error

	mu    sync.Mutex
	calls map[string]int
}

// Calls returns the number of calls of Wrap or Unwrap, including failed calls. op is
// OpWrap or OpUnwrap.
func (f *Faulty) Calls(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[op]
}

// Wrap calls Hook. If Hook returns no error, Wrap calls the Wrap method of Wrapper.
func (f *Faulty) Wrap(ctx context.Context, plain []byte, encctx map[string]string) ([]byte, string, error) {
	if err := f.enter(OpWrap); err != nil {
		return nil, "", err
	}
	return f.Wrapper.Wrap(ctx, plain, encctx)
}

// Unwrap calls Hook. If Hook returns no error, Unwrap calls the Unwrap method of Wrapper.
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
