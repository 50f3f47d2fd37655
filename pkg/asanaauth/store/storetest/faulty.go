package storetest

import (
	"context"
	"slices"
	"sync"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Op is one call of a store.
type Op struct {
	// Name is "read", "write", "list" or "scan".
	Name string
	// Keys are those asked for or changed; of a list, the partition alone.
	Keys []store.Key
	// Changes are those of a write.
	Changes []store.Change
}

// Faulty is a [store.Store] and a [store.Scanner] that fails where its Hook
// says so, and counts its calls. Safe for concurrent use where Store and Hook
// are.
type Faulty struct {
	// Store is asked, and has to be a [store.Scanner] where Scan is called.
	Store store.Store
	// Hook is called before each operation; nil means that none fails. apply
	// says whether the operation reaches Store, err what its caller hears:
	// (true, nil) passes it through, (false, err) is "failed and not saved",
	// (true, err) "failed but saved". (false, nil) would be a lie; the caller
	// hears ErrUnavailable.
	Hook func(ctx context.Context, op Op) (apply bool, err error)

	mu    sync.Mutex
	calls []Op
}

// Calls returns the operations since the beginning or the last Reset, in the
// order in which they began.
func (f *Faulty) Calls() []Op {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Count returns how many of Calls have this name.
func (f *Faulty) Count(name string) int {
	n := 0
	for _, op := range f.Calls() {
		if op.Name == name {
			n++
		}
	}
	return n
}

// Reset forgets the calls.
func (f *Faulty) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = nil
}

// ask counts the operation and asks the hook.
func (f *Faulty) ask(ctx context.Context, op Op) (apply bool, err error) {
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
	if _, err := f.ask(ctx, Op{Name: "read", Keys: keys}); err != nil {
		return nil, err
	}
	return f.Store.Read(ctx, keys...)
}

// Write implements [store.Store].
func (f *Faulty) Write(ctx context.Context, changes ...store.Change) error {
	apply, failure := f.ask(ctx, Op{Name: "write", Keys: store.Keys(changes), Changes: changes})
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
	if _, err := f.ask(ctx, Op{Name: "list", Keys: []store.Key{{PK: pk}}}); err != nil {
		return nil, "", err
	}
	return f.Store.List(ctx, pk, cursor)
}

// Scan implements [store.Scanner].
func (f *Faulty) Scan(ctx context.Context, cursor string) ([]store.Row, string, error) {
	if _, err := f.ask(ctx, Op{Name: "scan"}); err != nil {
		return nil, "", err
	}
	return f.Store.(store.Scanner).Scan(ctx, cursor)
}
