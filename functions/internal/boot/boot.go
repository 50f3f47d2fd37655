// Package boot starts a Lambda function. Each Lambda function is a program whose main
// function calls [Run] with a [NewHandler]. The NewHandler calls the other functions of
// this package. [AWS] reads the configuration of the AWS clients. [AsanaTransport]
// returns the HTTP transport for Asana. [Settle] reports configuration errors. [Warm]
// prepares the process for its first request. [DropStaleConns] closes network connections
// that may have broken while Lambda froze the process.
//
// The program of a Lambda function must not contain packages that the function does not
// use. Therefore package boot imports neither the client of an AWS service, nor package
// asanaauth or the packages below it.
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

// A NewHandler returns the HTTP handler of a Lambda function. It reads environment
// variables with lookup, and then calls [Settle] and [Warm]. The error names every
// variable that is missing or malformed.
type NewHandler func(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error)

// A Problem writes an error response in place of the handler. The status is 400 if the
// event is not an HTTP request, and 500 if the handler panicked. [Run] logs the error
// before it calls the Problem.
type Problem func(w http.ResponseWriter, requestID string, status int)

// Run starts a Lambda function. Run logs the program's version, builds the handler with
// newHandler, and serves events until Lambda ends the process. Run never returns. If
// newHandler returns an error, Run logs the error and exits with status 1, which Lambda
// reports as an init error.
func Run(newHandler NewHandler, problem Problem) {
	// Lambda sends stderr to the log group, and aws-lambda-go writes its own errors to
	// stderr, too.
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	logVersion(log, version.Of())
	h, err := newHandler(context.Background(), os.LookupEnv, log)
	if err != nil {
		// errors.Join writes one error on each line.
		log.Error("function cannot start", "err", strings.Split(err.Error(), "\n"))
		os.Exit(1)
	}
	// During init, the process may use all cores. During an invocation, the process has
	// only a share of one core. With more than one thread, the garbage collector would
	// take CPU time from the request.
	runtime.GOMAXPROCS(1)
	lambda.Start(lambdahttp.New(h, options(log, problem)))
}

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

// Settle logs the warnings and returns the errors that r has collected. Call Settle after
// the last variable is read, and before any value is used.
func Settle(ctx context.Context, log *slog.Logger, r *env.Reader) error {
	for _, w := range r.Warnings() {
		log.WarnContext(ctx, "a variable is probably wrong", "err", w)
	}
	return r.Err()
}

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

// panicText describes the value v of a panic for the log. The result contains the text of
// v only if v is a [runtime.Error], because any other value may contain a secret.
func panicText(v any) string {
	var err runtime.Error
	if e, ok := v.(error); ok && errors.As(e, &err) {
		return err.Error()
	}
	return "panic with a value that is not shown"
}
