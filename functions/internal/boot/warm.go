package boot

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"
)

// warmTime bounds warm-up: init may take ten seconds, but the first caller waits
// for all of it.
const warmTime = 2 * time.Second

var errWarmPanic = errors.New("warm-up panicked")

// Warm runs the functions side by side, and the parsing of the TLS roots with
// them, for at most two seconds. It is for init, where Lambda does not throttle
// the CPU: read the table and the keyring once, so that connections are dialled
// and caches filled. Nothing that goes wrong is fatal, since an absent service
// must not keep a function from starting: it is logged, and the first request
// does the work. Functions must end when their context does.
func Warm(ctx context.Context, log *slog.Logger, functions ...func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, warmTime)
	defer cancel()
	functions = append([]func(context.Context) error{roots}, functions...)
	// Buffered for all of them: who comes late must not hang.
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

// guarded turns a panic, which would end the process, into an error.
func guarded(ctx context.Context, f func(context.Context) error) (err error) {
	defer func() {
		if recover() != nil {
			err = errWarmPanic
		}
	}()
	return f(ctx)
}

// roots makes crypto/x509 read and keep the system's certificates, or else the
// first handshake would.
func roots(context.Context) error {
	_, err := x509.SystemCertPool()
	return err
}
