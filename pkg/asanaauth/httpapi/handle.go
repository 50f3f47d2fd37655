package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

type show func(w http.ResponseWriter, p problem)

// handle returns a handler that calls serve and logs one line for each request. If serve
// returns an error, the handler calls show to write the problem. If serve has written a
// response before it returns the error, the handler only logs the error.
func (s base) handle(route string, show show, serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		rec := &statusRecorder{ResponseWriter: w}
		l := &line{id: s.newID(r), route: route}
		r = r.WithContext(context.WithValue(r.Context(), lineKey{}, l))
		s.setHeaders(rec.Header(), l.id)
		err := recoverPanic(serve, rec, r)
		if err != nil && rec.status == 0 {
			p := problemOf(err, l.id)
			if p.Kind == asanaauth.TryAgain {
				rec.Header().Set("Retry-After", wholeSeconds(retryAfter(err)))
			}
			show(rec, p)
		}
		s.logLine(r, l, rec.status, err, time.Since(began))
	})
}

// setHeaders sets the headers that all responses have. No response has the header
// Cross-Origin-Opener-Policy, because it would separate a pop-up window with /authorize
// from the window of the app that opened it.
func (s base) setHeaders(h http.Header, id string) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-site")
	h.Set("X-Request-Id", id)
	if s.https {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// recoverPanic calls serve, and turns a panic into an error. If the panic value is a
// runtime error, such as an index out of range, the returned error contains its text. Any
// other panic value may contain a secret, so the returned error contains only the value's
// type. A panic with http.ErrAbortHandler continues, so that net/http can abort the
// response.
func recoverPanic(serve func(http.ResponseWriter, *http.Request) error, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == any(http.ErrAbortHandler) {
			panic(v)
		}
		p := &panicError{text: fmt.Sprintf("%T", v), stack: debug.Stack()}
		if known, ok := v.(runtime.Error); ok {
			p.text = known.Error()
		}
		err = &asanaauth.Error{Kind: asanaauth.Internal, Err: p}
	}()
	return serve(w, r)
}

type panicError struct {
	text  string
	stack []byte
}

func (p *panicError) Error() string { return "panic: " + p.text }

// statusRecorder records the status of a response. The status is 0 until the response is
// written.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusRecorder) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.WriteHeader(http.StatusOK)
	}
	return s.ResponseWriter.Write(b)
}

// Unwrap returns the wrapped writer, for [http.ResponseController].
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func retryAfter(err error) time.Duration {
	var e *asanaauth.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// wholeSeconds returns d in seconds, rounded up, and at least 1. Retry-After has no
// fractions (RFC 9110 section 10.2.3), and a client must not retry too early.
func wholeSeconds(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}

// level returns the log level for a kind: Error for failures of this service or of Asana,
// Warn for temporary failures, and Info for errors of the client.
func level(kind asanaauth.ErrorKind) slog.Level {
	switch kind {
	case asanaauth.Internal, asanaauth.AsanaUnavailable, asanaauth.Misconfigured:
		return slog.LevelError
	case asanaauth.TryAgain:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
