package asana

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	// maxToken is the maximum size of a token, in bytes. Asana documents no limit, but its
	// tokens have fewer than 100 bytes.
	maxToken = 8 << 10
	// maxIDToken is the maximum size of an ID token, in bytes.
	maxIDToken = 16 << 10
	// maxLifetime is the maximum lifetime of an access token. The introspection endpoint
	// has returned lifetimes of this length, but no longer ones.
	maxLifetime = 10 * 365 * 24 * time.Hour
	// maxScope is the maximum size of a list of scopes, in bytes. A list of all of Asana's
	// scopes has about 1 KB.
	maxScope = 8 << 10
)

const opRefresh = "refresh"

// Tokens is a successful response of the token endpoint (RFC 6749 section 5.1).
type Tokens struct {
	// Access is the access token, which is never zero.
	Access secret.String
	// Refresh is the refresh token. If the field is zero after [Client.Refresh], the
	// refresh token that was sent remains valid.
	Refresh secret.String
	// ExpiresIn is the lifetime of the access token, in whole seconds, or 0 if the
	// response has no expires_in. The field can be a number, or digits in a string.
	ExpiresIn time.Duration
	// Scope is the list of granted scopes, separated by spaces, or "" if the response has
	// no scope. Asana sends no scope today.
	Scope string
	// ID is the ID token, or zero if the response has none. The package has not verified
	// the ID token: call [Client.VerifyIDToken].
	ID secret.String
	// User is the user who authorized the app, or zero if the response has no field
	// "data". User.GID is "" if the response has no valid gid.
	User User
}

// Exchange exchanges an authorization code for tokens (RFC 6749 section 4.1.3). Exchange
// makes one request. verifier is the PKCE code verifier, or zero if the authorization
// request had no challenge. redirectURI must be the redirect URI of the authorization
// request.
//
// Every error is an [*Error]. The Code is [InvalidGrant] if the authorization code was
// used or has expired, and [InvalidClient] if the client secret is wrong. If Asana
// responds with status 200 but a field of the response is malformed, the Status of the
// error is 200.
func (c *Client) Exchange(ctx context.Context, clientSecret, code, verifier secret.String, redirectURI string) (Tokens, error) {
	const op = "exchange"
	if code.IsZero() || clientSecret.IsZero() {
		return Tokens{}, notSent(op, "code or client secret is missing")
	}
	conf := c.config()
	conf.ClientSecret = clientSecret.Reveal()
	conf.RedirectURL = redirectURI
	var opts []oauth2.AuthCodeOption
	if !verifier.IsZero() {
		opts = append(opts, oauth2.VerifierOption(verifier.Reveal()))
	}
	tok, err := conf.Exchange(c.oauthContext(ctx, op), code.Reveal(), opts...)
	return tokens(ctx, op, tok, err)
}

// Refresh exchanges a refresh token for new tokens (RFC 6749 section 6). Refresh makes
// one request. Tokens.Refresh is zero if the response has no refresh_token. Asana sends
// no refresh_token today. If expires_in, scope or id_token is malformed, Refresh ignores
// that field. If Refresh returned an error instead, a new refresh token in the same
// response would be lost.
//
// Every error is an [*Error]. The Code is [InvalidGrant] if the refresh token is revoked
// or unknown, and [InvalidClient] if the client secret is wrong. If Asana responds with
// status 200 but access_token, token_type or refresh_token is malformed, the Status of
// the error is 200. An empty refresh_token counts as malformed.
func (c *Client) Refresh(ctx context.Context, clientSecret, refresh secret.String) (Tokens, error) {
	const op = opRefresh
	if refresh.IsZero() || clientSecret.IsZero() {
		return Tokens{}, notSent(op, "refresh token or client secret is missing")
	}
	conf := c.config()
	conf.ClientSecret = clientSecret.Reveal()
	tok, err := conf.TokenSource(c.oauthContext(ctx, op), &oauth2.Token{RefreshToken: refresh.Reveal()}).Token()
	return tokens(ctx, op, tok, err)
}

// Revoke revokes a refresh token and the access tokens of its grant (RFC 7009). Revoke
// makes one request. A nil error means that none of these tokens is valid now. Revoke
// also returns nil if they were already invalid. Revoke cannot revoke an access token:
// Asana would reject the request with status 400.
//
// Every error is an [*Error]. After an error, the tokens may still be valid.
func (c *Client) Revoke(ctx context.Context, clientSecret, refresh secret.String) error {
	const op = "revoke"
	if refresh.IsZero() || clientSecret.IsZero() {
		return notSent(op, "refresh token or client secret is missing")
	}
	r, err := c.post(ctx, op, revokePath, url.Values{
		"client_id": {c.id}, "client_secret": {clientSecret.Reveal()}, "token": {refresh.Reveal()},
	})
	if err != nil {
		return err
	}
	if err := r.checkStatus(oauthCode); err != nil {
		return err
	}
	return checkRevoked(r)
}

// checkRevoked checks the body of a revocation response with status 200. Asana does not
// document this body, so checkRevoked accepts most bodies, even an empty one.
// checkRevoked rejects malformed JSON, JSON that is not an object, an object with a field
// "error", and an HTML page, which may come from a proxy or announce maintenance. If
// checkRevoked rejects the response to a successful revocation, it is safe to revoke the
// same token again.
func checkRevoked(r *response) error {
	body := bytes.TrimSpace(r.body)
	if len(body) == 0 {
		return nil
	}
	if r.isJSON() {
		m, err := r.object()
		if err == nil && m["error"] != nil {
			err = badResponse(r.op, "the response is an error")
		}
		return err
	}
	if body[0] == '<' {
		return badResponse(r.op, "the response is an HTML page")
	}
	return nil
}

// oauthContext returns a context that makes x/oauth2 send its request with a
// checkedTransport.
func (c *Client) oauthContext(ctx context.Context, op string) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: checkedTransport{c, op}})
}

// checkedTransport passes a response to x/oauth2 only if it has status 200 and is strict
// JSON without a field "error". For any other response, it returns an [*Error], because
// the error that x/oauth2 would return quotes the response body.
type checkedTransport struct {
	c  *Client
	op string
}

func (t checkedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	r, err := t.c.send(t.op, tokenLimit, req)
	if err != nil {
		return nil, err
	}
	if err := r.checkStatus(oauthCode); err != nil {
		return nil, err
	}
	m, err := r.object()
	if err != nil {
		return nil, err
	}
	if m["error"] != nil {
		return nil, badResponse(t.op, "the response is an error with status 200")
	}
	life, err := lifetime(m["expires_in"])
	if err != nil && t.op != opRefresh {
		return nil, badResponse(t.op, "expires_in is not a valid lifetime")
	}
	if r.body, err = withLifetime(m, life); err != nil {
		return nil, badResponse(t.op, "the response cannot be encoded again")
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader(r.body)),
		ContentLength: int64(len(r.body)),
		Request:       req,
	}, nil
}

// tokens converts tok and err, the results of x/oauth2, to Tokens and an *Error. It reads
// only tok.Extra, which contains the response. It does not read fields such as
// tok.RefreshToken, because x/oauth2 may set that field to the refresh token of the
// request, or to the value of a JSON field whose name differs in case, such as
// "Refresh_Token".
func tokens(ctx context.Context, op string, tok *oauth2.Token, err error) (Tokens, error) {
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return Tokens{}, e
		}
		if ctx.Err() != nil {
			return Tokens{}, transportError(ctx, op, 0, err)
		}
		return Tokens{}, badResponse(op, "the response has no valid token")
	}
	t := Tokens{}
	if t.Access, err = tokenMember(tok, "access_token", maxToken); err != nil || t.Access.IsZero() {
		return Tokens{}, badResponse(op, "access_token is missing or malformed")
	}
	if kind, _ := tok.Extra("token_type").(string); !strings.EqualFold(kind, "bearer") {
		return Tokens{}, badResponse(op, "token_type is not bearer")
	}
	if t.Refresh, err = tokenMember(tok, "refresh_token", maxToken); err != nil {
		return Tokens{}, badResponse(op, "refresh_token is empty or malformed")
	}
	if err := readOptional(&t, tok); err != nil && op != opRefresh {
		return Tokens{}, badResponse(op, err.Error())
	}
	data, _ := tok.Extra("data").(map[string]any)
	t.User = userOf(data)
	return t, nil
}
