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

// Values of [Error.Code]. The first three are error codes of RFC 6749 section 5.2. The
// others name refusals of the REST API, for which Asana has no codes of its own.
const (
	InvalidGrant       = "invalid_grant"       // the code or refresh token is not valid
	InvalidClient      = "invalid_client"      // the client ID or client secret is wrong
	UnauthorizedClient = "unauthorized_client" // the app may not make this request

	FullPermissionsRequired = "full_permissions_required" // no granular scope allows this endpoint
	MissingScope            = "missing_scope"             // the token lacks a granular scope
	ViewOnly                = "view_only"                 // the user's licence is view only, so it cannot write
)

// Error is the error of every request of this package that did not succeed. Its text
// consists of the operation, the HTTP status, a code and a fixed sentence. It never
// contains a response body, a URL or a token.
type Error struct {
	// Op is the operation, such as "exchange", "refresh" or "revoke".
	Op string
	// Status is the HTTP status, or 0 if no response was received.
	Status int
	// Code is the error code of the response, or "" if it has none.
	//
	// For OAuth endpoints it is the member "error" of a response with status 400 or 401.
	// With any other status it is empty: an invalid_grant with status 500 is a failure of
	// Asana's server and says nothing about the grant. The code has 1 to 64 characters of
	// a-z and _. RFC 6749 defines no other codes. A token never has this form.
	//
	// For the REST API it is FullPermissionsRequired, MissingScope or ViewOnly.
	Code string
	// RetryAfter is the value of the Retry-After header, at most 24 hours, or 0 if the
	// header is missing or malformed.
	RetryAfter time.Duration
	// Timeout reports whether a deadline passed: the context's or the transport's.
	Timeout bool
	// Err is the cause, for errors.Is and errors.As. It is nil if the response had an
	// error status.
	Err error
}

// Error returns the text of the error. It contains nothing that Asana sent except the
// status and the code.
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

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.Err }

// cause is an error with a fixed text. The text of the wrapped error is not shown,
// because it may contain a URL or bytes of a response ("malformed HTTP response …").
// A cause is used by pointer only: %#v then prints an address.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

// badResponse returns the error of a response with status 200 that is not valid.
func badResponse(op, why string) *Error {
	return &Error{Op: op, Status: http.StatusOK, Err: &cause{text: why}}
}

// notSent returns the error of a request that was not sent.
func notSent(op, why string) *Error { return &Error{Op: op, Err: &cause{text: why}} }

// transportError returns the error of a request that the transport could not complete, or
// of a response body that could not be read. It also checks ctx, because transports
// report an expired deadline in different ways.
func transportError(ctx context.Context, op string, status int, err error) *Error {
	if e := ctx.Err(); e != nil && !errors.Is(err, e) {
		err = e
	}
	var n net.Error
	timeout := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
	return &Error{Op: op, Status: status, Timeout: timeout, Err: &cause{describe(err, timeout), err}}
}

// describe returns a fixed text for an error of a transport.
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
		return "the host name could not be resolved"
	case errors.As(err, &cert):
		return "the server's certificate is not trusted"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed early"
	}
	return "the connection failed"
}

// retryAfter parses the Retry-After header (RFC 9110 section 10.2.3): a number of seconds
// or a date. It returns 0 if the header is missing or malformed, and at most 24 hours.
func retryAfter(h http.Header, now time.Time) time.Duration {
	const longest = 24 * time.Hour
	v := strings.TrimSpace(h.Get("Retry-After"))
	var d time.Duration
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		d = time.Duration(min(n, int64(longest/time.Second))) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), longest)
}

// oauthCode returns the error code of an OAuth response, or "". See [Error.Code].
func oauthCode(r *response) string {
	if r.status != http.StatusBadRequest && r.status != http.StatusUnauthorized {
		return ""
	}
	m, err := r.object()
	if err != nil {
		return ""
	}
	code, _ := m["error"].(string)
	if len(code) > 64 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return code
}

// viewOnlyFailure is the only error code that Asana documents for a refusal. Asana does
// not document which member of the response holds it.
const viewOnlyFailure = "view_only_api_access_failure"

// apiCode returns the code of a refusal of the REST API, or "". Asana sends sentences
// and no codes, so apiCode compares the beginnings of sentences. The sentences about
// scopes were observed in 2025 and 2026. The sentence about licences is from Asana's
// forum. If Asana changes a sentence, the refusal becomes a 403 without a code.
func apiCode(r *response) string {
	if r.status != http.StatusForbidden {
		return ""
	}
	m, err := r.object()
	if err != nil {
		return ""
	}
	switch m["error"] {
	case "insufficient_scope": // UserInfo, RFC 6750 section 3.1
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
