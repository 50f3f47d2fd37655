package boot

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"
)

// warmTime is the time limit for Warm. The limit is much shorter than Lambda's limit for
// init, which is ten seconds, because the first request waits until init ends.
const warmTime = 2 * time.Second

var errWarmPanic = errors.New("warm-up panicked")

// Warm prepares a process for its first request. Warm calls the functions concurrently,
// and loads the system's TLS roots at the same time. Warm returns when all functions have
// returned, or after two seconds. Each function should make a call to a service, for
// example read the keyring, to open a network connection and fill a cache. A function
// must return when its context is done.
//
// Call Warm during init, because Lambda does not throttle the CPU during init. Warm logs
// errors and does not return them, because a Lambda function must start even if a service
// is unavailable. In that case, the first request opens the network connection.
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

func guarded(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if recover() != nil {
			err = errWarmPanic
		}
	}()
	return f(ctx)
}

// roots makes crypto/x509 load the system's certificates, so that the first TLS handshake
// does not have to load them.
func roots(context.Context) error {
	_, err := x509.SystemCertPool()
	return err
}
