package storetest

import (
	"context"
	"slices"
	"sync"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Op describes one call of a store.
type Op struct {
	// Name is "read", "write", "list" or "scan".
	Name string
	// Keys are the keys that are read or written. For a list it is one key with only
	// the PK set. For a scan it is empty.
	Keys []store.Key
	// Changes are the changes of a write.
	Changes []store.Change
}

// Faulty is a [store.Store] and a [store.Scanner] that records its calls and fails when
// its Hook returns an error. It is safe for concurrent use if Store and Hook are.
type Faulty struct {
	// Store is the wrapped store. It must be a [store.Scanner] if Scan is called.
	Store store.Store
	// Hook is called before each operation. If it is nil, all operations pass
	// through. Its results decide what happens:
	//
	//   - true, nil: the operation passes through to Store.
	//   - false, err: Store is not called and the caller gets err.
	//   - true, err: a write is applied, but the caller gets err. Other operations
	//     only return err.
	//   - false, nil: the same as false, [store.ErrUnavailable].
	Hook func(ctx context.Context, op Op) (apply bool, err error)

	mu    sync.Mutex
	calls []Op
}

// Calls returns all operations since the last Reset, in the order in which they began.
func (f *Faulty) Calls() []Op {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Count returns the number of Calls with this name.
func (f *Faulty) Count(name string) int {
	n := 0
	for _, op := range f.Calls() {
		if op.Name == name {
			n++
		}
	}
	return n
}

// Reset clears the recorded calls.
func (f *Faulty) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = nil
}

// begin records the operation and calls the hook.
func (f *Faulty) begin(ctx context.Context, op Op) (apply bool, err error) {
	f.mu.Lock()
	f.calls = append(f.calls, op)
	f.mu.Unlock()
	if f.Hook == nil {
		return true, nil
	}
	apply, err = f.Hook(ctx, op)
	if !apply && err == nil {
		err = store.ErrUnavailable
	}
	return apply, err
}

// Read implements [store.Store].
func (f *Faulty) Read(ctx context.Context, keys ...store.Key) (store.Rows, error) {
	if _, err := f.begin(ctx, Op{Name: "read", Keys: keys}); err != nil {
		return nil, err
	}
	return f.Store.Read(ctx, keys...)
}

// Write implements [store.Store].
func (f *Faulty) Write(ctx context.Context, changes ...store.Change) error {
	apply, failure := f.begin(ctx, Op{Name: "write", Keys: store.Keys(changes), Changes: changes})
	if !apply {
		return failure
	}
	err := f.Store.Write(ctx, changes...)
	if failure != nil {
		return failure
	}
	return err
}

// List implements [store.Store].
func (f *Faulty) List(ctx context.Context, pk, cursor string) ([]store.Row, string, error) {
	if _, err := f.begin(ctx, Op{Name: "list", Keys: []store.Key{{PK: pk}}}); err != nil {
		return nil, "", err
	}
	return f.Store.List(ctx, pk, cursor)
}

// Scan implements [store.Scanner].
func (f *Faulty) Scan(ctx context.Context, cursor string) ([]store.Row, string, error) {
	if _, err := f.begin(ctx, Op{Name: "scan"}); err != nil {
		return nil, "", err
	}
	return f.Store.(store.Scanner).Scan(ctx, cursor)
}
