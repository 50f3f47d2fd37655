package secretsmanager

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
)

var errResponse = errors.New("the response cannot be decoded")

// fetchError returns an error that wraps the context's error if the context has ended.
// Otherwise the error wraps err, unless the SDK could not decode the response. In that
// case err must not be wrapped, because it contains the response and therefore the
// secret.
func fetchError(ctx context.Context, err error) error {
	var undecoded *smithy.DeserializationError
	if ended := ctx.Err(); ended != nil {
		err = ended
	} else if errors.As(err, &undecoded) {
		err = errResponse
	}
	return fmt.Errorf("fetching the client secret: %w", err)
}
