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

// show writes a failure to the caller: as a problem, or as a page.
type show func(w http.ResponseWriter, p problem)

// handle is the only writer of failures: serve returns them, show writes them,
// and each request gets one log line. A serve that has written an answer may
// still return an error, which is then logged only.
func (s base) handle(route string, show show, serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		a := &answer{ResponseWriter: w}
		l := &line{id: s.newID(r), route: route}
		r = r.WithContext(context.WithValue(r.Context(), lineKey{}, l))
		s.protect(a.Header(), l.id)
		err := guard(serve, a, r)
		if err != nil && a.status == 0 {
			p := problemOf(err, l.id)
			if p.Kind == asanaauth.TryAgain {
				a.Header().Set("Retry-After", wholeSeconds(retryAfter(err)))
			}
			show(a, p)
		}
		s.logLine(r.Context(), l, a.status, err, time.Since(began))
	})
}

// protect sets the headers that every answer has.
func (s base) protect(h http.Header, id string) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Request-Id", id)
	if s.https {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// guard turns a panic into an error. What was panicked with may hold anything,
// so only the runtime's own words are kept.
func guard(serve func(http.ResponseWriter, *http.Request) error, a *answer, r *http.Request) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == any(http.ErrAbortHandler) {
			panic(v)
		}
		p := &panicked{what: fmt.Sprintf("%T", v), stack: debug.Stack()}
		if known, ok := v.(runtime.Error); ok {
			p.what = known.Error()
		}
		err = &asanaauth.Error{Kind: asanaauth.Internal, Err: p}
	}()
	return serve(a, r)
}

type panicked struct {
	what  string
	stack []byte
}

func (p *panicked) Error() string { return "panic: " + p.what }

// answer remembers the status that was written.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// retryAfter is the wait that err asks for.
func retryAfter(err error) time.Duration {
	var e *asanaauth.Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

// wholeSeconds rounds up, and to one at least: RFC 9110 section 10.2.3 has no
// fractions, and a caller must not come too early.
func wholeSeconds(d time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(d.Seconds()))))
}

// level is how much somebody has to care: our own and Asana's failures a lot,
// callers' mistakes not.
func level(kind asanaauth.ErrorKind) slog.Level {
	switch kind {
	case asanaauth.Internal, asanaauth.AsanaUnavailable, asanaauth.Misconfigured:
		return slog.LevelError
	case asanaauth.TryAgain:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
