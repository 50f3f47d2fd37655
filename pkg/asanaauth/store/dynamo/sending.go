package dynamo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// asRead and asWrite are options of a call: how net/http sends it.
func asRead(o *dynamodb.Options)  { send(o, sending{replayable: true}) }
func asWrite(o *dynamodb.Options) { send(o, sending{}) }

func send(o *dynamodb.Options, how sending) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Finalize.Add(how, middleware.After) // after signing
	})
}

// sending changes a request just before it goes out.
//
// All bodies hide io.WriterTo. The SDK closes a body when it has the answer,
// and where net/http has not yet looked for the end of it, the SDK's WriteTo
// says that with an error: a failed write, to net/http, which gives up the
// connection and now and then the answer.
//
// Reads are replayable: when the idle connection that net/http chose turns out
// to be dead, as all of them are when a Lambda sandbox thaws, it sends a read
// again, at once and by itself. Otherwise the SDK would, after a back-off and
// as one of its few attempts, as it does with writes. net/http replays a POST
// (https://pkg.go.dev/net/http#Transport) whose body it can have once more, and
// that has an Idempotency-Key. The key without a value says so and is not sent;
// so it must not be signed either.
type sending struct{ replayable bool }

// ID implements [middleware.FinalizeMiddleware].
func (sending) ID() string { return "Sending" }

// HandleFinalize implements [middleware.FinalizeMiddleware].
func (s sending) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	req, err := s.prepare(in.Request)
	if err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, &smithy.SerializationError{Err: err}
	}
	in.Request = req
	return next.HandleFinalize(ctx, in)
}

// errUnknownRequest is that of an SDK that sends otherwise than this one.
var errUnknownRequest = errors.New("store/dynamo: no HTTP request with a body")

func (s sending) prepare(request any) (*smithyhttp.Request, error) {
	req, ok := request.(*smithyhttp.Request)
	if !ok {
		return nil, errUnknownRequest
	}
	stream, ok := req.GetStream().(io.ReadSeeker)
	if !ok {
		return nil, errUnknownRequest
	}
	if s.replayable {
		body, err := io.ReadAll(stream)
		if err != nil {
			return nil, fmt.Errorf("reading the request: %w", err)
		}
		stream = bytes.NewReader(body)
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		req.Header["Idempotency-Key"] = []string{}
	}
	return req.SetStream(struct{ io.ReadSeeker }{stream})
}
