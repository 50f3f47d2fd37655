package asana

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Values of [Error.Code]. The first three are of RFC 6749 section 5.2; the others
// are our names for refusals of the REST API, for which Asana has only texts.
const (
	InvalidGrant       = "invalid_grant"       // this code or refresh token is worth nothing
	InvalidClient      = "invalid_client"      // our client id or secret is
	UnauthorizedClient = "unauthorized_client" // our app may not do this

	FullPermissionsRequired = "full_permissions_required" // no granular scope opens this endpoint
	MissingScope            = "missing_scope"             // a granular scope would, and the token lacks it
	ViewOnly                = "view_only"                 // a write by somebody whose licence is view only
)

// Error is what every call returns when it did not get what it asked for. Its
// text holds the operation, the status, a code and a fixed sentence: never a body,
// a URL or a token.
type Error struct {
	Op     string // "exchange", "refresh", "revoke", …
	Status int    // HTTP status; 0 where no answer came
	// Code is the answer's OAuth error code, only where the status is 400 or 401:
	// an invalid_grant in a 500 is trouble at Asana and ends no connection. It is
	// kept where it is 1 to 64 of a-z and _ (all that RFC 6749 defines are), so that
	// an answer cannot smuggle a token into a log. For the API it is one of the
	// names above. Else "".
	Code       string
	RetryAfter time.Duration // what Retry-After told, at most a day; 0 where it told nothing
	Timeout    bool          // a deadline passed, the caller's or the transport's
	Err        error         // the cause, for errors.Is and errors.As; nil where status and code are all there is
}

// Error implements error.
func (e *Error) Error() string {
	s := "asana: " + e.Op
	if e.Status != 0 {
		s += ": status " + strconv.Itoa(e.Status)
	}
	if e.Code != "" {
		s += ": " + e.Code
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// cause says a fixed sentence for an error whose own text may hold what a server
// sent ("malformed HTTP response …") or a URL. It is always used by pointer, so
// that %#v shows an address.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

// nonsense is an answer with status 200 that is not one.
func nonsense(op, why string) *Error {
	return &Error{Op: op, Status: http.StatusOK, Err: &cause{text: why}}
}

// refused is a call that was not made.
func refused(op, why string) *Error { return &Error{Op: op, Err: &cause{text: why}} }

// broken makes an Error of what a transport, or reading a body, returned. That a
// deadline passed is looked up in ctx too: what a transport says of it varies.
func broken(ctx context.Context, op string, status int, err error) *Error {
	if e := ctx.Err(); e != nil && !errors.Is(err, e) {
		err = e
	}
	var n net.Error
	timeout := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
	return &Error{Op: op, Status: status, Timeout: timeout, Err: &cause{describe(err, timeout), err}}
}

func describe(err error, timeout bool) string {
	var (
		dns   *net.DNSError
		cert  *tls.CertificateVerificationError
		errno syscall.Errno
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case timeout:
		return "timed out"
	case errors.As(err, &dns):
		return "the host's name was not resolved"
	case errors.As(err, &cert):
		return "the host's certificate is not to be trusted"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed early"
	}
	return "the connection failed"
}

// retryAfter reads a Retry-After header (RFC 9110 section 10.2.3): seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const most = 24 * time.Hour // longer is no answer to wait for
	v := strings.TrimSpace(h.Get("Retry-After"))
	var d time.Duration
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		d = time.Duration(min(n, int64(most/time.Second))) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), most)
}

// oauthCode is the error member of an OAuth answer, or "": see [Error.Code].
func oauthCode(a *answer) string {
	if a.status != http.StatusBadRequest && a.status != http.StatusUnauthorized {
		return ""
	}
	m, err := a.object()
	if err != nil {
		return ""
	}
	code, _ := m["error"].(string)
	if len(code) > 64 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return code
}

// viewOnlyFailure is Asana's one code for a refusal; where in the answer it stands
// is not documented.
const viewOnlyFailure = "view_only_api_access_failure"

// apiCode names a refusal of the REST API. Asana has no codes for these, so its
// sentences are matched, here and nowhere else. Those of scopes were seen live in
// 2025 and 2026, that of licences is from its forum; one that changes is a plain
// 403 again.
func apiCode(a *answer) string {
	if a.status != http.StatusForbidden {
		return ""
	}
	m, err := a.object()
	if err != nil {
		return ""
	}
	switch m["error"] {
	case "insufficient_scope": // RFC 6750 section 3.1, for UserInfo
		return MissingScope
	case viewOnlyFailure:
		return ViewOnly
	}
	list, _ := m["errors"].([]any)
	for _, e := range list {
		one, _ := e.(map[string]any)
		text, _ := one["message"].(string)
		switch {
		case strings.HasPrefix(text, "Full permissions are required"):
			return FullPermissionsRequired
		case strings.HasPrefix(text, "The following scopes must be present"):
			return MissingScope
		case one["error"] == viewOnlyFailure, strings.HasPrefix(text, "You cannot perform write actions as a view only"):
			return ViewOnly
		}
	}
	return ""
}
