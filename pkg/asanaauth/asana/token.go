package asana

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	mostToken    = 8 << 10                   // bytes of a token; Asana's have under 100, and it names no maximum
	mostIDToken  = 16 << 10                  // bytes of an ID token
	mostLifetime = 10 * 365 * 24 * time.Hour // of a token: what introspection has shown for the longest
	mostScope    = 8 << 10                   // bytes of a scope; all of Asana's together have 1 KB
)

const opRefresh = "refresh"

// Tokens is the answer of the token endpoint, RFC 6749 section 5.1.
type Tokens struct {
	Access    secret.String
	Refresh   secret.String // zero where the answer had none: the old one stays good
	ExpiresIn time.Duration // zero where Asana told none
	Scope     string        // "" where Asana told none, as it does today
	ID        secret.String // the ID token, unverified; zero where there is none
	User      User          // the member "data", zero where there is none; its GID is "" where that is no gid
}

// Exchange redeems an authorization code: grant_type=authorization_code, once. A
// zero verifier sends none. The redirect URI is the one of the authorization. An
// error that is no [Error] is not returned.
func (c *Client) Exchange(ctx context.Context, clientSecret, code, verifier secret.String, redirectURI string) (Tokens, error) {
	const op = "exchange"
	if code.IsZero() || clientSecret.IsZero() {
		return Tokens{}, refused(op, "code or client secret is missing")
	}
	conf := c.config()
	conf.ClientSecret = clientSecret.Reveal()
	conf.RedirectURL = redirectURI
	var opts []oauth2.AuthCodeOption
	if !verifier.IsZero() {
		opts = append(opts, oauth2.VerifierOption(verifier.Reveal()))
	}
	tok, err := conf.Exchange(c.through(ctx, op), code.Reveal(), opts...)
	return tokens(ctx, op, tok, err)
}

// Refresh redeems a refresh token, once: grant_type=refresh_token. Tokens.Refresh
// is zero where the answer had no refresh_token, which is how Asana answers today;
// an empty one is an error, since nobody can say what it means. Where expires_in,
// scope or id_token are malformed, they count as absent.
func (c *Client) Refresh(ctx context.Context, clientSecret, refresh secret.String) (Tokens, error) {
	const op = opRefresh
	if refresh.IsZero() || clientSecret.IsZero() {
		return Tokens{}, refused(op, "refresh token or client secret is missing")
	}
	conf := c.config()
	conf.ClientSecret = clientSecret.Reveal()
	tok, err := conf.TokenSource(c.through(ctx, op), &oauth2.Token{RefreshToken: refresh.Reveal()}).Token()
	return tokens(ctx, op, tok, err)
}

// Revoke ends a grant by its refresh token, RFC 7009: nil means that Asana knows
// it no longer, and its access tokens neither. An access token is answered by 400.
func (c *Client) Revoke(ctx context.Context, clientSecret, refresh secret.String) error {
	const op = "revoke"
	if refresh.IsZero() || clientSecret.IsZero() {
		return refused(op, "refresh token or client secret is missing")
	}
	a, err := c.post(ctx, op, revokePath, url.Values{
		"client_id": {c.id}, "client_secret": {clientSecret.Reveal()}, "token": {refresh.Reveal()},
	})
	if err != nil {
		return err
	}
	if err := a.expect(oauthCode); err != nil {
		return err
	}
	return saidDone(a)
}

// saidDone believes a 200 to a revocation. What it holds is not documented, so
// anything will do, or nothing, but: what is declared as JSON and is none, an error,
// and a page for people (a proxy's, one about maintenance). With those Asana has not
// said done; asking again does no harm.
func saidDone(a *answer) error {
	body := bytes.TrimSpace(a.body)
	if len(body) == 0 {
		return nil
	}
	if a.isJSON() {
		m, err := a.object()
		if err == nil && m["error"] != nil {
			err = nonsense(a.op, "the answer is an error")
		}
		return err
	}
	if body[0] == '<' {
		return nonsense(a.op, "the answer is a page")
	}
	return nil
}

// through is the context in which x/oauth2 makes its request through us.
func (c *Client) through(ctx context.Context, op string) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: vetted{c, op}})
}

// vetted lets x/oauth2 see nothing but good answers: a 200 with plain JSON that is
// no error. All else it returns as an [Error], so that no library's error, which
// may quote a body, is ever made.
type vetted struct {
	c  *Client
	op string
}

// RoundTrip implements [http.RoundTripper].
func (v vetted) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	a, err := v.c.send(v.op, tokenLimit, req)
	if err != nil {
		return nil, err
	}
	if err := a.expect(oauthCode); err != nil {
		return nil, err
	}
	m, err := a.object()
	if err != nil {
		return nil, err
	}
	if m["error"] != nil {
		return nil, nonsense(v.op, "the answer is an error with status 200")
	}
	if v.op == opRefresh {
		if a.body, err = readableLifetime(m); err != nil {
			return nil, nonsense(v.op, "the answer cannot be read")
		}
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       req,
	}, nil
}

// readableLifetime writes an answer anew with an expires_in that x/oauth2 can
// read, or none: it would give up the whole answer for it.
func readableLifetime(m map[string]any) ([]byte, error) {
	life, err := lifetime(m["expires_in"])
	delete(m, "expires_in")
	if err == nil && life > 0 {
		m["expires_in"] = int64(life / time.Second)
	}
	return json.Marshal(m)
}

// tokens converts what x/oauth2 returned, at once. Only Extra is read: the fields
// of its token mix in what was sent, and names of another case.
func tokens(ctx context.Context, op string, tok *oauth2.Token, err error) (Tokens, error) {
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return Tokens{}, e
		}
		if ctx.Err() != nil {
			return Tokens{}, broken(ctx, op, 0, err)
		}
		return Tokens{}, nonsense(op, "the answer has no token that can be read")
	}
	t := Tokens{}
	if t.Access, err = member(tok, "access_token", mostToken); err != nil || t.Access.IsZero() {
		return Tokens{}, nonsense(op, "access_token is missing or malformed")
	}
	if kind, _ := tok.Extra("token_type").(string); !strings.EqualFold(kind, "bearer") {
		return Tokens{}, nonsense(op, "token_type is not bearer")
	}
	if t.Refresh, err = member(tok, "refresh_token", mostToken); err != nil {
		return Tokens{}, nonsense(op, "refresh_token is empty or malformed")
	}
	if err := besides(&t, tok); err != nil && op != opRefresh {
		return Tokens{}, nonsense(op, err.Error())
	}
	data, _ := tok.Extra("data").(map[string]any)
	t.User = person(data)
	return t, nil
}

// besides reads what the tokens come with. A refresh does without what is
// malformed: its answer may hold the only refresh token that still works. The
// error says which member is.
func besides(t *Tokens, tok *oauth2.Token) error {
	var idErr, lifeErr, scopeErr error
	if t.ID, idErr = member(tok, "id_token", mostIDToken); idErr != nil {
		idErr = errors.New("id_token is empty or malformed")
	}
	if t.ExpiresIn, lifeErr = lifetime(tok.Extra("expires_in")); lifeErr != nil {
		lifeErr = errors.New("expires_in is no lifetime")
	}
	if t.Scope, scopeErr = scope(tok.Extra("scope")); scopeErr != nil {
		scopeErr = errors.New("scope is malformed")
	}
	return cmp.Or(idErr, lifeErr, scopeErr)
}

var errMember = errors.New("malformed member")

// member is a token of an answer: zero where it is absent or null, else 1 to most
// characters of RFC 6749's VSCHAR, so that it fits into a header unchanged.
func member(tok *oauth2.Token, name string, most int) (secret.String, error) {
	v := tok.Extra(name)
	if v == nil {
		return secret.String{}, nil
	}
	s, ok := v.(string)
	if !ok || s == "" || len(s) > most || !printable(s) || strings.TrimSpace(s) != s {
		return secret.String{}, errMember
	}
	return secret.New(s), nil
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r > 0x7e }) < 0
}

// lifetime is whole seconds as a JSON number, at least one.
func lifetime(v any) (time.Duration, error) {
	if v == nil {
		return 0, nil
	}
	n, ok := v.(float64)
	if !ok || n < 1 || n > mostLifetime.Seconds() || n != math.Trunc(n) {
		return 0, errMember
	}
	return time.Duration(n) * time.Second, nil
}

// scope is a list as RFC 6749 section 3.3 writes it; absent and null are "".
func scope(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	s, ok := v.(string)
	if !ok || len(s) > mostScope || !printable(s) || strings.ContainsAny(s, `"\`) {
		return "", errMember
	}
	return s, nil
}
