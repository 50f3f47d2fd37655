package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/asanaauth/asanaauth/internal/awsretry"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// isTransient reports whether a retry may succeed after an error with this code. The
// codes below mean throttling, a timeout, or a conflict with another transaction. A
// rejected signature may be accepted later, see awsretry.RejectsSignature. Codes that
// DynamoDB sends with status 5xx or 429 are not in the list, because isTransientStatus
// detects those responses.
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html)
func isTransient(code string) bool {
	switch code {
	case "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded",
		"TransactionConflictException", "TransactionInProgressException",
		"RequestTimeout", "RequestTimeoutException":
		return true
	case "ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict":
		return true // these codes are reasons of a canceled transaction
	}
	return awsretry.RejectsSignature(code)
}

// ResponseError means that DynamoDB responded with an error. Every method of [Store] that
// gets such a response returns an error that wraps a *ResponseError.
type ResponseError struct {
	Operation string // the operation of DynamoDB's API, for example "Scan"
	Code      string // the error code, for example "AccessDeniedException"
}

// Error returns only the error code, because the message of a validation error can
// contain parts of the request.
func (e *ResponseError) Error() string { return e.Code }

func failure(ctx context.Context, op string, err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return transportFailure(ctx, op, err)
	}
	if isTransient(api.ErrorCode()) || isTransientStatus(err) {
		return unavailable(ctx, op, &ResponseError{op, api.ErrorCode()})
	}
	return permanent(op, &ResponseError{op, api.ErrorCode()})
}

func isTransientStatus(err error) bool {
	resp, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok {
		return false
	}
	status := resp.HTTPStatusCode()
	return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
}

// transportFailure handles an err that is not an error response of DynamoDB. The result
// wraps ErrUnavailable, unless the SDK could not build the request. In that case, a retry
// would fail too.
func transportFailure(ctx context.Context, op string, err error) error {
	if _, ok := errors.AsType[*smithy.SerializationError](err); ok {
		return permanent(op, errors.New("building the request failed"))
	}
	if _, ok := errors.AsType[smithy.InvalidParamsError](err); ok {
		return permanent(op, errors.New("building the request failed"))
	}
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		return unavailable(ctx, op, errors.New("timed out"))
	}
	if sending, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		// The text of a RequestSendError describes the network connection and contains no
		// part of the request.
		return unavailable(ctx, op, errors.New(sending.Error()))
	}
	if _, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return unavailable(ctx, op, errors.New("response could not be read"))
	}
	return unavailable(ctx, op, errors.New("no credentials or no endpoint"))
}

// unavailable returns an error that wraps ErrUnavailable and the cause. If the
// context has ended, the error wraps the context's error instead of the cause.
func unavailable(ctx context.Context, op string, cause error) error {
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrUnavailable, op, ended)
	}
	return fmt.Errorf("%w: %s: %w", store.ErrUnavailable, op, cause)
}

// The result of permanent matches no exported error of package store, so callers do not
// retry.
func permanent(op string, cause error) error { return fmt.Errorf("store/dynamo: %s: %w", op, cause) }
