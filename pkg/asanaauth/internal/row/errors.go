package row

import (
	"context"
	"errors"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

var (
	// ErrNotFound means that a connection does not exist, or that its owner is not the
	// one that the caller named.
	ErrNotFound error = &asanaauth.Error{Kind: asanaauth.NotFound, Detail: "The connection does not exist, or owner is not its owner."}
	// ErrUnauthenticated means that a session does not exist or has ended.
	ErrUnauthenticated error = &asanaauth.Error{Kind: asanaauth.Unauthenticated, Detail: "The session is missing or has ended. Sign in again."}
	// ErrLinkExpired means that a link or a code is unknown, used or expired.
	ErrLinkExpired error = &asanaauth.Error{Kind: asanaauth.LinkExpired}
	// ErrInconsistentRead means that the hot row and the cold row were read several
	// times, but never belonged to the same consent.
	ErrInconsistentRead error = TryAgain(0, errors.New("the hot row and the cold row are inconsistent"))
	// ErrReturnTo means that a return URL is not in RETURN_URLS.
	ErrReturnTo error = InvalidRequest("return_to must be equal to one of the URLs in RETURN_URLS.")
)

const minRetryAfter = time.Second

// TryAgain returns an error of kind [asanaauth.TryAgain]. Its RetryAfter is the parameter
// after, but at least one second. err is the cause, which is only logged.
func TryAgain(after time.Duration, err error) *asanaauth.Error {
	return &asanaauth.Error{Kind: asanaauth.TryAgain, RetryAfter: max(after, minRetryAfter), Err: err}
}

// InvalidRequest returns an error of kind [asanaauth.InvalidRequest]. detail is sent to
// callers, so it must be fixed text.
func InvalidRequest(detail string) error {
	return &asanaauth.Error{Kind: asanaauth.InvalidRequest, Detail: detail}
}

// ReconnectRequired returns an error for a connection that is not active. status is the
// connection's status, which is only logged.
func ReconnectRequired(status string) error {
	return &asanaauth.Error{Kind: asanaauth.ReconnectRequired, Err: errors.New("the connection is " + status)}
}

// ErrorOf wraps an error from the store, the keyring or a context in an
// [*asanaauth.Error] of the fitting kind. If err is nil or already wraps an
// [*asanaauth.Error], ErrorOf returns err unchanged.
func ErrorOf(err error) error {
	var known *asanaauth.Error
	var unavailable *keyring.UnavailableError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &unavailable):
		return TryAgain(unavailable.RetryAfter, err)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrConflict),
		errors.Is(err, seal.ErrUnavailable), errors.Is(err, seal.ErrDenied),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return TryAgain(0, err)
	}
	return &asanaauth.Error{Kind: asanaauth.Internal, Err: err}
}

// Missing returns nil if isMissing is false. Otherwise, it returns an error which says
// that the given field of a Config is missing.
func Missing(isMissing bool, field string) error {
	if isMissing {
		return errors.New("asanaauth: " + field + " is missing")
	}
	return nil
}

// CodeExpired returns an error of kind LinkExpired for a code that cannot be redeemed.
// err is the cause, which is only logged. The Detail is the same for every cause, so a
// caller cannot find out whether the code exists, or who owns it.
func CodeExpired(err error) error {
	return &asanaauth.Error{
		Kind: asanaauth.LinkExpired, Err: err,
		Detail: "The code is unknown, used or expired, or belongs to another owner or person. Get a new code.",
	}
}
