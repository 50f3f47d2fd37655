package lambdahttp

import (
	"context"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// Identity is the IAM identity that signed a request, as verified by API Gateway's IAM
// authorizer. It is requestContext.authorizer.iam of the event. Clients cannot set it.
type Identity struct {
	AccessKey      string `json:"accessKey"`      // access key id; not a secret
	AccountID      string `json:"accountId"`      // the caller's AWS account, 12 digits
	CallerID       string `json:"callerId"`       // unique id; for a role, ROLE-ID:SESSION-NAME
	PrincipalOrgID string `json:"principalOrgId"` // "" if the account is in no organization
	UserARN        string `json:"userArn"`        // never "" if returned by the function IAM
	UserID         string `json:"userId"`         // unique id; for a role, ROLE-ID:SESSION-NAME
}

type eventKey struct{}

// metadata is the part of an event that handlers can read through the request's context.
type metadata struct {
	requestID string
	iam       *Identity
}

func withEvent(ctx context.Context, e *event) context.Context {
	m := metadata{requestID: e.RequestContext.RequestID, iam: e.RequestContext.Authorizer.IAM}
	return context.WithValue(ctx, eventKey{}, m)
}

// RequestID returns API Gateway's id of the request, which its access log contains too. If
// the event has none, RequestID returns Lambda's id of the invocation, or "" outside of
// Lambda. Clients cannot set the id.
func RequestID(ctx context.Context) string {
	if m, _ := ctx.Value(eventKey{}).(metadata); m.requestID != "" {
		return m.requestID
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
}

// IAM returns the IAM identity that signed the request. It returns false if the route has no
// IAM authorizer, or if the identity has no ARN.
func IAM(ctx context.Context) (Identity, bool) {
	m, _ := ctx.Value(eventKey{}).(metadata)
	if m.iam == nil || m.iam.UserARN == "" {
		return Identity{}, false
	}
	return *m.iam, true
}
