package asanatest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A client that uses go-oidc can complete a sign-in over a socket, with the discovery
// document under /api/1.0, an ID token in the fragment, and UserInfo.
func TestPlainOIDC(t *testing.T) {
	t.Parallel()
	asana, err := asanatest.New(asanatest.Options{Key: testKey()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(asana) // no base URL is set, so the server uses the origin of the requests
	defer server.Close()
	provider, err := oidc.NewProvider(t.Context(), server.URL+"/api/1.0")
	if err != nil {
		t.Fatal(err)
	}
	c := full("openid", "email", "profile")
	c.Endpoint = provider.Endpoint()
	back, err := asana.Authorize(t.Context(), c.AuthCodeURL("st", oauth2.SetAuthURLParam("response_type", "code id_token"), oidc.Nonce("the nonce")), asanatest.Member)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(back)
	response, err := url.ParseQuery(u.Fragment)
	if err != nil || u.RawQuery != "" || response.Get("state") != "st" {
		t.Fatalf("got redirect %s, want a fragment with the state", back)
	}
	id, err := provider.Verifier(&oidc.Config{ClientID: c.ClientID}).Verify(t.Context(), response.Get("id_token"))
	if err != nil {
		t.Fatal(err)
	}
	if id.Subject != asanatest.Member || id.Nonce != "the nonce" || id.Issuer != server.URL+"/api/1.0" {
		t.Errorf("got ID token with subject %s, nonce %q and issuer %s", id.Subject, id.Nonce, id.Issuer)
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil || len(claims) != 7 || claims["c_hash"] != halfHash(response.Get("code")) {
		t.Errorf("got claims %v, want 7 with the c_hash of the code", claims)
	}
	tok, err := c.Exchange(t.Context(), response.Get("code"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tok))
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != asanatest.Member || info.Email != "mia@acme.example" {
		t.Errorf("got UserInfo %+v", info)
	}
	stranger := provider.Verifier(&oidc.Config{ClientID: asanatest.GranularClientID})
	if _, err := stranger.Verify(t.Context(), response.Get("id_token")); err == nil {
		t.Error("the verifier of another app accepted the ID token")
	}
}

// By default, clients get in that send no state, that require an ID token in the token
// response, or that require at_hash and c_hash.
func TestDefaultsSuitRealClients(t *testing.T) {
	t.Parallel()
	got := asanatest.DefaultSwitches()
	if got.RequireState || !got.IDTokenInTokenResponse || !got.NonceInIDToken || !got.AtHash || !got.CHash {
		t.Errorf("got %+v, want require_state=false, and the ID token, its nonce, at_hash and c_hash", got)
	}
}

// The token response contains an ID token with the nonce, even if the authorize request
// has no state. Without a nonce in the request, the ID token has no nonce.
func TestIDTokenInTokenResponse(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for want, opts := range map[string][]oauth2.AuthCodeOption{"the nonce": {oidc.Nonce("the nonce")}, "": nil} {
		back, err := k.Authorize(t.Context(), full("openid").AuthCodeURL("", opts...), asanatest.Member)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := full("openid").Exchange(k.ctx(), k.values(back).Get("code"))
		if err != nil {
			t.Fatal(err)
		}
		idToken, _ := tok.Extra("id_token").(string)
		id, err := k.verifier().Verify(k.ctx(), idToken)
		if err != nil {
			t.Fatalf("nonce %q: got %v", want, err)
		}
		if id.Subject != asanatest.Member || id.Nonce != want || id.VerifyAccessToken(tok.AccessToken) != nil {
			t.Errorf("got ID token %+v, want subject %s, nonce %q and the at_hash of the access token", id, asanatest.Member, want)
		}
		if _, there := claimsOf(t, idToken)["nonce"]; there != (want != "") {
			t.Errorf("the ID token has a nonce: got %t, want %t", there, want != "")
		}
		refreshed := k.refresh(tok.RefreshToken)
		if refreshed.status != http.StatusOK || refreshed.json["id_token"] != nil {
			t.Errorf("refresh: got %d %s, want 200 without an ID token", refreshed.status, refreshed.text)
		}
	}
}

// With the response type "id_token", the redirect contains no code and no access token.
func TestIDTokenAlone(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	back, err := k.Authorize(t.Context(), full("openid").AuthCodeURL("st", oauth2.SetAuthURLParam("response_type", "id_token")), asanatest.Member)
	if err != nil || !strings.HasPrefix(back, asanatest.DefaultRedirectURI+"#") {
		t.Fatalf("got %s, %v, want a fragment", back, err)
	}
	if got := k.values(back); got.Get("id_token") == "" || got.Has("code") || got.Has("access_token") || got.Get("state") != "st" {
		t.Errorf("got %v, want id_token and state only", got)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	meta := k.get("/.well-known/oauth-authorization-server", "").json
	if meta["issuer"] != base || !reflect.DeepEqual(meta["response_types_supported"], []any{"code"}) || meta["jwks_uri"] != nil || meta["registration_endpoint"] != nil {
		t.Errorf("authorization server metadata: got %v", meta)
	}
	discovery := k.get("/api/1.0/.well-known/openid-configuration", "").json
	if discovery["issuer"] != base+"/api/1.0" || discovery["jwks_uri"] != base+"/api/1.0/openid_connect/jwks" {
		t.Errorf("discovery: got %v", discovery)
	}
	if got := k.get("/.well-known/openid-configuration", ""); got.status != http.StatusNotFound {
		t.Errorf("root discovery: got %d, want 404", got.status)
	}
}

// UserInfo requires the scope "openid". The scopes "email" and "profile" add claims.
func TestUserInfo(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for scope, want := range map[string]map[string]any{
		"openid":               {"sub": asanatest.Member},
		"openid email":         {"sub": asanatest.Member, "email": "mia@acme.example"},
		"openid profile":       {"sub": asanatest.Member, "name": "Mia Member", "picture": "https://photos.example/mia.png"},
		"openid email profile": {"sub": asanatest.Member, "email": "mia@acme.example", "name": "Mia Member", "picture": "https://photos.example/mia.png"},
	} {
		tok := k.signIn(granular(strings.Fields(scope)...), asanatest.Member)
		if got := k.get("/api/1.0/openid_connect/userinfo", tok.AccessToken); !reflect.DeepEqual(got.json, want) {
			t.Errorf("%s: got %d %s", scope, got.status, got.text)
		}
	}
	without := k.signIn(granular("users:read"), asanatest.Member)
	got := k.get("/api/1.0/openid_connect/userinfo", without.AccessToken)
	if got.status != 403 || got.errorMessage() != "The following scopes must be present to fulfill this request: openid" {
		t.Errorf("without openid: got %d %s, want 403", got.status, got.text)
	}
	if got := k.get("/api/1.0/openid_connect/userinfo", ""); got.status != 401 {
		t.Errorf("without token: got %d, want 401", got.status)
	}
}

func TestSignIDToken(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx := oidc.ClientContext(t.Context(), k.http)
	keys := oidc.NewRemoteKeySet(ctx, base+"/api/1.0/openid_connect/jwks")
	payload, err := keys.VerifySignature(ctx, k.SignIDToken(map[string]any{"hello": "world"}))
	if err != nil || string(payload) != `{"hello":"world"}` {
		t.Errorf("got payload %s, %v", payload, err)
	}
}
