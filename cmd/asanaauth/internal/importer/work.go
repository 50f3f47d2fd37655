package importer

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// A temporary failure of a line is retried with a backoff that doubles each time. The
// waits add up to about a minute, or to more if Asana sends Retry-After.
const (
	maxTries     = 5
	firstBackoff = 2 * time.Second
	maxBackoff   = 5 * time.Minute
)

// work imports a line and reports the result. If it returns an error, the import must
// stop.
func (r *run) work(ctx context.Context, l line) error {
	if ctx.Err() != nil {
		return nil // canceled: the next run imports it
	}
	e, err := r.try(ctx, l)
	if err != nil {
		e = undone(l.number, err)
	}
	if err := r.report.add(e); err != nil {
		return err
	}
	if e.Type == asanaauth.Misconfigured {
		return errors.New("the client id or the client secret is wrong, or the refresh tokens belong to another app: check ASANA_CLIENT_ID and the client secret, then run the command again")
	}
	return nil
}

// try imports a line and retries temporary failures. It does not cancel an import that
// has started: Asana may have rotated its refresh token already, and the new one would
// be lost.
func (r *run) try(ctx context.Context, l line) (entry, error) {
	if l.err != nil {
		return entry{}, l.err
	}
	for n := 1; ; n++ {
		e, err := r.alone(context.WithoutCancel(ctx), l)
		wait, temporary := backoff(err, n)
		if !temporary || n == maxTries || !pause(ctx, wait) {
			return e, err
		}
	}
}

// alone imports a line while no other line uses the same refresh token. If Asana rotates
// refresh tokens, only one of two concurrent uses would succeed.
func (r *run) alone(ctx context.Context, l line) (entry, error) {
	if token := l.request.RefreshToken; !token.IsZero() {
		free := r.tokens[sha256.Sum256([]byte(token.Reveal()))[0]]
		free <- struct{}{}
		defer func() { <-free }()
	}
	return r.one(ctx, l)
}

// backoff returns the delay before retry n, and whether err is temporary.
func backoff(err error, n int) (time.Duration, bool) {
	var e *asanaauth.Error
	if !errors.As(err, &e) || e.Kind != asanaauth.TryAgain && e.Kind != asanaauth.AsanaUnavailable {
		return 0, false
	}
	wait := firstBackoff << (n - 1)
	wait += rand.N(wait / 2) // workers must not retry at the same time
	return min(max(wait, e.RetryAfter), maxBackoff), true
}

// pause waits for d. It returns false if ctx is canceled first.
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
