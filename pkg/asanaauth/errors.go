package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// ErrorKind says what is wrong, in the words of the problem types that the
// HTTP API answers with (RFC 9457): each kind is the end of one type's URN.
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

// Error is how the rules fail. All else that they return is a fault of ours,
// and counts as Internal.
type Error struct {
	Kind       ErrorKind
	Detail     string        // for the caller: a fixed sentence, or empty
	Reason     string        // with TokenRejected: "inactive", "oauth-token" or "identity-refused"
	RetryAfter time.Duration // with TryAgain; zero where nothing is known
	Timeout    bool          // with AsanaUnavailable: Asana took too long
	Err        error         // for the log alone; may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return string(e.Kind)
	}
	return fmt.Sprintf("%s: %v", e.Kind, e.Err)
}

// Unwrap gives the cause, which is for logs and decisions and never for callers.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: Internal for what is no [*Error].
func KindOf(err error) ErrorKind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// tryAgainAfter is what a caller is told to wait where nothing better is known.
const tryAgainAfter = time.Second

func tryAgain(after time.Duration, err error) *Error {
	return &Error{Kind: TryAgain, RetryAfter: max(after, tryAgainAfter), Err: err}
}

// fromParts gives the error of a store, of the keys or of Asana its kind.
func fromParts(err error) error {
	var known *Error
	var fromAsana *asana.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &fromAsana):
		return &Error{Kind: AsanaUnavailable, Timeout: fromAsana.Timeout, Err: err}
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrConflict),
		errors.Is(err, seal.ErrUnavailable), errors.Is(err, seal.ErrDenied),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return tryAgain(0, err)
	}
	return &Error{Kind: Internal, Err: err}
}
