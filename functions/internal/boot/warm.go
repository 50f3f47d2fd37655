package boot

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"
)

// warmTime is the time limit of warm-up. Lambda allows ten seconds for init, but the first
// caller waits until it ends.
const warmTime = 2 * time.Second

var errWarmPanic = errors.New("warm-up panicked")

// Warm calls the functions concurrently, and parses the TLS roots, for at most two seconds.
// Call it during init, because Lambda does not throttle the CPU then. The functions should
// read the table and the keyring once, to open connections and fill caches. They must return
// when their context ends.
//
// Warm logs errors and returns none, because a function must start even if a service is
// unavailable. The first request then does the work.
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
