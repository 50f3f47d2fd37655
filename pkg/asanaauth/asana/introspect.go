package asana

import (
	"context"
	"math"
	"net/url"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Introspection is the response of the introspection endpoint (RFC 7662 section 2.2). If
// Active is false, all other fields are zero.
type Introspection struct {
	// Active reports whether the token is neither expired nor revoked.
	Active bool
	// ClientID is the client ID of the app that the token was issued to. For a personal
	// access token and for the token of a service account, ClientID is "".
	ClientID string
	// Scope is the list of scopes, separated by spaces, or "" if the response has none.
	Scope string
	// TokenType is "bearer" or "refresh", or "" if the response has none.
	TokenType string
	// Expires is when the token expires, in UTC, or zero if the response has no expiry
	// time.
	Expires time.Time
}

// Introspect reports whether an access token or a refresh token is valid, and returns its
// client ID, scopes and expiry (RFC 7662). Introspect makes one request. The request
// contains no client secret, because Asana's documentation does not require one:
// https://developers.asana.com/docs/oauth#token-introspection.
//
// Every error is an [*Error]. If the token is not active, Active is false and the error
// is nil.
func (c *Client) Introspect(ctx context.Context, token secret.String) (Introspection, error) {
	const op = "introspect"
	if token.IsZero() {
		return Introspection{}, notSent(op, "the token is missing")
	}
	r, err := c.post(ctx, op, introspectPath, url.Values{"token": {token.Reveal()}})
	if err != nil {
		return Introspection{}, err
	}
	if err := r.checkStatus(oauthCode); err != nil {
		return Introspection{}, err
	}
	m, err := r.object()
	if err != nil {
		return Introspection{}, err
	}
	return introspection(m)
}

// lastSecond is the end of the year 9999, in Unix seconds. RFC 3339 cannot express a
// later time.
const lastSecond = 253402300799

// introspection returns the Introspection that m, the JSON object of a response,
// describes. introspection returns an error if any field is malformed. If introspection
// ignored a malformed client_id, an OAuth token would look like a personal access token.
func introspection(m map[string]any) (Introspection, error) {
	const op = "introspect"
	active, ok := m["active"].(bool)
	if !ok || m["error"] != nil {
		return Introspection{}, badResponse(op, "the response does not say whether the token is active")
	}
	if !active {
		return Introspection{}, nil
	}
	i := Introspection{Active: true}
	for name, to := range map[string]*string{"client_id": &i.ClientID, "scope": &i.Scope, "token_type": &i.TokenType} {
		var err error
		if *to, err = scope(m[name]); err != nil {
			return Introspection{}, badResponse(op, name+" is malformed")
		}
	}
	if exp := m["exp"]; exp != nil {
		n, ok := exp.(float64)
		if !ok || n < 0 || n > lastSecond || n != math.Trunc(n) {
			return Introspection{}, badResponse(op, "exp is not a valid time")
		}
		i.Expires = time.Unix(int64(n), 0).UTC()
	}
	return i, nil
}
