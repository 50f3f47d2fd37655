// Package wire makes the parts that several functions are made of: a constructor
// for each, which reads the variables of its part. A main calls those that it
// needs, and the linker leaves out the others. What opens sealed rows, and what
// fetches the client secret, are packages of their own, so that a function which
// must not be able to does not even import them.
//
// A constructor notes what is wrong with its variables in the Reader; what it
// returned may be used once the Reader has settled without a mistake.
package wire

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/internal/lambdahttp"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/dynamo"
)

// HTTP reads PUBLIC_URL. Requests are named as API Gateway names them.
func HTTP(r *env.Reader, log *slog.Logger) httpapi.Config {
	return httpapi.Config{PublicURL: r.Origin("PUBLIC_URL"), Log: log, RequestID: requestID}
}

// Backend is HTTP for the function that serves backends: who asks is who signed the
// request, as API Gateway's IAM authorizer found. No header of the client decides it.
func Backend(r *env.Reader, log *slog.Logger) httpapi.Config {
	c := HTTP(r, log)
	c.Identity = func(r *http.Request) (string, bool) {
		who, ok := lambdahttp.IAM(r.Context())
		return who.UserARN, ok
	}
	return c
}

// Links reads RETURN_URLS and ASANA_SCOPES.
func Links(r *env.Reader, c httpapi.Config) asanaauth.LinksOptions {
	return asanaauth.LinksOptions{
		AuthorizeURL: c.PublicURL + "/authorize",
		ReturnURLs:   r.ReturnURLs("RETURN_URLS"),
		Scopes:       strings.Join(r.Scopes("ASANA_SCOPES"), " "),
	}
}

func requestID(r *http.Request) string { return lambdahttp.RequestID(r.Context()) }

// Log names the request in every line that the rules log for it.
func Log(log *slog.Logger) *slog.Logger { return slog.New(httpapi.LogHandler(log.Handler())) }

// Store reads TABLE_NAME.
func Store(r *env.Reader, cfg aws.Config) *dynamo.Store {
	return dynamo.New(dynamodb.NewFromConfig(cfg), r.String("TABLE_NAME"))
}

// Asana reads ASANA_CLIENT_ID and ASANA_BASE_URL.
func Asana(r *env.Reader, transport http.RoundTripper) *asana.Client {
	return client(r, asana.Config{Transport: transport})
}

// AsanaOpenID reads ASANA_ISSUER too, for the function that believes ID tokens.
func AsanaOpenID(r *env.Reader, transport http.RoundTripper) *asana.Client {
	c := asana.Config{Transport: transport}
	if r.Set("ASANA_ISSUER") {
		c.Issuer = r.BaseURL("ASANA_ISSUER", "")
	}
	return client(r, c)
}

func client(r *env.Reader, c asana.Config) *asana.Client {
	c.ClientID = r.String("ASANA_CLIENT_ID")
	if r.Set("ASANA_BASE_URL") {
		c.BaseURL = r.Origin("ASANA_BASE_URL")
	}
	client, err := asana.New(c)
	if err != nil && r.Err() == nil {
		r.Mistake("ASANA_BASE_URL", err.Error())
	}
	return client
}

// RedirectURI is what is registered at Asana.
func RedirectURI(c httpapi.Config) string { return c.PublicURL + "/callback" }

// ResponseType reads ASANA_RESPONSE_TYPE.
func ResponseType(r *env.Reader) string {
	return r.OneOf("ASANA_RESPONSE_TYPE", "code", "code", "code id_token")
}

// Connections makes the rules of connections for a sandbox, which has one request
// at a time: there are no callers of a process to join, and no goroutine may
// outlive the answer.
func Connections(p asanaauth.Parts) (*asanaauth.Connections, error) {
	return asanaauth.NewConnections(p, asanaauth.ConnectionsOptions{Alone: true})
}

// Dial returns a function for warm-up that leaves a connection to Asana behind.
// What is asked is of no matter, and nothing is sent along.
func Dial(transport http.RoundTripper, c *asana.Client) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, c.Issuers()[0]+"/", nil)
		if err != nil {
			return fmt.Errorf("dialling Asana: %w", err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return fmt.Errorf("dialling Asana: %w", err)
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		return err
	}
}
