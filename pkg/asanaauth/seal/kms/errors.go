package kms

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
)

// failed says what went wrong in the words of package seal.
func failed(ctx context.Context, doing string, err error) error {
	kind := kindOf(err)
	if ended := ctx.Err(); ended != nil && kind == seal.ErrUnavailable {
		return fmt.Errorf("%w: %s by KMS: %w", kind, doing, ended)
	}
	return fmt.Errorf("%w: %s by KMS: %w", kind, doing, harmless(err))
}

// kindOf divides errors: whatever KMS itself said no to is denied. All else
// may be different the next time: no answer, one of a proxy, trouble in KMS,
// too many calls, credentials that are missing or have run out.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html and
// …/CommonErrors.html have the list.
func kindOf(err error) error {
	var said smithy.APIError
	if !errors.As(err, &said) || said.ErrorFault() == smithy.FaultServer || status(err) >= 500 {
		return seal.ErrUnavailable
	}
	if _, again := retry.DefaultThrottleErrorCodes[said.ErrorCode()]; again {
		return seal.ErrUnavailable
	}
	switch said.ErrorCode() {
	case "RequestTimeout", "RequestTimeoutException", "ServiceUnavailable",
		// what the SDK calls an error that is not in KMS's form
		"UnknownError", "",
		// these are about the caller's credentials and clock, not its rights
		"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException", "AuthFailure",
		"IncompleteSignature", "IncompleteSignatureException", "InvalidSignatureException",
		"SignatureDoesNotMatch", "RequestExpired", "RequestTimeTooSkewed":
		return seal.ErrUnavailable
	}
	return seal.ErrDenied
}

// harmless keeps from the log what an answer held: the error of one that could
// not be read quotes it, and an answer to Decrypt holds the keyring.
func harmless(err error) error {
	var unread *smithy.DeserializationError
	if errors.As(err, &unread) {
		return errNonsense
	}
	return err
}

// status is that of the HTTP answer, 0 where there was none.
func status(err error) int {
	var answered interface{ HTTPStatusCode() int }
	if !errors.As(err, &answered) {
		return 0
	}
	return answered.HTTPStatusCode()
}
