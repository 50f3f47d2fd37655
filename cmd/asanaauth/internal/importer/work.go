package importer

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// A line that fails temporarily is tried up to maxTries times. Each delay is twice the
// previous delay. All delays together take 30 to 45 seconds, unless Asana sends a longer
// Retry-After.
const (
	maxTries     = 5
	firstBackoff = 2 * time.Second
	maxBackoff   = 5 * time.Minute
)

// importLine imports a line and adds the result to the report. It returns an error only
// if the whole import must stop.
func (r *run) importLine(ctx context.Context, l line) error {
	if ctx.Err() != nil {
		return nil // canceled: the next run of the command imports the line
	}
	e, err := r.importWithRetries(ctx, l)
	if err != nil {
		e = failedEntry(l.number, err, r.advice(err))
	}
	if err := r.report.add(e); err != nil {
		return err
	}
	if e.Type == asanaauth.Misconfigured {
		return errors.New("the client ID or the client secret is wrong, or the refresh tokens belong to another app: check ASANA_CLIENT_ID and the client secret, then run the command again")
	}
	return nil
}

// importWithRetries imports a line, and tries again after a temporary error. If ctx is
// canceled, importWithRetries does not cancel the current attempt, but does not start
// another attempt. Asana may already have rotated the refresh token, and canceling the
// attempt would lose the new token.
func (r *run) importWithRetries(ctx context.Context, l line) (entry, error) {
	if l.err != nil {
		return entry{}, l.err
	}
	for n := 1; ; n++ {
		e, err := r.importExclusively(context.WithoutCancel(ctx), l)
		wait, temporary := backoff(err, n)
		if !temporary || n == maxTries || !pause(ctx, wait) {
			return e, err
		}
	}
}

// importExclusively waits until no other worker is importing the same refresh token, and
// then imports the line. If Asana rotates refresh tokens, only one of two concurrent
// requests with the token succeeds.
func (r *run) importExclusively(ctx context.Context, l line) (entry, error) {
	if token := l.request.RefreshToken; !token.IsZero() {
		free := r.tokens[sha256.Sum256([]byte(token.Reveal()))[0]]
		free <- struct{}{}
		defer func() { <-free }()
	}
	return r.one(ctx, l)
}

// backoff returns the delay before retry n, and whether err is a temporary error.
func backoff(err error, n int) (time.Duration, bool) {
	var e *asanaauth.Error
	if !errors.As(err, &e) || e.Kind != asanaauth.TryAgain && e.Kind != asanaauth.AsanaUnavailable {
		return 0, false
	}
	wait := firstBackoff << (n - 1)
	wait += rand.N(wait / 2) // workers must not retry at the same time
	return min(max(wait, e.RetryAfter), maxBackoff), true
}

// pause returns true after the duration d, or false as soon as ctx is canceled.
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
