package lambdahttp

import (
	"context"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Identity is the IAM identity that signed a request. API Gateway's IAM authorizer has
// verified the signature. Identity is requestContext.authorizer.iam in the event, so
// clients cannot set it.
type Identity struct {
	AccessKey      string `json:"accessKey"`      // ID of the access key, which is not a secret
	AccountID      string `json:"accountId"`      // the caller's AWS account, 12 digits
	CallerID       string `json:"callerId"`       // unique ID; for a role, ROLE-ID:SESSION-NAME
	PrincipalOrgID string `json:"principalOrgId"` // "" if the account is in no organization
	UserARN        string `json:"userArn"`        // never "" if returned by the function IAM
	UserID         string `json:"userId"`         // unique ID; for a role, ROLE-ID:SESSION-NAME
}

type eventKey struct{}

// metadata is the part of an event that handlers can read from the request's context.
type metadata struct {
	requestID string
	iam       *Identity
}

func withEvent(ctx context.Context, e *event) context.Context {
	m := metadata{requestID: e.RequestContext.RequestID, iam: e.RequestContext.Authorizer.IAM}
	return context.WithValue(ctx, eventKey{}, m)
}

// RequestID returns the ID that API Gateway gave the request and wrote to its access log.
// If the event has no request ID, RequestID returns the ID of the Lambda invocation.
// Outside of Lambda, RequestID returns "". Clients cannot set the ID.
func RequestID(ctx context.Context) string {
	if m, _ := ctx.Value(eventKey{}).(metadata); m.requestID != "" {
		return m.requestID
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
}

// IAM returns the IAM identity that signed the request. The second result is false if the
// route has no IAM authorizer, or if the identity has no ARN.
func IAM(ctx context.Context) (Identity, bool) {
	m, _ := ctx.Value(eventKey{}).(metadata)
	if m.iam == nil || m.iam.UserARN == "" {
		return Identity{}, false
	}
	return *m.iam, true
}
