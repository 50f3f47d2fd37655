package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// line contains attributes of a request's log line. The request's context contains the
// line, so that a route can add the connection's id.
type line struct {
	id, route  string
	connection string
}

type lineKey struct{}

func lineOf(ctx context.Context) *line {
	l, _ := ctx.Value(lineKey{}).(*line)
	return l
}

func noteConnection(r *http.Request, id string) {
	if l := lineOf(r.Context()); l != nil {
		l.connection = id
	}
}

// logLine logs the outcome of a request. It logs no data from the client, because query
// strings, cookies and bodies contain secrets.
func (s base) logLine(ctx context.Context, l *line, status int, err error, took time.Duration) {
	if status == 0 {
		status = http.StatusOK // what net/http sends if the handler sets no status
	}
	attrs := []slog.Attr{
		slog.String("request_id", l.id),
		slog.String("route", l.route),
		slog.Int("status", status),
		slog.Int64("dur_ms", took.Milliseconds()),
	}
	if l.connection != "" {
		attrs = append(attrs, slog.String("connection", l.connection))
	}
	severity := slog.LevelInfo
	if err != nil {
		kind := asanaauth.KindOf(err)
		severity = level(kind)
		attrs = append(attrs, slog.String("type", string(kind)))
		attrs = append(attrs, cause(err)...)
	}
	s.log.LogAttrs(ctx, severity, "request", attrs...)
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
