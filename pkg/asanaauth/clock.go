package asanaauth

import (
	"context"
	"time"
)

// Clock is the only source of time of the packages that do the work. Their Configs take
// one, so that a test can set the time. Implementations must be safe for concurrent use.
type Clock interface {
	// Now returns the wall clock's time without a monotonic reading. The monotonic clock
	// stops while a Lambda sandbox is frozen, so cached values would seem too young.
	Now() time.Time
	// Sleep returns nil after d, or ctx's error if ctx ends first.
	Sleep(ctx context.Context, d time.Duration) error
	// WithDeadline is like context.WithDeadline, but uses this clock.
	WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc)
}

// SystemClock is the [Clock] of the machine, for all programs except tests.
type SystemClock struct{}

// Now returns the wall clock's time without a monotonic reading.
func (SystemClock) Now() time.Time { return time.Now().Round(0) }

// Sleep returns nil after d, or ctx's error if ctx ends first.
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
