// Package lambdahttp serves events of an API Gateway HTTP API with an http.Handler. [New]
// returns a handler for aws-lambda-go that converts each event to an http.Request, and the
// response back. [RequestID] and [IAM] return what the event says about the request beyond
// its HTTP parts. The package does not depend on the rest of this module.
//
// It accepts events of payload format version 2.0, which Lambda function URLs send too. It
// does not support streaming responses.
//
// The common adapters were not suitable: they split headers at commas, decode and re-encode
// paths, or link net/http/httptest into the function.
//
// The event format is documented at
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
package lambdahttp

import (
	"context"
	"net/http"
)

// Options are hooks that write the response if the http.Handler cannot. The zero value
// writes plain text responses.
type Options struct {
	// BadEvent writes the response to an event that is not an HTTP request. r is an
	// empty GET / request; only RequestID(r.Context()) is taken from the event. err
	// contains no part of the event. If BadEvent is nil, the response is a plain 400.
	BadEvent func(w http.ResponseWriter, r *http.Request, err error)
	// Panicked writes the response after the handler panicked with v. Everything that
	// the handler had written is discarded. Panicked runs on the stack of the panic, so
	// runtime.Callers shows where the handler panicked. v may contain secrets, so check
	// it before you log it. If Panicked is nil, the response is a plain 500.
	Panicked func(w http.ResponseWriter, r *http.Request, v any)
}

// Handler serves events with an http.Handler. It implements lambda.Handler of
// aws-lambda-go. It is safe for concurrent use if its http.Handler is.
type Handler struct {
	next http.Handler
	opts Options
}

// New returns a Handler that serves events with next. A request's context is that of the
// invocation, with Lambda's deadline.
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

// Invoke serves one event and returns the response as JSON in payload format 2.0. It calls
// the hooks of Options if the event is not an HTTP request or the handler panics. The error
// is always nil, because API Gateway responds to an error with an empty 500 and Lambda may
// then discard the sandbox.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	r, err := parse(ctx, payload)
	if err != nil {
		w := h.serve(r, func(w http.ResponseWriter, r *http.Request) { h.opts.BadEvent(w, r, err) })
		return w.encode(), nil
	}
	return h.serve(r, h.next.ServeHTTP).encode(), nil
}

// serve calls f and returns the response. If f panics, it returns the response of the
// Panicked hook.
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

// panicked calls the Panicked hook and returns its response, or a plain 500 if the hook
// panics too.
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
