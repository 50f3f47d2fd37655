package asanaauth

import (
	"errors"
	"fmt"
	"time"
)

// ErrorKind classifies an [Error]. Each kind is also the last part of a problem type in
// the HTTP API (RFC 9457), for example urn:asanaauth:problem:try-again. Go programs and
// HTTP clients therefore use the same names.
type ErrorKind string

// The kinds of errors. After TryAgain and AsanaUnavailable, the same call may succeed
// later. After any other kind, the caller, the person or the operator must first fix the
// cause.
const (
	// InvalidRequest means that an argument is malformed, missing or not allowed. Detail
	// says which argument.
	InvalidRequest ErrorKind = "invalid-request"
	// LoginExpired means that a sign-in attempt cannot be completed. The attempt is
	// unknown, too old, or from a different browser, or its session or connect code is not
	// valid anymore, or Asana rejected its authorization code. The person must start again.
	LoginExpired ErrorKind = "login-expired"
	// LinkExpired means that a link, a connect code or a session code is unknown, used or
	// too old. Redeeming a connect code for the wrong owner or person also returns
	// LinkExpired.
	LinkExpired ErrorKind = "link-expired"
	// Unauthenticated means that the session does not exist, or is no longer valid.
	Unauthenticated ErrorKind = "unauthenticated"
	// AccessDenied means that the person did not allow access on Asana's consent screen.
	AccessDenied ErrorKind = "access-denied"
	// WrongAccount means that the person used a different Asana account than the link
	// requires.
	WrongAccount ErrorKind = "wrong-account"
	// NotAllowedForKind means that the call is not allowed for the [Kind] of the
	// connection. For example, a long-lived token is never sent to a frontend.
	NotAllowedForKind ErrorKind = "not-allowed-for-kind"
	// ReconnectRequired means that the connection is broken, revoking or disconnected. The
	// person must connect again, or a new credential must be imported.
	ReconnectRequired ErrorKind = "reconnect-required"
	// TokenRejected means that Asana rejected an imported credential. Reason says why.
	TokenRejected ErrorKind = "token-rejected"
	// AlreadyConnected means that an import would replace an active OAuth connection, or that
	// a workspace has a reader that belongs to another owner.
	AlreadyConnected ErrorKind = "already-connected"
	// NotFound means that the connection or the workspace does not exist, or that the
	// connection does not belong to the owner that the caller named.
	NotFound ErrorKind = "not-found"
	// TryAgain means that the call failed for a temporary reason. A cool-down or Asana's
	// rate limit has not ended, or DynamoDB, KMS or Secrets Manager is unavailable.
	// Before you repeat the call, wait as long as the field RetryAfter says.
	TryAgain ErrorKind = "try-again"
	// AsanaUnavailable means that Asana could not be reached, or that its response cannot
	// be used. The field Timeout reports whether Asana took too long.
	AsanaUnavailable ErrorKind = "asana-unavailable"
	// Misconfigured means that Asana rejects the client ID or the client secrets, that the
	// connection was made with a different client ID, or that a token may not list
	// workspaces. The operator must fix the deployment.
	Misconfigured ErrorKind = "misconfigured"
	// Internal means any other failure, for example a sealed field that cannot be opened.
	Internal ErrorKind = "internal"
)

// Error is the error type of the packages connection, token, membership, link, session
// and login. Treat any other error from these packages as [Internal]. Several calls may
// return the same Error, so do not modify it.
type Error struct {
	Kind       ErrorKind
	Detail     string        // a fixed sentence for the caller; it contains no input and no secret; may be empty
	Reason     string        // set with TokenRejected: "inactive", "oauth-token" or "identity-refused"
	RetryAfter time.Duration // set with TryAgain: how long to wait before the next call, at least one second
	Timeout    bool          // set with AsanaUnavailable: whether Asana took too long
	Err        error         // the cause, for the log only; may be nil
}

// Error returns the kind and the cause, for logs. Do not show the text to users, because
// the cause may describe internals. The text never contains a secret.
func (e *Error) Error() string {
	if e.Err == nil {
		return string(e.Kind)
	}
	return fmt.Sprintf("%s: %v", e.Kind, e.Err)
}

// Unwrap returns the cause, or nil, for [errors.Is] and [errors.As].
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err. KindOf returns "" if err is nil, and [Internal] if err
// does not wrap an [*Error]. Use [errors.As] to get the other fields.
func KindOf(err error) ErrorKind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
