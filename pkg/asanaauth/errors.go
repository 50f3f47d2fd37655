package asanaauth

import (
	"errors"
	"fmt"
	"time"
)

// ErrorKind classifies an [Error]. Each kind is the last part of a problem type of the
// HTTP API (RFC 9457), so Go programs and HTTP clients use the same names.
type ErrorKind string

// The kinds of errors.
const (
	InvalidRequest    ErrorKind = "invalid-request"
	LoginExpired      ErrorKind = "login-expired"
	LinkExpired       ErrorKind = "link-expired"
	Unauthenticated   ErrorKind = "unauthenticated"
	AccessDenied      ErrorKind = "access-denied"
	WrongAccount      ErrorKind = "wrong-account"
	NotAllowedForKind ErrorKind = "not-allowed-for-kind"
	ReconnectRequired ErrorKind = "reconnect-required"
	TokenRejected     ErrorKind = "token-rejected"
	AlreadyConnected  ErrorKind = "already-connected"
	NotFound          ErrorKind = "not-found"
	TryAgain          ErrorKind = "try-again"
	AsanaUnavailable  ErrorKind = "asana-unavailable"
	Misconfigured     ErrorKind = "misconfigured"
	Internal          ErrorKind = "internal"
)

// Error is the error type of the packages that package asanaauth lists. Any other error
// of theirs is a defect and counts as [Internal].
type Error struct {
	Kind       ErrorKind
	Detail     string        // for the caller: a fixed sentence, or empty
	Reason     string        // with TokenRejected: "inactive", "oauth-token" or "identity-refused"
	RetryAfter time.Duration // with TryAgain: how long to wait before the next call
	Timeout    bool          // with AsanaUnavailable: Asana took too long
	Err        error         // the cause, for the log only; may be nil
}

// Error returns the kind and the cause, for logs. The cause may contain internal facts,
// but never a secret.
func (e *Error) Error() string {
	if e.Err == nil {
		return string(e.Kind)
	}
	return fmt.Sprintf("%s: %v", e.Kind, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: empty if err is nil, and [Internal] if err does not
// wrap an [*Error].
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
