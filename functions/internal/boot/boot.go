// Package boot starts a function. Every function's main calls [Run] with its NewHandler,
// which uses the other functions of this package: [AWS] reads the configuration of the AWS
// clients, [AsanaTransport] returns the transport for Asana, [Settle] reports configuration
// errors, [Warm] prepares for the first request, and [DropStaleConns] closes connections
// that did not survive a freeze.
//
// The package imports no client of an AWS service, so each function links only the clients
// that its own main uses. It does not import package asanaauth or the packages below it.
package boot

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/internal/lambdahttp"
	"github.com/asanaauth/asanaauth/internal/version"
)

// NewHandler makes the handler of a function. It reads environment variables through
// lookup, and calls [Settle] and then [Warm]. Its error names every variable that is
// missing or malformed.
type NewHandler func(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error)

// Problem writes the response if no handler can: with status 400 for an event that is not
// an HTTP request, and with 500 after a panic. Run has logged the error already.
type Problem func(w http.ResponseWriter, requestID string, status int)

// Run is the body of a function's main. It logs the program's version and calls newHandler,
// then serves events until Lambda ends the process. It never returns. If newHandler returns
// an error, Run logs it and exits with status 1, which Lambda reports as an init error.
func Run(newHandler NewHandler, problem Problem) {
	// Lambda sends stdout and stderr to the log group. aws-lambda-go also writes to stderr.
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	logVersion(log, version.Of())
	h, err := newHandler(context.Background(), os.LookupEnv, log)
	if err != nil {
		// errors.Join writes one error on each line.
		log.Error("function cannot start", "err", strings.Split(err.Error(), "\n"))
		os.Exit(1)
	}
	// During init a function has all cores, but during an invocation only a share of one.
	// With more threads, the garbage collector would use up the request's CPU time.
	runtime.GOMAXPROCS(1)
	lambda.Start(lambdahttp.New(h, options(log, problem)))
}

// logVersion logs the line with which every process of a function starts.
func logVersion(log *slog.Logger, v version.Info) {
	attrs := []any{"version", v.Version}
	if v.Commit != "" {
		attrs = append(attrs, "commit", v.Commit)
	}
	if v.Modified {
		attrs = append(attrs, "modified", true)
	}
	log.Info("function starting", attrs...)
}

// Settle logs the warnings of r and returns its errors. Call it after the last variable has
// been read, and before any value is used.
func Settle(ctx context.Context, log *slog.Logger, r *env.Reader) error {
	for _, w := range r.Warnings() {
		log.WarnContext(ctx, "odd configuration", "err", w)
	}
	return r.Err()
}

// options returns the hooks that log bad events and panics, and then call problem.
func options(log *slog.Logger, problem Problem) lambdahttp.Options {
	return lambdahttp.Options{
		BadEvent: func(w http.ResponseWriter, r *http.Request, err error) {
			id := lambdahttp.RequestID(r.Context())
			log.InfoContext(r.Context(), "bad event", "request_id", id, "status", http.StatusBadRequest, "err", err)
			problem(w, id, http.StatusBadRequest)
		},
		Panicked: func(w http.ResponseWriter, r *http.Request, v any) {
			id := lambdahttp.RequestID(r.Context())
			log.ErrorContext(r.Context(), "panic", "request_id", id, "status", http.StatusInternalServerError,
				"err", panicText(v), "stack", stack())
			problem(w, id, http.StatusInternalServerError)
		},
	}
}

// panicText returns the text to log for the value of a panic. The value may contain a
// secret, so only the errors of package runtime are shown.
func panicText(v any) string {
	var err runtime.Error
	if e, ok := v.(error); ok && errors.As(e, &err) {
		return err.Error()
	}
	return "panic with a value that is not shown"
}
