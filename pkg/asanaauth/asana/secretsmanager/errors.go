package secretsmanager

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

var (
	errResponse = errors.New("the response cannot be decoded")
	errNotSent  = errors.New("no credentials or no endpoint")
)

// fetchError returns an error that wraps the context's error if the context has ended.
// Otherwise the error wraps err if err is an error response from Secrets Manager or a
// network error. If the SDK could not decode the response, err contains the client secret.
// Any other err can contain the output of a credential_process command, and with it AWS
// credentials. In both cases, the error wraps a fixed error instead.
func fetchError(ctx context.Context, err error) error {
	var undecoded *smithy.DeserializationError
	var response smithy.APIError
	var sending *smithyhttp.RequestSendError
	switch ended := ctx.Err(); {
	case ended != nil:
		err = ended
	case errors.As(err, &undecoded):
		err = errResponse
	case !errors.As(err, &response) && !errors.As(err, &sending):
		err = errNotSent
	}
	return fmt.Errorf("fetching the client secret: %w", err)
}
