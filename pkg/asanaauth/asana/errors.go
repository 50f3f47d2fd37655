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

// Values of [Error.Code]. The first three are error codes from RFC 6749 section 5.2. This
// package defines the other three, for requests that the REST API rejects with status
// 403.
const (
	InvalidGrant       = "invalid_grant"       // the code or refresh token is not valid
	InvalidClient      = "invalid_client"      // the client ID or client secret is wrong
	UnauthorizedClient = "unauthorized_client" // the app may not make this request

	FullPermissionsRequired = "full_permissions_required" // tokens with granular scopes cannot use the endpoint
	MissingScope            = "missing_scope"             // the token lacks a granular scope
	ViewOnly                = "view_only"                 // the user's license is view only and does not allow writes
)

// Error is the error that a method of [Client] returns if its request fails or cannot be
// sent. The text of an Error consists of the operation, the HTTP status, a code and a
// fixed sentence. The text never contains a response body, a URL or a token.
type Error struct {
	// Op is the operation, such as "exchange", "refresh" or "revoke".
	Op string
	// Status is the HTTP status, or 0 if no response was received.
	Status int
	// Code is the error code of the response, or "" if the response has no code.
	//
	// For OAuth endpoints, Code is the field "error" of the response if the status is 400
	// or 401, and "" for every other status: "invalid_grant" with status 500 is a failure
	// of Asana's server and does not mean that the token is invalid. Code is also "" if
	// the field does not have the form of an error code (see ErrorCode).
	//
	// For the REST API, Code is FullPermissionsRequired, MissingScope, ViewOnly or "".
	Code string
	// RetryAfter is the value of the Retry-After header, at most 24 hours, or 0 if the
	// header is missing or malformed.
	RetryAfter time.Duration
	// Timeout reports whether the request failed because of the context's deadline or a
	// time limit of the transport.
	Timeout bool
	// Err is the underlying error, such as context.Canceled, or nil if Asana responded
	// with an error status.
	Err error
}

// Error returns the operation, the status, the code and the text of e.Err, separated by
// colons. Parts that are zero are omitted.
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

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// cause replaces the text of the error that it wraps, because that text may contain a URL
// or bytes of a response ("malformed HTTP response …"). Error.Err contains a
// pointer, a *cause, because %#v prints only the address of a nested pointer. For a
// nested struct, %#v would print the wrapped error.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

func badResponse(op, why string) *Error {
	return &Error{Op: op, Status: http.StatusOK, Err: &cause{text: why}}
}

func notSent(op, why string) *Error { return &Error{Op: op, Err: &cause{text: why}} }

// transportError returns the error for a request that the transport could not complete,
// or for a response body that could not be read. transportError also checks ctx, because
// transports report an expired deadline in different ways.
func transportError(ctx context.Context, op string, status int, err error) *Error {
	if e := ctx.Err(); e != nil && !errors.Is(err, e) {
		err = e
	}
	var n net.Error
	timeout := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
	return &Error{Op: op, Status: status, Timeout: timeout, Err: &cause{describe(err, timeout), err}}
}

// describe returns a fixed phrase or an operating system message for a transport error.
// The result contains no part of the request or the response.
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

// retryAfter returns the delay in the header Retry-After (RFC 9110 section 10.2.3), which
// is a number of seconds or a date. The result is at most 24 hours. If the header is
// missing, malformed or a date in the past, the result is 0.
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

// oauthCode returns the [Error.Code] for a response of an OAuth endpoint.
func oauthCode(r *response) string {
	if r.status != http.StatusBadRequest && r.status != http.StatusUnauthorized {
		return ""
	}
	m, err := r.object()
	if err != nil {
		return ""
	}
	code, _ := m["error"].(string)
	return ErrorCode(code)
}

// ErrorCode returns code if it has the form of an OAuth error code: 1 to 64 characters of
// a to z and _. For any other text, ErrorCode returns "". A program can log the result,
// because it contains no token: Asana's tokens contain digits.
func ErrorCode(code string) string {
	if len(code) > 64 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return code
}

// viewOnlyFailure is the only error code that Asana documents for a request that the REST
// API rejects. Asana does not document which field of the response contains this code.
const viewOnlyFailure = "view_only_api_access_failure"

// apiCode returns the [Error.Code] for a response of the REST API. Most of Asana's
// responses contain an English sentence instead of a code, so apiCode compares the
// beginning of that sentence with three known beginnings. The two beginnings about
// permissions and scopes come from real responses in 2025 and 2026. The beginning about
// view-only licenses comes from Asana's forum. If the response contains neither a known
// beginning nor a known code, apiCode returns "".
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
