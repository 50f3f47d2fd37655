// Package boot is what the main of every function shares: how it starts, logs,
// reaches AWS and Asana, and warms up. It runs what it is handed and imports no
// service client, so that each function links only what its own main wires.
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

// NewHandler is what each main has: it reads its variables through lookup, wires
// its parts, calls Warm, and returns the handler, or all that is wrong with the
// variables.
type NewHandler func(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error)

// Problem writes the product's answer with that status (400 or 500) where no
// handler can. The function that runs it has written the log line already.
type Problem func(w http.ResponseWriter, requestID string, status int)

// Run is the body of main. It never returns: it serves events until Lambda ends
// the process, or logs why the function does not start and exits with 1, which
// Lambda reports as an error of init.
func Run(newHandler NewHandler, problem Problem) {
	// Lambda keeps both streams; stderr is where aws-lambda-go reports, too.
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	h, err := newHandler(context.Background(), os.LookupEnv, log)
	if err != nil {
		// A line for each mistake, which errors.Join has put on lines of their own.
		log.Error("the function does not start", "err", strings.Split(err.Error(), "\n"))
		os.Exit(1)
	}
	// Init has every core, an invocation a part of one: with more threads than
	// that, the collector's would take turns with the request's and be throttled
	// with it.
	runtime.GOMAXPROCS(1)
	lambda.Start(lambdahttp.New(h, answers(log, problem)))
}

// Settle logs the warnings of r and returns its mistakes: the last thing to ask
// of a Reader, before anything that it read is used.
func Settle(ctx context.Context, log *slog.Logger, r *env.Reader) error {
	for _, w := range r.Warnings() {
		log.WarnContext(ctx, "odd configuration", "err", w)
	}
	return r.Err()
}

// answers logs what lambdahttp has to answer itself. What a handler panicked
// with may hold anything, so only the runtime's own errors are written out.
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
