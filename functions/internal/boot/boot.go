// Package boot has what the mains of all functions share: start, logging, the transports
// for AWS and Asana, and warm-up. It imports no client of an AWS service, so each function
// links only the clients that its own main uses.
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
)

// NewHandler makes the handler of a function. It reads the environment through lookup and
// calls Warm. Its error reports every variable that is wrong.
type NewHandler func(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error)

// Problem writes a response with the status (400 or 500) if no handler can write one. The
// error is logged already.
type Problem func(w http.ResponseWriter, requestID string, status int)

// Run is the body of main, and never returns. It serves events until Lambda ends the
// process. If newHandler returns an error, Run logs it and exits with status 1, which Lambda
// reports as an init error.
func Run(newHandler NewHandler, problem Problem) {
	// Lambda keeps stdout and stderr. aws-lambda-go also writes to stderr.
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := newHandler(context.Background(), os.LookupEnv, log)
	if err != nil {
		// errors.Join writes one error on each line.
		log.Error("the function does not start", "err", strings.Split(err.Error(), "\n"))
		os.Exit(1)
	}
	// Lambda gives init all cores, but an invocation only a part of one. With more
	// threads, the garbage collector would use up the request's CPU time.
	runtime.GOMAXPROCS(1)
	lambda.Start(lambdahttp.New(h, answers(log, problem)))
}

// Settle logs the warnings of r and returns its errors. Call it after the last variable is
// read, and before a value is used.
func Settle(ctx context.Context, log *slog.Logger, r *env.Reader) error {
	for _, w := range r.Warnings() {
		log.WarnContext(ctx, "odd configuration", "err", w)
	}
	return r.Err()
}

// answers returns the options with which lambdahttp logs and writes the responses to bad
// events and panics. The value of a panic may contain a secret, so only the errors of package
// runtime are logged.
func answers(log *slog.Logger, problem Problem) lambdahttp.Options {
	return lambdahttp.Options{
		BadEvent: func(w http.ResponseWriter, r *http.Request, err error) {
			id := lambdahttp.RequestID(r.Context())
			log.InfoContext(r.Context(), "bad event", "request_id", id, "status", http.StatusBadRequest, "err", err)
			problem(w, id, http.StatusBadRequest)
		},
		Panicked: func(w http.ResponseWriter, r *http.Request, v any) {
			id := lambdahttp.RequestID(r.Context())
			log.ErrorContext(r.Context(), "panic", "request_id", id, "status", http.StatusInternalServerError,
				"err", panicked(v), "stack", stack())
			problem(w, id, http.StatusInternalServerError)
		},
	}
}

func panicked(v any) string {
	var err runtime.Error
	if e, ok := v.(error); ok && errors.As(e, &err) {
		return err.Error()
	}
	return "panic with a value that is not shown"
}
