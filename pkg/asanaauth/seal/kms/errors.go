package kms

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/asanaauth/asanaauth/internal/awsretry"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
)

// wrapError returns an error that wraps err and either seal.ErrDenied or
// seal.ErrUnavailable. If the context has ended and KMS did not deny the request, the
// error wraps the context's error instead of err.
func wrapError(ctx context.Context, doing string, err error) error {
	kind := kindOf(err)
	if ended := ctx.Err(); ended != nil && kind == seal.ErrUnavailable {
		return fmt.Errorf("%w: %s by KMS: %w", kind, doing, ended)
	}
	return fmt.Errorf("%w: %s by KMS: %w", kind, doing, withoutSecrets(err))
}

// kindOf returns seal.ErrUnavailable for an error that may be temporary: no response, a
// proxy's response, a server error, throttling, or an error that
// awsretry.RejectsSignature names. For every other error response of KMS, kindOf returns
// seal.ErrDenied.
//
// The error codes are listed in
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html and
// https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html.
func kindOf(err error) error {
	var apiErr smithy.APIError
	if !errors.As(err, &apiErr) || apiErr.ErrorFault() == smithy.FaultServer || status(err) >= 500 {
		return seal.ErrUnavailable
	}
	if _, throttled := retry.DefaultThrottleErrorCodes[apiErr.ErrorCode()]; throttled || awsretry.RejectsSignature(apiErr.ErrorCode()) {
		return seal.ErrUnavailable
	}
	switch apiErr.ErrorCode() {
	case "RequestTimeout", "RequestTimeoutException", "ServiceUnavailable",
		// The SDK uses these codes for an error response that did not come from KMS.
		"UnknownError", "":
		return seal.ErrUnavailable
	}
	return seal.ErrDenied
}

// withoutSecrets returns err if it is an error response from KMS or a network error. If the
// SDK could not decode the response, err contains the response, and a response to Decrypt
// contains the keyring. Any other err can contain the output of a credential_process
// command, and with it AWS credentials. In both cases, the result is a fixed error.
func withoutSecrets(err error) error {
	var undecoded *smithy.DeserializationError
	var response smithy.APIError
	var sending *smithyhttp.RequestSendError
	switch {
	case errors.As(err, &undecoded):
		return errResponse
	case errors.As(err, &response), errors.As(err, &sending):
		return err
	}
	return errNotSent
}

// status returns the HTTP status of the response, or 0 if no response was received.
func status(err error) int {
	var response interface{ HTTPStatusCode() int }
	if !errors.As(err, &response) {
		return 0
	}
	return response.HTTPStatusCode()
}
