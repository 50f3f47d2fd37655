package asanatest_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A client that uses x/oauth2 can complete a whole OAuth flow over a socket: consent with
// PKCE, code exchange, API call, refresh and revocation.
func TestPlainOAuth2(t *testing.T) {
	t.Parallel()
	asana, err := asanatest.New(asanatest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(asana)
	defer server.Close()
	asana.SetBaseURL(server.URL)
	c := full()
	c.Endpoint = oauth2.Endpoint{AuthURL: server.URL + "/-/oauth_authorize", TokenURL: server.URL + "/-/oauth_token"} // x/oauth2 detects the auth style
	verifier := oauth2.GenerateVerifier()

	back, err := asana.Authorize(t.Context(), c.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier)), asanatest.Member)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(back)
	if got := u.Query().Get("state"); got != "the state" || !strings.HasPrefix(back, c.RedirectURL+"?") {
		t.Errorf("redirect is %s with state %q", back, got)
	}
	tok, err := c.Exchange(t.Context(), u.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	if len(tok.AccessToken) != 68 || len(tok.RefreshToken) != 68 || tok.ExpiresIn != 3600 || tok.TokenType != "bearer" {
		t.Errorf("got tokens of %d and %d bytes, expires_in %d, type %q", len(tok.AccessToken), len(tok.RefreshToken), tok.ExpiresIn, tok.TokenType)
	}
	if data, _ := tok.Extra("data").(map[string]any); data["gid"] != asanatest.Member || data["email"] != "mia@acme.example" {
		t.Errorf("data is %v", data)
	}

	resp, err := c.Client(t.Context(), tok).Get(server.URL + "/api/1.0/users/me")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("users/me: got %v, %v", resp, err)
	}
	resp.Body.Close()

	old := *tok
	old.Expiry = time.Now().Add(-time.Hour)
	fresh, err := c.TokenSource(t.Context(), &old).Token()
	if err != nil {
		t.Fatal(err)
	}
	if fresh.AccessToken == tok.AccessToken || fresh.RefreshToken != tok.RefreshToken {
		t.Errorf("a refresh must return another access token and keep the refresh token")
	}

	resp, err = http.PostForm(server.URL+"/-/oauth_revoke", url.Values{"client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "token": {fresh.RefreshToken}})
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("revoke: got %v, %v", resp, err)
	}
	resp.Body.Close()
	_, err = c.TokenSource(t.Context(), &old).Token()
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" || refused.Response.StatusCode != http.StatusBadRequest {
		t.Errorf("refresh after revocation: got %v", err)
	}
}

func TestWrongCodes(t *testing.T) {
	t.Parallel()
	verifier := oauth2.GenerateVerifier()
	good := func(code string) []string {
		return []string{"grant_type", "authorization_code", "code", code, "redirect_uri", asanatest.DefaultRedirectURI, "code_verifier", verifier}
	}
	replace := func(pairs []string, name, value string) []string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				pairs[i+1] = value
			}
		}
		return pairs
	}
	for name, try := range map[string]func(k *kit, pairs []string) response{
		"used": func(k *kit, p []string) response {
			k.tokenRequest(p...)
			return k.tokenRequest(p...)
		},
		"unknown": func(k *kit, p []string) response { return k.tokenRequest(replace(p, "code", "0/00")...) },
		"expired": func(k *kit, p []string) response {
			k.clock.Add(10 * time.Minute)
			return k.tokenRequest(p...)
		},
		"another redirect": func(k *kit, p []string) response {
			return k.tokenRequest(replace(p, "redirect_uri", asanatest.DefaultRedirectURI+"/")...)
		},
		"another verifier": func(k *kit, p []string) response {
			return k.tokenRequest(replace(p, "code_verifier", oauth2.GenerateVerifier())...)
		},
		"no verifier": func(k *kit, p []string) response { return k.tokenRequest(p[:6]...) },
		"another app": func(k *kit, p []string) response {
			return k.post("/-/oauth_token", append(p, "client_id", asanatest.GranularClientID, "client_secret", asanatest.GranularClientSecret)...)
		},
		"deauthorized": func(k *kit, p []string) response {
			k.RevokeGrants(asanatest.Member)
			return k.tokenRequest(p...)
		},
		"gone": func(k *kit, p []string) response {
			k.UpdatePerson(asanatest.Member, func(p *asanatest.Person) { p.Gone = true })
			return k.tokenRequest(p...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			pairs := good(k.consent(full(), asanatest.Member, oauth2.S256ChallengeOption(verifier)).Get("code"))
			got := try(k, pairs)
			if got.status != http.StatusBadRequest || got.json["error"] != "invalid_grant" || got.json["error_description"] != "The `code` provided was invalid." || got.json["error_uri"] == nil {
				t.Errorf("got %d %s", got.status, got.text)
			}
		})
	}
	t.Run("good a moment before the end", func(t *testing.T) {
		t.Parallel()
		k := newKit(t)
		pairs := good(k.consent(full(), asanatest.Member, oauth2.S256ChallengeOption(verifier)).Get("code"))
		k.clock.Add(10*time.Minute - time.Second)
		if got := k.tokenRequest(pairs...); got.status != http.StatusOK {
			t.Errorf("got %d %s", got.status, got.text)
		}
	})
}

func TestBadTokenRequests(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	app := []string{"client_id", asanatest.FullClientID, "client_secret", asanatest.FullClientSecret}
	for name, test := range map[string]struct {
		pairs []string
		code  string
	}{
		"no grant type":         {app, "invalid_request"},
		"unknown grant type":    {append(app[:4:4], "grant_type", "password"), "unsupported_grant_type"},
		"no code":               {append(app[:4:4], "grant_type", "authorization_code"), "invalid_request"},
		"no refresh token":      {append(app[:4:4], "grant_type", "refresh_token"), "invalid_request"},
		"unknown refresh token": {append(app[:4:4], "grant_type", "refresh_token", "refresh_token", "x"), "invalid_grant"},
		"repeated":              {append(app[:4:4], "grant_type", "refresh_token", "refresh_token", "x", "refresh_token", "x"), "invalid_request"},
		"no client":             {[]string{"grant_type", "refresh_token"}, "invalid_client"},
		"wrong secret":          {[]string{"client_id", asanatest.FullClientID, "client_secret", "no", "grant_type", "refresh_token"}, "invalid_client"},
		"empty secret":          {[]string{"client_id", asanatest.FullClientID, "client_secret", "", "grant_type", "refresh_token"}, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := k.post("/-/oauth_token", test.pairs...); got.status != http.StatusBadRequest || got.json["error"] != test.code {
				t.Errorf("got %d %s, want 400 %s", got.status, got.text, test.code)
			}
		})
	}
	r := k.request(http.MethodPost, "/-/oauth_token", "", `{"grant_type":"refresh_token"}`)
	r.Header.Set("Content-Type", "application/json")
	if got := k.do(r); got.json["error"] != "invalid_request" {
		t.Errorf("JSON: got %d %s", got.status, got.text)
	}
	if got := k.get("/-/oauth_token", ""); got.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: got %d", got.status)
	}
}

// A client can authenticate with HTTP Basic or with the form, but not with both. An app
// with two client secrets can use either secret.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	tok := k.signIn(full(), asanatest.Member)
	if err := k.UpdateApp(asanatest.FullClientID, func(a *asanatest.App) { a.NextClientSecret = "n:e%x/t" }); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.RefreshToken}}
	basic := func(form url.Values, secret string) response {
		r := k.request(http.MethodPost, "/-/oauth_token", "", form.Encode())
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(asanatest.FullClientID, url.QueryEscape(secret))
		return k.do(r)
	}
	for _, secret := range []string{asanatest.FullClientSecret, "n:e%x/t"} {
		if got := basic(form, secret); got.status != http.StatusOK {
			t.Errorf("basic with %q: got %d %s", secret, got.status, got.text)
		}
	}
	if got := basic(form, "another"); got.json["error"] != "invalid_client" {
		t.Errorf("basic with a wrong secret: got %d %s", got.status, got.text)
	}
	form.Set("client_secret", asanatest.FullClientSecret)
	if got := basic(form, asanatest.FullClientSecret); got.json["error"] != "invalid_request" {
		t.Errorf("both ways at once: got %d %s", got.status, got.text)
	}
	k.UpdateApp(asanatest.FullClientID, func(a *asanatest.App) { a.ClientSecret = "" })
	if got := k.refresh(tok.RefreshToken); got.json["error"] != "invalid_client" {
		t.Errorf("a removed secret: got %d %s", got.status, got.text)
	}
}

func TestWrongRefreshTokens(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	other := k.signIn(granular("users:read"), asanatest.Member)
	own := k.signIn(full(), asanatest.Member)
	for name, value := range map[string]string{"another app's": other.RefreshToken, "an access token": own.AccessToken, "a PAT": k.PersonalAccessToken(asanatest.Member)} {
		if got := k.refresh(value); got.status != 400 || strings.TrimSpace(got.text) != `{"error":"invalid_grant"}` {
			t.Errorf("%s: got %d %s, want 400", name, got.status, got.text)
		}
	}
	if got := k.refresh(own.RefreshToken); got.status != 200 {
		t.Errorf("own token: got %d %s, want 200", got.status, got.text)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	revoke := func(id, secret, token string) response {
		return k.post("/-/oauth_revoke", "client_id", id, "client_secret", secret, "token", token)
	}
	tok := k.signIn(full(), asanatest.Member)
	full, secret := asanatest.FullClientID, asanatest.FullClientSecret
	if got := revoke(full, secret, ""); got.status != 400 || got.json["error"] != "invalid_request" {
		t.Errorf("no token: got %d %s, want 400", got.status, got.text)
	}
	if got := revoke(full, "no", tok.RefreshToken); got.status != 400 || got.json["error"] != "invalid_client" {
		t.Errorf("wrong secret: got %d %s, want 400", got.status, got.text)
	}
	if got := revoke(full, secret, "unknown"); got.status != 200 || strings.TrimSpace(got.text) != "{}" {
		t.Errorf("unknown: got %d %s, want 200", got.status, got.text)
	}
	if got := revoke(asanatest.GranularClientID, asanatest.GranularClientSecret, tok.RefreshToken); got.status != 200 {
		t.Errorf("another app's: got %d %s, want 200", got.status, got.text)
	}
	if got := k.refresh(tok.RefreshToken); got.status != 200 {
		t.Fatalf("after refused revocations: got %d %s, want 200", got.status, got.text)
	}
	if got := revoke(full, secret, tok.RefreshToken); got.status != 200 {
		t.Errorf("own token: got %d %s, want 200", got.status, got.text)
	}
	if got := k.get("/api/1.0/users/me", tok.AccessToken); got.status != 401 {
		t.Errorf("access token after revocation: got %d %s, want 401", got.status, got.text)
	}
	if got := revoke(full, secret, tok.RefreshToken); got.status != 200 {
		t.Errorf("second revocation: got %d %s, want 200", got.status, got.text)
	}
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	tok := k.signIn(granular("users:read", "tasks:read"), asanatest.Member)
	look := func(token string) map[string]any { return k.post("/-/token_info", "token", token).json }

	got := look(tok.AccessToken)
	if got["active"] != true || got["token_type"] != "bearer" || got["expires_in"] != 3600.0 || got["scope"] != "users:read tasks:read" || got["client_id"] != asanatest.GranularClientID {
		t.Errorf("access token: got %v", got)
	}
	if got := look(tok.RefreshToken); got["active"] != true || got["token_type"] != "refresh" {
		t.Errorf("refresh token: got %v", got)
	}
	for name, pat := range map[string]string{"PAT": k.PersonalAccessToken(asanatest.Bot), "service account": k.ServiceAccountToken(asanatest.ServiceAccount)} {
		got := look(pat)
		if _, has := got["client_id"]; has || got["active"] != true || got["scope"] != "default" || got["expires_in"].(float64) < 3e8 {
			t.Errorf("%s: got %v", name, got)
		}
		k.RevokeToken(pat)
		if got := look(pat); got["active"] != false {
			t.Errorf("%s revoked: got %v", name, got)
		}
	}
	k.ExpireAccessTokens()
	for name, token := range map[string]string{"expired": tok.AccessToken, "unknown": "nothing"} {
		if got := k.post("/-/token_info", "token", token); got.status != 200 || strings.TrimSpace(got.text) != `{"active":false}` {
			t.Errorf("%s: got %d %s, want 200", name, got.status, got.text)
		}
	}
	if got := k.post("/-/token_info"); got.status != 400 {
		t.Errorf("no token: got %d, want 400", got.status)
	}
	if k.PersonalAccessToken("1") != "" || k.PersonalAccessToken(asanatest.ServiceAccount) != "" || k.ServiceAccountToken(asanatest.Member) != "" {
		t.Error("got a token for an unknown person or of the wrong kind")
	}
}
