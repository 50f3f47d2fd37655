package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// line is what the log says of a request, beside its outcome. It travels in
// the request's context.
type line struct {
	id, route  string
	connection string
}

type lineKey struct{}

func lineOf(ctx context.Context) *line {
	l, _ := ctx.Value(lineKey{}).(*line)
	return l
}

// noteConnection names the connection that the request is about.
func noteConnection(r *http.Request, id string) {
	if l := lineOf(r.Context()); l != nil {
		l.connection = id
	}
}

// logLine writes the request's line. Nothing of the request itself is in it:
// query strings, cookies and bodies hold secrets.
func (s base) logLine(ctx context.Context, l *line, status int, err error, took time.Duration) {
	if status == 0 {
		status = http.StatusOK // net/http writes it for us
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

// cause is why it failed, beyond the kind.
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
	var p *panicked
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	return attrs
}

// LogHandler adds the request's request_id to every line that is logged with
// its context, the rules' audit and alarm lines included.
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
	said := false
	r.Attrs(func(a slog.Attr) bool {
		said = a.Key == "request_id"
		return !said
	})
	if !said {
		r = r.Clone()
		r.AddAttrs(slog.String("request_id", l.id))
	}
	return h.next.Handle(ctx, r)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.next.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.next.WithGroup(name)} }
