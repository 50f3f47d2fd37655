package boot

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"
)

// warmTime is the time limit of Warm. Lambda allows ten seconds for init, but the first
// caller waits until init ends.
const warmTime = 2 * time.Second

var errWarmPanic = errors.New("warm-up panicked")

// Warm prepares a process for its first request. It calls the functions concurrently, and
// loads the system's TLS roots at the same time. It returns when they have returned, after
// two seconds at most. The functions should read the table and the keyring once, which
// opens connections and fills caches. They must return when their context ends.
//
// Call Warm during init, because Lambda does not throttle the CPU then. Warm logs errors
// but does not return them: a function must start even if a service is unavailable, and the
// first request then does the work.
func Warm(ctx context.Context, log *slog.Logger, functions ...func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, warmTime)
	defer cancel()
	functions = append([]func(context.Context) error{roots}, functions...)
	// The channel has room for all results, so a late function does not block.
	results := make(chan error, len(functions))
	for _, f := range functions {
		go func() { results <- guarded(ctx, f) }()
	}
	for range functions {
		select {
		case err := <-results:
			if err != nil {
				log.WarnContext(ctx, "warm-up", "err", err)
			}
		case <-ctx.Done():
			log.WarnContext(ctx, "warm-up", "err", ctx.Err())
			return
		}
	}
}

// guarded calls f. It returns an error if f panics.
func guarded(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if recover() != nil {
			err = errWarmPanic
		}
	}()
	return f(ctx)
}

// roots makes crypto/x509 load the system's certificates. Otherwise the first TLS handshake
// would load them.
func roots(context.Context) error {
	_, err := x509.SystemCertPool()
	return err
}
