package lambdahttp

import (
	"context"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Identity is who signed the request, as API Gateway's IAM authorizer found:
// requestContext.authorizer.iam of the event. A client cannot set any of it.
type Identity struct {
	AccessKey      string `json:"accessKey"`      // access key id, no secret
	AccountID      string `json:"accountId"`      // of the caller, 12 digits
	CallerID       string `json:"callerId"`       // unique id, for a role with its session name
	PrincipalOrgID string `json:"principalOrgId"` // "" outside an organization
	UserARN        string `json:"userArn"`        // never "" in what IAM returns
	UserID         string `json:"userId"`         // unique id, for a role with its session name
}

type eventKey struct{}

// facts are what a handler may ask of the event beyond its request.
type facts struct {
	requestID string
	iam       *Identity
}

func withEvent(ctx context.Context, e *event) context.Context {
	f := facts{requestID: e.RequestContext.RequestID, iam: e.RequestContext.Authorizer.IAM}
	return context.WithValue(ctx, eventKey{}, f)
}

// RequestID is API Gateway's id of the request, the one in its access log; where
// the event has none, Lambda's id of the invocation, and "" outside Lambda. No
// header of the client decides it.
func RequestID(ctx context.Context) string {
	if f, _ := ctx.Value(eventKey{}).(facts); f.requestID != "" {
		return f.requestID
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
}

// IAM returns who signed the request. It is false where the route has no IAM
// authorizer, and where API Gateway names no ARN: an identity without a name is
// none.
func IAM(ctx context.Context) (Identity, bool) {
	f, _ := ctx.Value(eventKey{}).(facts)
	if f.iam == nil || f.iam.UserARN == "" {
		return Identity{}, false
	}
	return *f.iam, true
}
