package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// passing reports an error of DynamoDB that time alone may mend, in so far as
// its HTTP status does not say so: throttling, a meeting with another
// transaction, credentials that are about to be replaced.
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html)
func passing(code string) bool {
	switch code {
	case "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded",
		"TransactionConflictException", "TransactionInProgressException",
		"RequestTimeout", "RequestTimeoutException", "ExpiredToken", "ExpiredTokenException":
		return true
	case "ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict":
		return true // as a reason of a cancelled transaction
	}
	return false
}

// failure says of an SDK's error what it means, without its text: that of a
// validation error, for one, may quote what was sent.
func failure(ctx context.Context, op string, err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return transport(ctx, op, err)
	}
	if passing(api.ErrorCode()) || passingStatus(err) {
		return unanswered(ctx, op, api.ErrorCode())
	}
	return permanent(op, api.ErrorCode())
}

// passingStatus reports a status that DynamoDB sends when it is in trouble.
func passingStatus(err error) bool {
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok {
		return false
	}
	status := answer.HTTPStatusCode()
	return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
}

// transport judges an error that DynamoDB did not send. What could never be
// sent is this program's, or its configuration's, fault.
func transport(ctx context.Context, op string, err error) error {
	if _, ok := errors.AsType[*smithy.SerializationError](err); ok {
		return permanent(op, "request could not be made")
	}
	if _, ok := errors.AsType[smithy.InvalidParamsError](err); ok {
		return permanent(op, "request could not be made")
	}
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		return unanswered(ctx, op, "timed out")
	}
	if sending, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		// Of the connection, and so of no row.
		return unanswered(ctx, op, sending.Error())
	}
	if _, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return unanswered(ctx, op, "no readable answer")
	}
	return unanswered(ctx, op, "not sent, for want of credentials or of an endpoint")
}

// unanswered is ErrUnavailable with its cause, and the context's error where
// that has ended.
func unanswered(ctx context.Context, op, cause string) error {
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrUnavailable, op, ended)
	}
	return fmt.Errorf("%w: %s: %s", store.ErrUnavailable, op, cause)
}

// permanent is an error that trying again does not mend.
func permanent(op, cause string) error { return fmt.Errorf("store/dynamo: %s: %s", op, cause) }
