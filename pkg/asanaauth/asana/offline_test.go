package asana_test

import (
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

var fullSecret = secret.New(asanatest.FullClientSecret)

const scopes = "default openid email profile"

// offline is an offline Asana and its client, both of one app.
func offline(t *testing.T, id string, change func(*asanatest.Switches)) (*asanatest.Asana, *asana.Client) {
	t.Helper()
	switches := asanatest.DefaultSwitches()
	change(&switches)
	server, err := asanatest.New(asanatest.Options{BaseURL: "https://asana.example", Switches: switches, Key: testKeys()[0]})
	if err != nil {
		t.Fatal(err)
	}
	c, err := asana.New(asana.Config{BaseURL: "https://asana.example", ClientID: id, Transport: server.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	return server, c
}

// consent takes a person to the consent screen and back.
func consent(t *testing.T, server *asanatest.Asana, c *asana.Client, person, scopes, responseType string) url.Values {
	t.Helper()
	back, err := server.Authorize(t.Context(), c.AuthorizeURL(asana.Authorization{
		State: "s", Verifier: verifier, Nonce: "n-1", RedirectURI: asanatest.DefaultRedirectURI, Scopes: scopes, ResponseType: responseType,
	}), person)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	q, err := url.ParseQuery(u.RawQuery + "&" + u.Fragment)
	if err != nil || q.Get("state") != "s" || q.Get("code") == "" {
		t.Fatalf("came back with %v, %v", q, err)
	}
	return q
}

func connect(t *testing.T, server *asanatest.Asana, c *asana.Client, person string) asana.Tokens {
	t.Helper()
	q := consent(t, server, c, person, scopes, "")
	tokens, err := c.Exchange(t.Context(), fullSecret, secret.New(q.Get("code")), verifier, asanatest.DefaultRedirectURI)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*asana.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestTheWholeTripOffline(t *testing.T) {
	t.Parallel()
	server, c := offline(t, asanatest.FullClientID, func(*asanatest.Switches) {})
	ctx := t.Context()
	tokens := connect(t, server, c, asanatest.Several)
	if tokens.User.GID != asanatest.Several || tokens.ExpiresIn != time.Hour || tokens.Refresh.IsZero() {
		t.Errorf("Exchange() = %+v", tokens)
	}
	if me, err := c.Me(ctx, tokens.Access); err != nil || me.GID != asanatest.Several || me.Email.Reveal() != "sam@globex.example" {
		t.Errorf("Me() = %v, %v", me, err)
	}
	if info, err := c.UserInfo(ctx, tokens.Access); err != nil || info.Subject != asanatest.Several || info.User.GID != asanatest.Several || info.User.Name.Reveal() != "Sam Several" {
		t.Errorf("UserInfo() = %v, %v", info, err)
	}
	workspaces, err := c.Workspaces(ctx, tokens.Access)
	if diff := cmp.Diff([]asana.Workspace{{GID: asanatest.Acme, Name: "Acme"}, {GID: asanatest.Globex, Name: "Globex"}}, workspaces); diff != "" || err != nil {
		t.Error(err, diff)
	}
	viewOnly := map[string]bool{}
	memberships, err := c.Memberships(ctx, tokens.Access, asanatest.Several)
	for _, m := range memberships {
		if m.ViewOnly == nil || m.Active == nil || m.Admin == nil || m.Guest == nil {
			t.Fatalf("Memberships() leaves a flag out: %+v", m)
		}
		viewOnly[m.Workspace.GID] = *m.ViewOnly
	}
	if diff := cmp.Diff(map[string]bool{asanatest.Acme: true, asanatest.Globex: false}, viewOnly); diff != "" || err != nil {
		t.Error(err, diff)
	}
	told, err := c.Introspect(ctx, tokens.Access)
	if err != nil || !told.Active || told.ClientID != asanatest.FullClientID || told.TokenType != "bearer" || told.Expires.IsZero() {
		t.Errorf("Introspect() = %+v, %v", told, err)
	}
	next, err := c.Refresh(ctx, fullSecret, tokens.Refresh)
	if err != nil || next.Access.IsZero() || !next.Refresh.IsZero() {
		t.Errorf("Refresh() = %+v, %v, want no refresh token", next, err)
	}
	if err := c.Revoke(ctx, fullSecret, next.Access); err == nil {
		t.Error("Revoke() of an access token is no error")
	}
	for range 2 { // a token that is gone is revoked, too
		if err := c.Revoke(ctx, fullSecret, tokens.Refresh); err != nil {
			t.Errorf("Revoke() = %v", err)
		}
	}
	if _, err := c.Refresh(ctx, fullSecret, tokens.Refresh); codeOf(err) != asana.InvalidGrant {
		t.Errorf("Refresh() after Revoke() = %v", err)
	}
	if _, err := c.Me(ctx, next.Access); err == nil {
		t.Error("the access token outlives the revocation")
	}
	if told, err := c.Introspect(ctx, next.Access); err != nil || told != (asana.Introspection{}) {
		t.Errorf("Introspect() of a revoked token = %+v, %v", told, err)
	}
}

func TestWhatAsanaRefusesOffline(t *testing.T) {
	t.Parallel()
	server, c := offline(t, asanatest.FullClientID, func(*asanatest.Switches) {})
	ctx := t.Context()
	q := consent(t, server, c, asanatest.Member, scopes, "")
	used := secret.New(q.Get("code"))
	if _, err := c.Exchange(ctx, secret.New("wrong"), used, verifier, asanatest.DefaultRedirectURI); codeOf(err) != asana.InvalidClient {
		t.Errorf("Exchange() with a wrong secret = %v", err)
	}
	if _, err := c.Exchange(ctx, fullSecret, used, verifier, asanatest.DefaultRedirectURI); err != nil {
		t.Errorf("Exchange() after that = %v", err)
	}
	if _, err := c.Exchange(ctx, fullSecret, used, verifier, asanatest.DefaultRedirectURI); codeOf(err) != asana.InvalidGrant {
		t.Errorf("Exchange() of a used code = %v", err)
	}
	q = consent(t, server, c, asanatest.Member, scopes, "")
	if _, err := c.Exchange(ctx, fullSecret, secret.New(q.Get("code")), secret.New(strings.Repeat("x", 43)), asanatest.DefaultRedirectURI); codeOf(err) != asana.InvalidGrant {
		t.Errorf("Exchange() with another verifier = %v", err)
	}

	server, c = offline(t, asanatest.GranularClientID, func(*asanatest.Switches) {})
	q = consent(t, server, c, asanatest.Member, "openid users:read", "")
	tokens, err := c.Exchange(ctx, secret.New(asanatest.GranularClientSecret), secret.New(q.Get("code")), verifier, asanatest.DefaultRedirectURI)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Memberships(ctx, tokens.Access, "me"); codeOf(err) != asana.FullPermissionsRequired {
		t.Errorf("Memberships() with a granular token = %v", err)
	}
	if _, err := c.Workspaces(ctx, tokens.Access); codeOf(err) != asana.MissingScope {
		t.Errorf("Workspaces() without workspaces:read = %v", err)
	}
}

func TestRotationOffline(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*asanatest.Switches)
		check  func(t *testing.T, old, got asana.Tokens, err error)
	}{
		"rotated": {func(s *asanatest.Switches) { s.RotateRefreshTokens = true }, func(t *testing.T, old, got asana.Tokens, err error) {
			if err != nil || got.Refresh.IsZero() || got.Refresh.Equal(old.Refresh) {
				t.Errorf("Refresh() = %+v, %v", got, err)
			}
		}},
		"the same": {func(s *asanatest.Switches) { s.RefreshTokenOnRefresh = "same" }, func(t *testing.T, old, got asana.Tokens, err error) {
			if err != nil || !got.Refresh.Equal(old.Refresh) {
				t.Errorf("Refresh() = %+v, %v", got, err)
			}
		}},
		"empty": {func(s *asanatest.Switches) { s.RefreshTokenOnRefresh = "empty" }, func(t *testing.T, old, got asana.Tokens, err error) {
			if e, ok := errors.AsType[*asana.Error](err); !ok || e.Status != 200 || e.Code != "" {
				t.Errorf("Refresh() = %+v, %v", got, err)
			}
		}},
		"4 KB": {func(s *asanatest.Switches) { s.TokenSize = 4 << 10 }, func(t *testing.T, old, got asana.Tokens, err error) {
			if err != nil || len(got.Access.Reveal()) != 4<<10 {
				t.Errorf("Refresh() = %+v, %v", got, err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			server, c := offline(t, asanatest.FullClientID, tc.change)
			old := connect(t, server, c, asanatest.Member)
			got, err := c.Refresh(t.Context(), fullSecret, old.Refresh)
			tc.check(t, old, got, err)
		})
	}
}

func TestTroubleOffline(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*asanatest.Switches)
		is     func(*asana.Error) bool
	}{
		"down":         {func(s *asanatest.Switches) { s.Down = true }, func(e *asana.Error) bool { return e.Status == 503 }},
		"rate limited": {func(s *asanatest.Switches) { s.RateLimited = true }, func(e *asana.Error) bool { return e.Status == 429 && e.RetryAfter == 30*time.Second }},
		"nonsense":     {func(s *asanatest.Switches) { s.Nonsense = true }, func(e *asana.Error) bool { return e.Status == 200 }},
		"cut":          {func(s *asanatest.Switches) { s.Cut = true }, func(e *asana.Error) bool { return e.Status == 0 && errors.Is(e, io.ErrUnexpectedEOF) }},
	} {
		server, c := offline(t, asanatest.FullClientID, tc.change)
		for call, do := range calls {
			before := len(server.Requests())
			err := do(context.Background(), c)
			if e, ok := errors.AsType[*asana.Error](err); !ok || !tc.is(e) || e.Code != "" || e.Timeout {
				t.Errorf("%s, %s: %v", call, name, err)
			}
			if got := len(server.Requests()) - before; got != 1 {
				t.Errorf("%s, %s: %d requests", call, name, got)
			}
		}
	}
}

func TestIDTokensOffline(t *testing.T) {
	t.Parallel()
	fragment := func(t *testing.T, change func(*asanatest.Switches)) (*asana.Client, url.Values) {
		server, c := offline(t, asanatest.FullClientID, func(s *asanatest.Switches) { s.AtHash, s.CHash = true, true; change(s) })
		return c, consent(t, server, c, asanatest.Member, scopes, "code id_token")
	}
	c, q := fragment(t, func(*asanatest.Switches) {})
	wanted := asana.Want{Nonce: "n-1", Code: secret.New(q.Get("code"))}
	if id, err := c.VerifyIDToken(t.Context(), secret.New(q.Get("id_token")), wanted); err != nil || id.Subject != asanatest.Member {
		t.Errorf("VerifyIDToken() of the fragment = %+v, %v", id, err)
	}
	for _, how := range []string{
		"unsigned", "hs256", "wrong_key", "wrong_issuer", "wrong_audience", "second_audience", "wrong_azp", "no_subject", "expired", "future", "wrong_nonce", "wrong_c_hash",
	} {
		c, q := fragment(t, func(s *asanatest.Switches) { s.SpoilIDToken = how })
		id, err := c.VerifyIDToken(t.Context(), secret.New(q.Get("id_token")), asana.Want{Nonce: "n-1", Code: secret.New(q.Get("code"))})
		if !errors.Is(err, asana.ErrIDToken) {
			t.Errorf("VerifyIDToken() of one spoiled by %s = %+v, %v", how, id, err)
		}
	}
	c, q = fragment(t, func(s *asanatest.Switches) { s.NonceInIDToken = false })
	if _, err := c.VerifyIDToken(t.Context(), secret.New(q.Get("id_token")), wanted); !errors.Is(err, asana.ErrIDToken) {
		t.Errorf("VerifyIDToken() without a nonce and with another's code = %v", err)
	}
	if _, err := c.VerifyIDToken(t.Context(), secret.New(q.Get("id_token")), asana.Want{Nonce: "n-1"}); !errors.Is(err, asana.ErrNoNonce) {
		t.Errorf("VerifyIDToken() without a nonce = %v", err)
	}

	for how, good := range map[string]bool{"": true, "wrong_at_hash": false} {
		server, c := offline(t, asanatest.FullClientID, func(s *asanatest.Switches) {
			s.IDTokenInTokenResponse, s.AtHash, s.SpoilIDToken = true, true, how
		})
		tokens := connect(t, server, c, asanatest.Member)
		_, err := c.VerifyIDToken(t.Context(), tokens.ID, asana.Want{Nonce: "n-1", Access: tokens.Access})
		if (err == nil) != good {
			t.Errorf("VerifyIDToken() of the token answer's, spoiled by %q = %v", how, err)
		}
	}
}
