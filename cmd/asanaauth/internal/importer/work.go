package importer

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// A line is tried again where that may help, with longer waits each time: a minute in
// all, or more where Asana asked for it.
const (
	tries    = 5
	firstGap = 2 * time.Second
	mostGap  = 5 * time.Minute
)

// work imports a line and reports it. The error says that no more lines are to begin.
func (r *run) work(ctx context.Context, l line) error {
	if ctx.Err() != nil {
		return nil // it came too late: the next run has it
	}
	e, err := r.try(ctx, l)
	if err != nil {
		e = undone(l.number, err)
	}
	if err := r.report.add(e); err != nil {
		return err
	}
	if e.Type == asanaauth.Misconfigured {
		return errors.New("asana refuses the client id or the client secret, or the grants are another app's: mend that, and run it again")
	}
	return nil
}

// try imports a line, again and again while the trouble is a passing one. An import
// that has begun is not broken off: its token may be used up, and would be lost.
func (r *run) try(ctx context.Context, l line) (entry, error) {
	if l.err != nil {
		return entry{}, l.err
	}
	for n := 1; ; n++ {
		e, err := r.alone(context.WithoutCancel(ctx), l)
		wait, passing := gap(err, n)
		if !passing || n == tries || !pause(ctx, wait) {
			return e, err
		}
	}
}

// alone has no other line use the same refresh token meanwhile: where Asana rotates,
// of two only one would be answered.
func (r *run) alone(ctx context.Context, l line) (entry, error) {
	if token := l.request.RefreshToken; !token.IsZero() {
		free := r.tokens[sha256.Sum256([]byte(token.Reveal()))[0]]
		free <- struct{}{}
		defer func() { <-free }()
	}
	return r.one(ctx, l)
}

// gap is how long to wait after the n-th failure, where it may pass.
func gap(err error, n int) (time.Duration, bool) {
	var e *asanaauth.Error
	if !errors.As(err, &e) || e.Kind != asanaauth.TryAgain && e.Kind != asanaauth.AsanaUnavailable {
		return 0, false
	}
	wait := firstGap << (n - 1)
	wait += rand.N(wait / 2) // so that workers do not come back together
	return min(max(wait, e.RetryAfter), mostGap), true
}

// pause reports whether the time has passed, and not ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
