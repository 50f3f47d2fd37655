package dynamo

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
)

// attemptTime limits one attempt of a request. After it, the SDK makes another attempt, so
// a request that DynamoDB leaves unanswered costs less than a second. The refresh protocol
// reserves two seconds for the save of a rotated token. If an attempt could take two
// seconds, one unanswered request would lose the token. DynamoDB normally responds within
// 20 milliseconds.
const attemptTime = 800 * time.Millisecond

// limitAttempts is an option for each call of the client, except Scan, because a page of
// Scan can contain up to a megabyte of rows. The limit applies to every HTTP client, and
// includes reading the response.
func limitAttempts(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(attemptLimit, "Retry", middleware.After)
	})
}

var attemptLimit = middleware.FinalizeMiddlewareFunc("AttemptLimit", func(
	ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
) (middleware.FinalizeOutput, middleware.Metadata, error) {
	attempt, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	out, metadata, err := next.HandleFinalize(attempt, in)
	if err != nil && attempt.Err() != nil && ctx.Err() == nil {
		// The SDK would not retry its own error, which says that the context was canceled.
		err = fmt.Errorf("no response within %v: %w", attemptTime, os.ErrDeadlineExceeded)
	}
	return out, metadata, err
})
