package secretsmanager

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

var errNonsense = errors.New("an answer that makes no sense")

// failed says whether asking again may help. An error of an unreadable answer
// is replaced: it holds the answer, and the answer holds the secret.
func failed(ctx context.Context, err error) error {
	if saidNo(err) {
		return fmt.Errorf("fetching the client secret: %w", err)
	}
	var unread *smithy.DeserializationError
	if ended := ctx.Err(); ended != nil {
		err = ended
	} else if errors.As(err, &unread) {
		err = errNonsense
	}
	return fmt.Errorf("%w: fetching the client secret: %w", ErrUnavailable, err)
}

// saidNo reports that Secrets Manager itself refused, and that it is not for
// the moment. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
// and …/CommonErrors.html have the list.
func saidNo(err error) bool {
	var said smithy.APIError
	if !errors.As(err, &said) || said.ErrorFault() == smithy.FaultServer || status(err) >= 500 {
		return false
	}
	if _, again := retry.DefaultThrottleErrorCodes[said.ErrorCode()]; again {
		return false
	}
	switch said.ErrorCode() {
	case "RequestTimeout", "RequestTimeoutException", "ServiceUnavailable",
		// what the SDK calls an error that is not in the service's form
		"UnknownError", "",
		// these are about the caller's credentials and clock, not its rights
		"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException", "AuthFailure",
		"IncompleteSignature", "IncompleteSignatureException", "InvalidSignatureException",
		"SignatureDoesNotMatch", "RequestExpired", "RequestTimeTooSkewed":
		return false
	}
	return true
}

// status is that of the HTTP answer, 0 where there was none.
func status(err error) int {
	var answered interface{ HTTPStatusCode() int }
	if !errors.As(err, &answered) {
		return 0
	}
	return answered.HTTPStatusCode()
}
