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

// offline returns an offline Asana, and a client of it for the app with the client ID id.
// change can edit the switches that determine how the offline Asana behaves.
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

// consent makes person accept an authorization request at the offline Asana. It returns
// the parameters in the query and in the fragment of the URL to which the offline Asana
// redirects the browser.
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
		t.Fatalf("redirect parameters = %v, %v, want state s and a code", q, err)
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

func TestSignInRefreshAndRevokeOffline(t *testing.T) {
	t.Parallel()
	server, c := offline(t, asanatest.FullClientID, func(*asanatest.Switches) {})
	ctx := t.Context()
	tokens := connect(t, server, c, asanatest.Several)
	if tokens.User.GID != asanatest.Several || tokens.ExpiresIn != time.Hour || tokens.Refresh.IsZero() {
		t.Errorf("Exchange() = %+v, want user %s, one hour and a refresh token", tokens, asanatest.Several)
	}
	if me, err := c.Me(ctx, tokens.Access); err != nil || me.GID != asanatest.Several || me.Email.Reveal() != "sam@globex.example" {
		t.Errorf("Me() = %v, %v, want user %s", me, err, asanatest.Several)
	}
	if info, err := c.UserInfo(ctx, tokens.Access); err != nil || info.Subject != asanatest.Several || info.User.GID != asanatest.Several || info.User.Name.Reveal() != "Sam Several" {
		t.Errorf("UserInfo() = %v, %v, want user %s", info, err, asanatest.Several)
	}
	workspaces, err := c.Workspaces(ctx, tokens.Access)
	if diff := cmp.Diff([]asana.Workspace{{GID: asanatest.Acme, Name: "Acme"}, {GID: asanatest.Globex, Name: "Globex"}}, workspaces); diff != "" || err != nil {
		t.Errorf("Workspaces() = %v (-want +got):\n%s", err, diff)
	}
	viewOnly := map[string]bool{}
	memberships, err := c.Memberships(ctx, tokens.Access, asanatest.Several)
	for _, m := range memberships {
		if m.ViewOnly == nil || m.Active == nil || m.Admin == nil || m.Guest == nil {
			t.Fatalf("Memberships() has %+v, want all flags set", m)
		}
		viewOnly[m.Workspace.GID] = *m.ViewOnly
	}
	if diff := cmp.Diff(map[string]bool{asanatest.Acme: true, asanatest.Globex: false}, viewOnly); diff != "" || err != nil {
		t.Errorf("view only flags of Memberships() = %v (-want +got):\n%s", err, diff)
	}
	result, err := c.Introspect(ctx, tokens.Access)
	if err != nil || !result.Active || result.ClientID != asanatest.FullClientID || result.TokenType != "bearer" || result.Expires.IsZero() {
		t.Errorf("Introspect() = %+v, %v, want an active bearer token of this app", result, err)
	}
	next, err := c.Refresh(ctx, fullSecret, tokens.Refresh)
	if err != nil || next.Access.IsZero() || !next.Refresh.IsZero() {
		t.Errorf("Refresh() = %+v, %v, want an access token only", next, err)
	}
	if err := c.Revoke(ctx, fullSecret, next.Access); err == nil {
		t.Error("Revoke() of an access token succeeded, want an error")
	}
	for range 2 { // revoking a revoked token also succeeds
		if err := c.Revoke(ctx, fullSecret, tokens.Refresh); err != nil {
			t.Errorf("Revoke() = %v, want no error", err)
		}
	}
	if _, err := c.Refresh(ctx, fullSecret, tokens.Refresh); codeOf(err) != asana.InvalidGrant {
		t.Errorf("Refresh() after Revoke() = %v, want code invalid_grant", err)
	}
	if _, err := c.Me(ctx, next.Access); err == nil {
		t.Error("Me() after Revoke() succeeded, want an error")
	}
	if result, err := c.Introspect(ctx, next.Access); err != nil || result != (asana.Introspection{}) {
		t.Errorf("Introspect() of a revoked token = %+v, %v, want an inactive token", result, err)
	}
}

func TestRefusalsOffline(t *testing.T) {
	t.Parallel()
	server, c := offline(t, asanatest.FullClientID, func(*asanatest.Switches) {})
	ctx := t.Context()
	q := consent(t, server, c, asanatest.Member, scopes, "")
	used := secret.New(q.Get("code"))
	if _, err := c.Exchange(ctx, secret.New("wrong"), used, verifier, asanatest.DefaultRedirectURI); codeOf(err) != asana.InvalidClient {
		t.Errorf("Exchange() with a wrong secret = %v, want code invalid_client", err)
	}
	if _, err := c.Exchange(ctx, fullSecret, used, verifier, asanatest.DefaultRedirectURI); err != nil {
		t.Errorf("Exchange() with the right secret = %v, want no error", err)
	}
	if _, err := c.Exchange(ctx, fullSecret, used, verifier, asanatest.DefaultRedirectURI); codeOf(err) != asana.InvalidGrant {
		t.Errorf("Exchange() of a used code = %v, want code invalid_grant", err)
	}
	q = consent(t, server, c, asanatest.Member, scopes, "")
	if _, err := c.Exchange(ctx, fullSecret, secret.New(q.Get("code")), secret.New(strings.Repeat("x", 43)), asanatest.DefaultRedirectURI); codeOf(err) != asana.InvalidGrant {
		t.Errorf("Exchange() with another verifier = %v, want code invalid_grant", err)
	}

	server, c = offline(t, asanatest.GranularClientID, func(*asanatest.Switches) {})
	q = consent(t, server, c, asanatest.Member, "openid users:read", "")
	tokens, err := c.Exchange(ctx, secret.New(asanatest.GranularClientSecret), secret.New(q.Get("code")), verifier, asanatest.DefaultRedirectURI)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Memberships(ctx, tokens.Access, "me"); codeOf(err) != asana.FullPermissionsRequired {
		t.Errorf("Memberships() with a granular token = %v, want code full_permissions_required", err)
	}
	if _, err := c.Workspaces(ctx, tokens.Access); codeOf(err) != asana.MissingScope {
		t.Errorf("Workspaces() without workspaces:read = %v, want code missing_scope", err)
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
				t.Errorf("Refresh() = %+v, %v, want a new refresh token", got, err)
			}
		}},
		"the same": {func(s *asanatest.Switches) { s.RefreshTokenOnRefresh = "same" }, func(t *testing.T, old, got asana.Tokens, err error) {
			if err != nil || !got.Refresh.Equal(old.Refresh) {
				t.Errorf("Refresh() = %+v, %v, want the same refresh token", got, err)
			}
		}},
		"empty": {func(s *asanatest.Switches) { s.RefreshTokenOnRefresh = "empty" }, func(t *testing.T, old, got asana.Tokens, err error) {
			if e, ok := errors.AsType[*asana.Error](err); !ok || e.Status != 200 || e.Code != "" {
				t.Errorf("Refresh() = %+v, %v, want an error with status 200", got, err)
			}
		}},
		"4 KB": {func(s *asanatest.Switches) { s.TokenSize = 4 << 10 }, func(t *testing.T, old, got asana.Tokens, err error) {
			if err != nil || len(got.Access.Reveal()) != 4<<10 {
				t.Errorf("Refresh() = %+v, %v, want an access token of 4 KB", got, err)
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

func TestFailuresOffline(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*asanatest.Switches)
		is     func(*asana.Error) bool
	}{
		"down":         {func(s *asanatest.Switches) { s.Down = true }, func(e *asana.Error) bool { return e.Status == 503 }},
		"rate limited": {func(s *asanatest.Switches) { s.RateLimited = true }, func(e *asana.Error) bool { return e.Status == 429 && e.RetryAfter == 30*time.Second }},
		"malformed":    {func(s *asanatest.Switches) { s.Nonsense = true }, func(e *asana.Error) bool { return e.Status == 200 }},
		"truncated":    {func(s *asanatest.Switches) { s.Cut = true }, func(e *asana.Error) bool { return e.Status == 0 && errors.Is(e, io.ErrUnexpectedEOF) }},
	} {
		server, c := offline(t, asanatest.FullClientID, tc.change)
		for call, do := range calls {
			before := len(server.Requests())
			err := do(context.Background(), c)
			if e, ok := errors.AsType[*asana.Error](err); !ok || !tc.is(e) || e.Code != "" || e.Timeout {
				t.Errorf("%s, %s: got %v", call, name, err)
			}
			if got := len(server.Requests()) - before; got != 1 {
				t.Errorf("%s, %s: got %d requests, want 1", call, name, got)
			}
		}
	}
}

func TestIDTokensOffline(t *testing.T) {
	t.Parallel()
	fragment := func(t *testing.T, change func(*asanatest.Switches)) (*asana.Client, url.Values) {
		server, c := offline(t, asanatest.FullClientID, change)
		return c, consent(t, server, c, asanatest.Member, scopes, "code id_token")
	}
	c, q := fragment(t, func(*asanatest.Switches) {})
	wanted := asana.Want{Nonce: "n-1", Code: secret.New(q.Get("code"))}
	if id, err := c.VerifyIDToken(t.Context(), secret.New(q.Get("id_token")), wanted); err != nil || id.Subject != asanatest.Member {
		t.Errorf("VerifyIDToken() of the fragment's token = %+v, %v, want subject %s", id, err, asanatest.Member)
	}
	for _, how := range []string{
		"unsigned", "hs256", "wrong_key", "wrong_issuer", "wrong_audience", "second_audience", "wrong_azp", "no_subject", "expired", "future", "wrong_nonce", "wrong_c_hash",
	} {
		c, q := fragment(t, func(s *asanatest.Switches) { s.SpoilIDToken = how })
		id, err := c.VerifyIDToken(t.Context(), secret.New(q.Get("id_token")), asana.Want{Nonce: "n-1", Code: secret.New(q.Get("code"))})
		if !errors.Is(err, asana.ErrIDToken) {
			t.Errorf("VerifyIDToken() with switch spoil_id_token=%s = %+v, %v, want ErrIDToken", how, id, err)
		}
	}
	c, q = fragment(t, func(s *asanatest.Switches) { s.NonceInIDToken = false })
	if _, err := c.VerifyIDToken(t.Context(), secret.New(q.Get("id_token")), wanted); !errors.Is(err, asana.ErrIDToken) {
		t.Errorf("VerifyIDToken() without a nonce and with another code = %v, want ErrIDToken", err)
	}
	if _, err := c.VerifyIDToken(t.Context(), secret.New(q.Get("id_token")), asana.Want{Nonce: "n-1"}); !errors.Is(err, asana.ErrNoNonce) {
		t.Errorf("VerifyIDToken() without a nonce = %v, want ErrNoNonce", err)
	}

	for how, good := range map[string]bool{"": true, "wrong_at_hash": false} {
		server, c := offline(t, asanatest.FullClientID, func(s *asanatest.Switches) { s.SpoilIDToken = how })
		tokens := connect(t, server, c, asanatest.Member)
		_, err := c.VerifyIDToken(t.Context(), tokens.ID, asana.Want{Nonce: "n-1", Access: tokens.Access})
		if (err == nil) != good {
			t.Errorf("VerifyIDToken() of the token response with switch spoil_id_token=%q = %v, want success %t", how, err, good)
		}
	}
}
