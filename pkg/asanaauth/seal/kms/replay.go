package kms

import (
	"bytes"
	"context"
	"fmt"
	"io"

	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// replayable lets net/http send a call once more, on a new connection, when
// the kept one turns out to be dead, as all are in a sandbox that was thawed.
// That costs nothing; the SDK would try again only after its back-off. It is
// for calls that change nothing.
func replayable(o *awskms.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		// After the signing, which would sign a header that is never sent.
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("asanaauth.Replayable", markReplayable), "Signing", middleware.After)
	})
}

// markReplayable does what net/http asks for (see http.Transport): an
// Idempotency-Key, which an empty list keeps off the wire, and a GetBody.
func markReplayable(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	r, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return next.HandleFinalize(ctx, in)
	}
	body, err := io.ReadAll(r.GetStream())
	if err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("reading the request's body: %w", err)
	}
	if err := r.RewindStream(); err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("rewinding the request's body: %w", err)
	}
	r.Header["Idempotency-Key"] = nil
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return next.HandleFinalize(ctx, in)
}
