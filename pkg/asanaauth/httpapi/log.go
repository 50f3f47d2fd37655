package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// line contains attributes of a request's log line. The request's context contains the
// line, so that a route can add the connection's ID.
type line struct {
	id, route  string
	connection string
	caller     string // the caller of a backend route
	origin     string // the Origin header of a request that was refused because of it
}

type lineKey struct{}

// lineOf returns the line of a request. It returns nil if ctx is not the context of a
// request that a handler of this package serves.
func lineOf(ctx context.Context) *line {
	l, _ := ctx.Value(lineKey{}).(*line)
	return l
}

// maxOrigin is how many bytes of a refused origin are logged.
const maxOrigin = 128

// noteOrigin logs the Origin header of a request that is refused because of it. An operator
// needs the origin to add it to ALLOWED_ORIGINS. Because a client can send any text as the
// header, the text is cut off, and characters outside of printable ASCII are escaped.
func noteOrigin(r *http.Request) {
	text := strings.Join(r.Header["Origin"], ", ")
	quoted := strconv.QuoteToASCII(text[:min(len(text), maxOrigin)])
	lineOf(r.Context()).origin = quoted[1 : len(quoted)-1]
}

// logLine logs the outcome of a request. Except for the method and a refused origin, it
// logs no data from the client, because query strings, cookies and bodies contain secrets.
func (s base) logLine(r *http.Request, l *line, status int, err error, took time.Duration) {
	if status == 0 {
		status = http.StatusOK // what net/http sends if the handler sets no status
	}
	attrs := []slog.Attr{
		slog.String("request_id", l.id),
		slog.String("route", l.route),
		slog.String("method", knownMethod(r.Method)),
		slog.Int("status", status),
		slog.Int64("dur_ms", took.Milliseconds()),
	}
	if l.connection != "" {
		attrs = append(attrs, slog.String("connection", l.connection))
	}
	if l.caller != "" {
		attrs = append(attrs, slog.String("caller", l.caller))
	}
	if l.origin != "" {
		attrs = append(attrs, slog.String("origin", l.origin))
	}
	severity := slog.LevelInfo
	if err != nil {
		kind := asanaauth.KindOf(err)
		severity = level(kind)
		attrs = append(attrs, slog.String("type", string(kind)))
		attrs = append(attrs, cause(err)...)
	}
	s.log.LogAttrs(r.Context(), severity, "request", attrs...)
}

// knownMethod returns method if RFC 9110 or RFC 5789 defines it, and otherwise "other". A
// client can send any text as the method.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "other"
}

// cause returns the log attributes for the cause of err: its text, and the stack of a
// panic.
func cause(err error) []slog.Attr {
	var attrs []slog.Attr
	var e *asanaauth.Error
	switch errors.As(err, &e); {
	case e == nil:
		attrs = append(attrs, slog.String("err", err.Error()))
	case e.Err != nil:
		attrs = append(attrs, slog.String("err", e.Err.Error()))
	case e.Detail != "":
		attrs = append(attrs, slog.String("err", e.Detail))
	}
	var p *panicError
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	return attrs
}

// LogHandler returns a [slog.Handler] that passes all lines to next. The handler adds the
// attribute "request_id" to each line that is logged with a request's context, such as an
// audit line of package token.
func LogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ next slog.Handler }

func (h logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	l := lineOf(ctx)
	if l == nil {
		return h.next.Handle(ctx, r)
	}
	hasID := false
	r.Attrs(func(a slog.Attr) bool {
		hasID = a.Key == "request_id"
		return !hasID
	})
	if !hasID {
		r = r.Clone()
		r.AddAttrs(slog.String("request_id", l.id))
	}
	return h.next.Handle(ctx, r)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.next.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.next.WithGroup(name)} }
