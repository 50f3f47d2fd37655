package asana

import (
	"context"
	"math"
	"net/url"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Introspection is what Asana says of a token of any kind. Where Active is false
// all else is zero.
type Introspection struct {
	Active    bool      // neither expired nor revoked
	ClientID  string    // the app it was issued to; "" for a PAT or a service account's token
	Scope     string    // space-separated; "" where not told
	TokenType string    // "bearer" or "refresh"; "" where not told
	Expires   time.Time // zero where not told
}

// Introspect asks about a token, RFC 7662. Asana documents no authentication of
// the caller: https://developers.asana.com/docs/oauth#token-introspection.
func (c *Client) Introspect(ctx context.Context, token secret.String) (Introspection, error) {
	const op = "introspect"
	if token.IsZero() {
		return Introspection{}, refused(op, "the token is missing")
	}
	a, err := c.post(ctx, op, introspectPath, url.Values{"token": {token.Reveal()}})
	if err != nil {
		return Introspection{}, err
	}
	if err := a.expect(oauthCode); err != nil {
		return Introspection{}, err
	}
	m, err := a.object()
	if err != nil {
		return Introspection{}, err
	}
	return introspection(m)
}

// lastSecond is the end of the year 9999, the last that RFC 3339 can write.
const lastSecond = 253402300799

// introspection is strict about every member: a client_id of a wrong type must
// not pass for none, or an OAuth token would pass for a long-lived one.
func introspection(m map[string]any) (Introspection, error) {
	const op = "introspect"
	active, ok := m["active"].(bool)
	if !ok || m["error"] != nil {
		return Introspection{}, nonsense(op, "the answer does not say whether the token is active")
	}
	if !active {
		return Introspection{}, nil
	}
	i := Introspection{Active: true}
	for name, to := range map[string]*string{"client_id": &i.ClientID, "scope": &i.Scope, "token_type": &i.TokenType} {
		var err error
		if *to, err = scope(m[name]); err != nil {
			return Introspection{}, nonsense(op, name+" is malformed")
		}
	}
	if exp := m["exp"]; exp != nil {
		n, ok := exp.(float64)
		if !ok || n < 0 || n > lastSecond || n != math.Trunc(n) {
			return Introspection{}, nonsense(op, "exp is no time")
		}
		i.Expires = time.Unix(int64(n), 0).UTC()
	}
	return i, nil
}
