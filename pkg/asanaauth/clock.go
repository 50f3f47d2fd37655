package asanaauth

import (
	"context"
	"time"
)

// Clock is the source of time for packages such as connection and token. The Config of
// each of these packages has a Clock, so that a test can set the time. Implementations
// must be safe for concurrent use.
type Clock interface {
	// Now returns the wall clock's time without a monotonic reading. The monotonic clock
	// stops while a Lambda sandbox is frozen, so with a monotonic reading, cached values
	// would seem younger than they are.
	Now() time.Time
	// Sleep waits for d and returns nil. If ctx ends first, Sleep returns ctx's error.
	Sleep(ctx context.Context, d time.Duration) error
	// WithDeadline is like [context.WithDeadline], but uses this clock.
	WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc)
}

// SystemClock is the [Clock] that uses the operating system's time. All programs except
// tests use SystemClock.
type SystemClock struct{}

// Now returns the wall clock's time without a monotonic reading.
func (SystemClock) Now() time.Time { return time.Now().Round(0) }

// Sleep waits for d and returns nil. If ctx ends first, Sleep returns ctx's error.
func (SystemClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// WithDeadline calls [context.WithDeadline] with ctx and at.
func (SystemClock) WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, at)
}
