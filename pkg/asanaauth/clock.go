package asanaauth

import (
	"context"
	"time"
)

// Clock is the only source of time of the packages below this one. Implementations must
// be safe for concurrent use.
type Clock interface {
	// Now returns the wall clock's time without a monotonic reading. The monotonic clock
	// stops while a Lambda sandbox is frozen, so cached values would seem too young.
	Now() time.Time
	// Sleep returns nil after d, or ctx's error if ctx ends first.
	Sleep(ctx context.Context, d time.Duration) error
	// WithDeadline is like context.WithDeadline, but uses this clock.
	WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc)
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now implements [Clock].
func (SystemClock) Now() time.Time { return time.Now().Round(0) }

// Sleep implements [Clock].
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

// WithDeadline implements [Clock].
func (SystemClock) WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	return context.WithDeadline(ctx, at)
}
