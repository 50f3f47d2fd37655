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
	// ErrNotFound reports that a connection does not exist, or has a different owner.
	ErrNotFound error = &asanaauth.Error{Kind: asanaauth.NotFound}
	// ErrUnauthenticated reports that a session does not exist, or has ended.
	ErrUnauthenticated error = &asanaauth.Error{Kind: asanaauth.Unauthenticated, Detail: "The session is missing or has ended. Sign in again."}
	// ErrLinkExpired reports that a link or a code is unknown, used or too old.
	ErrLinkExpired error = &asanaauth.Error{Kind: asanaauth.LinkExpired}
	// ErrInconsistentRead reports that the hot row and the cold row did not belong to the
	// same consent, even after several reads.
	ErrInconsistentRead error = TryAgain(0, errors.New("the hot row and the cold row are inconsistent"))
	// ErrReturnTo reports a return URL that is not in RETURN_URLS.
	ErrReturnTo error = InvalidRequest("return_to must be one of the URLs in RETURN_URLS.")
)

const minRetryAfter = time.Second

// TryAgain returns an error of kind [asanaauth.TryAgain]. The caller must wait for the
// duration "after", but for at least one second. err is the cause, which is only logged.
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
// [*asanaauth.Error]. ErrorOf returns err unchanged if err is nil or already wraps an
// [*asanaauth.Error].
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

// Missing returns an error that names a Config field if isMissing is true, and nil
// otherwise.
func Missing(isMissing bool, field string) error {
	if isMissing {
		return errors.New("asanaauth: " + field + " is missing")
	}
	return nil
}

// CodeExpired returns LinkExpired for a code that cannot be redeemed. The Detail does not
// depend on the cause, so a caller cannot find out whether the code exists, or who owns
// it.
func CodeExpired(err error) error {
	return &asanaauth.Error{
		Kind: asanaauth.LinkExpired, Err: err,
		Detail: "The code is unknown, used or expired, or belongs to another owner or person. Get a new code.",
	}
}
