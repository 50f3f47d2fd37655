// Package lambdahttp lets an http.Handler answer events of an API Gateway HTTP
// API (payload format 2.0, which Lambda function URLs send too). It knows nothing
// of the product behind it.
//
// It exists because the common adapters split headers at commas, decode and
// re-encode paths, or link net/http/httptest into what is shipped.
//
// Source: "Working with AWS Lambda proxy integrations for HTTP APIs",
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
package lambdahttp

import (
	"context"
	"net/http"
)

// Options are the answers that no handler can give, as it never saw a request.
// The zero value answers them in plain text.
type Options struct {
	// BadEvent answers an event that is no HTTP request: nil means a plain 400.
	// The request is an empty GET / that has nothing of the event but RequestID;
	// err is a fixed sentence.
	BadEvent func(w http.ResponseWriter, r *http.Request, err error)
	// Panicked answers, and may log, a panic of the handler: nil means a plain
	// 500. What the handler had written until then is dropped. It runs on the
	// stack of the panic, so runtime.Callers still shows where that was. v is what
	// the handler panicked with, which may hold anything: take care before logging
	// it.
	Panicked func(w http.ResponseWriter, r *http.Request, v any)
}

// Handler is a lambda.Handler of aws-lambda-go. Safe for concurrent use if its
// http.Handler is.
type Handler struct {
	next http.Handler
	opts Options
}

// New returns a Handler that serves events with next, on the goroutine of the
// invocation and with its context: the deadline of Lambda is the request's.
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

// Invoke answers one event. The error is always nil: an error would make API
// Gateway answer 500 without a word, and Lambda throw the sandbox away. So an
// event that is no HTTP request, and a handler that panics, are answered too.
func (h *Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	r, err := parse(ctx, payload)
	if err != nil {
		w := h.serve(r, func(w http.ResponseWriter, r *http.Request) { h.opts.BadEvent(w, r, err) })
		return w.encode(), nil
	}
	return h.serve(r, h.next.ServeHTTP).encode(), nil
}

// serve runs f with an answer of its own. A recovered panic leaves the sandbox as
// warm as it was.
func (h *Handler) serve(r *http.Request, f http.HandlerFunc) (w *answer) {
	w = newAnswer(r.Method)
	defer func() {
		if v := recover(); v != nil {
			w = h.panicked(r, v)
		}
	}()
	f(w, r)
	return w
}

// panicked runs the hook, and should that panic too, the plain answer.
func (h *Handler) panicked(r *http.Request, v any) (w *answer) {
	w = newAnswer(r.Method)
	defer func() {
		if recover() != nil {
			w = newAnswer(r.Method)
			plainPanicked(w, r, nil)
		}
	}()
	h.opts.Panicked(w, r, v)
	return w
}

func plainPanicked(w http.ResponseWriter, _ *http.Request, _ any) {
	http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
}
