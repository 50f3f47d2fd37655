// Package wire constructs objects that several Lambda functions need, such as the store
// and the Asana client. Each constructor reads its environment variables with an
// [env.Reader], and adds configuration errors to the reader. Use the objects only if
// boot.Settle returns nil.
//
// The main of a function calls only the constructors that it needs. Package kmskeyring
// constructs the keyring, and package managedsecret constructs the client secret. A
// function that must not decrypt tokens does not link these two packages.
package wire

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/internal/lambdahttp"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/dynamo"
)

// HTTP returns the configuration for the HTTP handlers, with the public URL in
// PUBLIC_URL. The handlers use API Gateway's request IDs.
func HTTP(r *env.Reader, log *slog.Logger) httpapi.Config {
	return httpapi.Config{PublicURL: r.Origin("PUBLIC_URL"), Log: log, RequestID: requestID}
}

// Backend is like [HTTP], for the function that serves backends. The identity of a caller
// is the ARN that API Gateway's IAM authorizer has verified. Headers of the request
// cannot change the identity.
func Backend(r *env.Reader, log *slog.Logger) httpapi.Config {
	c := HTTP(r, log)
	c.Identity = func(r *http.Request) (string, bool) {
		who, ok := lambdahttp.IAM(r.Context())
		return who.UserARN, ok
	}
	return c
}

func requestID(r *http.Request) string { return lambdahttp.RequestID(r.Context()) }

// Log returns a logger that adds the request ID to every line that is logged for a
// request.
func Log(log *slog.Logger) *slog.Logger { return slog.New(httpapi.LogHandler(log.Handler())) }

// Store returns a store that keeps its rows in the DynamoDB table TABLE_NAME.
func Store(r *env.Reader, cfg aws.Config) *dynamo.Store {
	s, err := dynamo.New(dynamo.Config{Client: dynamodb.NewFromConfig(cfg), Table: r.TableName("TABLE_NAME")})
	if err != nil && r.Err() == nil {
		r.AddError("TABLE_NAME", err.Error())
	}
	return s
}

// Asana returns a client for Asana, configured by ASANA_CLIENT_ID and ASANA_BASE_URL.
func Asana(r *env.Reader, transport http.RoundTripper) *asana.Client {
	return client(r, asana.Config{Transport: transport})
}

// AsanaOpenID is like [Asana], for the function that verifies ID tokens, and also reads
// ASANA_ISSUER.
func AsanaOpenID(r *env.Reader, transport http.RoundTripper) *asana.Client {
	c := asana.Config{Transport: transport}
	if r.Set("ASANA_ISSUER") {
		c.Issuer = r.BaseURL("ASANA_ISSUER")
	}
	return client(r, c)
}

func client(r *env.Reader, c asana.Config) *asana.Client {
	c.ClientID = r.Digits("ASANA_CLIENT_ID")
	c.BaseURL = r.ServerOrigin("ASANA_BASE_URL", "")
	client, err := asana.New(c)
	if err != nil && r.Err() == nil {
		r.AddError("ASANA_BASE_URL", err.Error())
	}
	return client
}

// RedirectURI returns the OAuth redirect URI, which must be registered in the Asana app.
func RedirectURI(c httpapi.Config) string { return c.PublicURL + "/callback" }

// ResponseType returns the OAuth response type in ASANA_RESPONSE_TYPE, by default "code".
func ResponseType(r *env.Reader) string {
	return r.OneOf("ASANA_RESPONSE_TYPE", "code", "code", "code id_token")
}

// Dial returns a function for boot.Warm that opens a network connection to Asana by
// sending a HEAD request. The request contains no credentials. The response is ignored.
func Dial(transport http.RoundTripper, c *asana.Client) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, c.Issuers()[0]+"/", nil)
		if err != nil {
			return fmt.Errorf("connecting to Asana: %w", err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return fmt.Errorf("connecting to Asana: %w", err)
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		return err
	}
}
