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
	// For OAuth endpoints, Code is the field "error" of a response with status 400 or
	// 401. For any other status, Code is empty. For example, "invalid_grant" with status
	// 500 is a failure of Asana's server and does not mean that the token is invalid.
	// Code is also empty if the field does not consist of 1 to 64 characters from a to z
	// and _. All error codes in RFC 6749 have this form. Asana's tokens do not, so Code
	// never contains a token.
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

// Error returns a text whose only parts from Asana's response are the status and the
// code.
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
// or bytes of a response ("malformed HTTP response …"). Error.Err must be a *cause,
// because %#v prints the fields of a nested struct, but only the address of a nested
// pointer.
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

// describe describes a transport error without quoting the request or the response.
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
// or a date. retryAfter returns 0 if the header is missing or malformed, and at most 24
// hours.
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

// viewOnlyFailure is the only error code that Asana documents for a request that the REST
// API rejects. Asana does not document which field of the response contains this code.
const viewOnlyFailure = "view_only_api_access_failure"

// apiCode returns the [Error.Code] for a response of the REST API, or "". Asana sends
// English sentences instead of codes, so apiCode looks for known beginnings of these
// sentences. The sentences about scopes come from real responses in 2025 and 2026, and
// the sentence about licenses comes from Asana's forum. If Asana changes a sentence,
// apiCode returns "".
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
