package dynamo

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// replayable lets net/http send a read again, at once and by itself, when the
// idle connection it chose turns out to be dead, as all of them are when a
// Lambda sandbox thaws. Otherwise the SDK would: after a back-off, as one of
// its few attempts. Writes are left to the SDK.
//
// net/http replays a POST whose body it can have once more, and that has an
// Idempotency-Key. The key without a value says so and is not sent, so it is
// not signed either: it is set after signing.
// (https://pkg.go.dev/net/http#Transport)
func replayable(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("Replayable", markReplayable), middleware.After)
	})
}

func markReplayable(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	req, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("unknown transport %T", in.Request)
	}
	body, err := io.ReadAll(req.GetStream())
	if err == nil {
		err = req.RewindStream()
	}
	if err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("reading the request: %w", err)
	}
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Header["Idempotency-Key"] = []string{}
	return next.HandleFinalize(ctx, in)
}
