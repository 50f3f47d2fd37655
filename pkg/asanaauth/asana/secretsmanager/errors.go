package secretsmanager

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"
)

var errNonsense = errors.New("an answer that makes no sense")

// failed says why there is no secret. An error of an unreadable answer is
// replaced: it holds the answer, and the answer holds the secret.
func failed(ctx context.Context, err error) error {
	var unread *smithy.DeserializationError
	if ended := ctx.Err(); ended != nil {
		err = ended
	} else if errors.As(err, &unread) {
		err = errNonsense
	}
	return fmt.Errorf("fetching the client secret: %w", err)
}
