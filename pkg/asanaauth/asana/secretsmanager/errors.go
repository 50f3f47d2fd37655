package secretsmanager

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
)

var errResponse = errors.New("the response cannot be decoded")

// fetchError returns the error of a fetch that failed. If the context has ended, it wraps
// the context's error. It does not wrap the SDK's error for a response that cannot be
// decoded, because that error contains the response and so the secret.
func fetchError(ctx context.Context, err error) error {
	var undecoded *smithy.DeserializationError
	if ended := ctx.Err(); ended != nil {
		err = ended
	} else if errors.As(err, &undecoded) {
		err = errResponse
	}
	return fmt.Errorf("fetching the client secret: %w", err)
}
