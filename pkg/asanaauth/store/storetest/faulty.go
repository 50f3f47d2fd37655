package storetest

import (
	"context"
	"slices"
	"sync"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Op describes one call of a method of [Faulty].
type Op struct {
	// Name is "read", "write", "list" or "scan".
	Name string
	// Keys contains the keys that the call reads or writes. For a list, Keys contains one
	// Key of which only PK is set. For a scan, Keys is empty.
	Keys []store.Key
	// Changes contains the arguments of Write, and is empty for other operations.
	Changes []store.Change
}

// Faulty is a [store.Store] and a [store.Scanner] that records all calls. A call fails if
// Hook returns an error. A Faulty is safe for concurrent use if Store and Hook are.
type Faulty struct {
	// Store is the wrapped store, which must implement [store.Scanner] if Scan is called.
	Store store.Store
	// Faulty calls Hook before each operation. If Hook is nil, Faulty passes all
	// operations to Store. The results of Hook have these meanings:
	//
	//   - true, nil: Faulty passes the operation to Store.
	//   - false, err: Faulty returns err and does not call Store.
	//   - true, err: Faulty passes a write to Store and returns err in any case. For
	//     other operations, it returns err and does not call Store.
	//   - false, nil: Faulty returns [store.ErrUnavailable] and does not call Store.
	Hook func(ctx context.Context, op Op) (apply bool, err error)

	mu    sync.Mutex
	calls []Op
}

// Calls returns all operations since the last Reset, in the order in which they started.
func (f *Faulty) Calls() []Op {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Count returns how many operations with this name have been recorded since the last
// Reset.
func (f *Faulty) Count(name string) int {
	n := 0
	for _, op := range f.Calls() {
		if op.Name == name {
			n++
		}
	}
	return n
}

// Reset deletes the recorded operations, so that Calls and Count start again.
func (f *Faulty) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = nil
}

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
