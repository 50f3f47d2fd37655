// Package lambdahttp serves events of an API Gateway HTTP API with an [http.Handler].
// [New] returns a handler for aws-lambda-go, which converts each event to an
// [http.Request], and each HTTP response to JSON. [RequestID] returns the request ID in
// the event. [IAM] returns the caller's IAM identity in the event. The package does not
// import other packages of this module.
//
// Package lambdahttp accepts events in payload format 2.0. Lambda function URLs send the
// same format. Streaming responses are not supported.
//
// Unlike other adapters for API Gateway, package lambdahttp does not split headers at
// commas, does not decode and re-encode paths, and does not import net/http/httptest.
//
// AWS documents the event format at
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
package lambdahttp

import (
	"context"
	"net/http"
)

// Options contains hooks that write the response if the http.Handler cannot. The zero
// value makes the Handler write plain text responses.
type Options struct {
	// BadEvent writes the response to an event that is not an HTTP request. r is a
	// request for GET /, which contains nothing from the event. However, [RequestID]
	// returns the event's request ID for the context of r. err contains no part of the
	// event. If BadEvent is nil, the response is a plain 400.
	BadEvent func(w http.ResponseWriter, r *http.Request, err error)
	// Panicked writes the response after the http.Handler has panicked with the value v.
	// The output that the http.Handler has written before is discarded. Panicked is
	// called during the panic, so the result of runtime.Callers contains the function
	// that panicked. v may contain a secret, so check v before you log it. If Panicked is
	// nil, the response is a plain 500.
	Panicked func(w http.ResponseWriter, r *http.Request, v any)
}

// Handler serves events with an http.Handler, and implements the interface lambda.Handler
// of aws-lambda-go. A Handler is safe for concurrent use if its http.Handler is.
type Handler struct {
	next http.Handler
	opts Options
}

// New returns a Handler that serves events with next. The context of each request is
// derived from the context of the invocation, which has Lambda's deadline.
func New(next http.Handler, opts Options) *Handler {
	if opts.BadEvent == nil {
		opts.BadEvent = func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, http.StatusText(http.StatusBadRequest), http.StatusBadRequest)
		}
	}
	if opts.Panicked == nil {
		opts.Panicked = plainPanicked
	}
	return &Handler{next: next, opts: opts}
}

// Invoke serves one event and returns the response as JSON in payload format 2.0. If the
// event is not an HTTP request, or if the http.Handler panics, a hook in [Options] writes
// the response. The error is always nil. If Invoke returned an error, API Gateway would
// send its own 500 response, and Lambda could end the process.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	r, err := parse(ctx, payload)
	if err != nil {
		w := h.serve(r, func(w http.ResponseWriter, r *http.Request) { h.opts.BadEvent(w, r, err) })
		return w.encode(), nil
	}
	return h.serve(r, h.next.ServeHTTP).encode(), nil
}

// serve calls f and returns the response. If f panics, the hook Panicked writes the
// response.
func (h *Handler) serve(r *http.Request, f http.HandlerFunc) (w *response) {
	w = newResponse(r.Method)
	defer func() {
		if v := recover(); v != nil {
			w = h.panicked(r, v)
		}
	}()
	f(w, r)
	return w
}

// panicked returns the response that the hook Panicked writes. If the hook panics too,
// panicked returns a plain 500.
func (h *Handler) panicked(r *http.Request, v any) (w *response) {
	w = newResponse(r.Method)
	defer func() {
		if recover() != nil {
			w = newResponse(r.Method)
			plainPanicked(w, r, nil)
		}
	}()
	h.opts.Panicked(w, r, v)
	return w
}

func plainPanicked(w http.ResponseWriter, _ *http.Request, _ any) {
	http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
}
