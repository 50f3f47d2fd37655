package asanaauth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Clock is the door through which the rules see time. Implementations are safe
// for concurrent use.
type Clock interface {
	// Now is the wall clock. It carries no monotonic reading: that of a frozen
	// Lambda sandbox stands still, and what is kept ages all the same.
	Now() time.Time
	// Sleep returns after d, or with the context's error before.
	Sleep(ctx context.Context, d time.Duration) error
	// WithDeadline is context.WithDeadline by this clock.
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

// Parts are what the rules act through, and nothing else: the store, Asana
// (whose Transport is the door), the keys (whose Wrapper is the door), a clock
// and a source of randomness. All are safe for concurrent use.
type Parts struct {
	Store   store.Store   // required
	Asana   *asana.Client // required by all that talks to Asana
	Keys    *Keys         // required by all but [Login.Begin]
	Secrets *Secrets      // required by all that sends token requests
	Clock   Clock         // nil: SystemClock
	Rand    io.Reader     // nil: crypto/rand.Reader
	Log     *slog.Logger  // nil: nothing is logged
}

func (p Parts) withDefaults() Parts {
	if p.Clock == nil {
		p.Clock = SystemClock{}
	}
	if p.Rand == nil {
		p.Rand = rand.Reader
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	return p
}

func (p *Parts) now() time.Time { return p.Clock.Now() }

// bound gives ctx the deadline now + d, if it has none that is earlier.
func (p *Parts) bound(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return p.Clock.WithDeadline(ctx, p.now().Add(d))
}

// detached gives a context that ends when ctx's time is over, but not when its
// caller goes away.
func (p *Parts) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	end := p.now().Add(p.left(ctx))
	return p.Clock.WithDeadline(context.WithoutCancel(ctx), end)
}

// left is the time that ctx has; a context without a deadline has an hour.
func (p *Parts) left(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return time.Hour
	}
	return end.Sub(p.now())
}

// between draws a duration from [low, high): the jitter of polls and
// cool-downs.
func (p *Parts) between(low, high time.Duration) time.Duration {
	b, err := draw(p.Rand, 4)
	if err != nil {
		return high
	}
	n := uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
	return low + time.Duration(n*uint64(high-low)>>32)
}

// spend writes a spent marker in place of what serves once. Of two who do, one gets
// an error of the kind over. Tried again, a write whose answer was lost knows itself.
func (p *Parts) spend(ctx context.Context, marker store.Change, over ErrorKind) error {
	ctx, cancel := p.bound(ctx, saveReserve)
	defer cancel()
	for {
		err := p.Store.Write(ctx, marker)
		if errors.Is(err, store.ErrConflict) {
			return &Error{Kind: over}
		}
		if err == nil || p.Clock.Sleep(ctx, p.between(pollMin, pollMax)) != nil {
			return fromParts(err)
		}
	}
}

func draw(random io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("drawing randomness: %w", err)
	}
	return b, nil
}

// drawName draws the 64 bits that name a write, a lease or an epoch.
func (p *Parts) drawName() (string, error) {
	b, err := draw(p.Rand, 8)
	return hex.EncodeToString(b), err
}
