package asanatest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// switchCase tests one switch: see returns def by default, and then after the
// change.
type switchCase struct {
	change    func(*asanatest.Switches)
	see       func(*kit) string
	def, then string
}

type switches = asanatest.Switches

// TestEverySwitch tests two settings of every switch.
func TestEverySwitch(t *testing.T) {
	t.Parallel()
	for i := range reflect.TypeFor[switches]().NumField() {
		name := reflect.TypeFor[switches]().Field(i).Tag.Get("json")
		test, ok := switchCases[name]
		if !ok {
			t.Errorf("%s has no test", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			if got := test.see(k); got != test.def {
				t.Errorf("by default: %s, want %s", got, test.def)
			}
			k = newKit(t)
			k.set(test.change)
			if got := test.see(k); got != test.then {
				t.Errorf("changed: %s, want %s", got, test.then)
			}
			if test.def == test.then {
				t.Error("this test cannot fail")
			}
		})
	}
}

var switchCases = map[string]switchCase{
	"down": {func(s *switches) { s.Down = true }, func(k *kit) string {
		return fmt.Sprint(k.get("/-/oauth_authorize", "").status, k.get("/api/1.0/users/me", "").status, k.get("/_offline/switches", "").status)
	}, "400 401 200", "503 503 200"},
	"delay_ms": {func(s *switches) { s.DelayMS = 1500 }, func(k *kit) string {
		start := k.clock.Now()
		k.refresh("x")
		k.get("/api/1.0/users/me", "")
		k.get("/.well-known/oauth-authorization-server", "")
		return k.clock.Now().Sub(start).String()
	}, "0s", "3s"},
	"status": {func(s *switches) { s.Status = 500 }, func(k *kit) string {
		return fmt.Sprint(k.refresh("x").status, k.get("/api/1.0/users/me", "").status)
	}, "400 401", "500 401"},
	"nonsense": {func(s *switches) { s.Nonsense = true }, func(k *kit) string {
		got := k.refresh("x")
		return fmt.Sprint(got.status, got.json != nil)
	}, "400 true", "200 false"},
	"cut": {func(s *switches) { s.Cut = true }, func(k *kit) string {
		_, err := k.http.Get(base + "/api/1.0/users/me")
		return fmt.Sprint(err != nil)
	}, "false", "true"},
	"rate_limited": {func(s *switches) { s.RateLimited = true }, func(k *kit) string {
		got := k.get("/api/1.0/users/me", "")
		return fmt.Sprint(got.status, k.refresh("x").status, " ", got.header.Get("Retry-After"))
	}, "401 400 ", "429 429 30"},
	"retry_after": {func(s *switches) { s.RetryAfter = 7 }, func(k *kit) string {
		k.set(func(s *switches) { s.RateLimited = true })
		return k.refresh("x").header.Get("Retry-After")
	}, "30", "7"},
	"access_token_seconds": {func(s *switches) { s.AccessTokenSeconds = 60 }, func(k *kit) string {
		tok := k.signIn(full(), asanatest.Member)
		k.clock.Add(time.Minute)
		return fmt.Sprint(tok.ExpiresIn, k.get("/api/1.0/users/me", tok.AccessToken).status)
	}, "3600 200", "60 401"},
	"code_seconds": {func(s *switches) { s.CodeSeconds = 900 }, func(k *kit) string {
		code := k.consent(full(), asanatest.Member).Get("code")
		k.clock.Add(12 * time.Minute)
		_, err := full().Exchange(k.ctx(), code)
		return fmt.Sprint(err == nil)
	}, "false", "true"},
	"rotate_refresh_tokens": {func(s *switches) { s.RotateRefreshTokens = true }, func(k *kit) string {
		tok := k.signIn(full(), asanatest.Member)
		next, rotated := k.refresh(tok.RefreshToken).json["refresh_token"].(string)
		if !rotated {
			next = tok.RefreshToken
		}
		return fmt.Sprint(rotated, k.refresh(tok.RefreshToken).status, k.refresh(next).status)
	}, "false 200 200", "true 400 200"},
	"reuse_revokes": {func(s *switches) { s.ReuseRevokes = true }, func(k *kit) string {
		k.set(func(s *switches) { s.RotateRefreshTokens = true })
		tok, other := k.signIn(full(), asanatest.Member), k.signIn(full(), asanatest.Guest)
		next := k.refresh(tok.RefreshToken).json["refresh_token"].(string)
		stranger := granular() // another app that uses the token changes nothing
		stranger.TokenSource(k.ctx(), &oauth2.Token{RefreshToken: tok.RefreshToken}).Token()
		next = k.refresh(next).json["refresh_token"].(string)
		k.refresh(tok.RefreshToken)
		return fmt.Sprint(k.refresh(next).status, k.refresh(other.RefreshToken).status)
	}, "200 200", "400 200"},
	"refresh_token_on_refresh": {func(s *switches) { s.RefreshTokenOnRefresh = "same" }, func(k *kit) string {
		tok := k.signIn(full(), asanatest.Member)
		got, there := k.refresh(tok.RefreshToken).json["refresh_token"]
		k.set(func(s *switches) { s.RefreshTokenOnRefresh = "empty" })
		return fmt.Sprint(there, got == tok.RefreshToken, k.refresh(tok.RefreshToken).json["refresh_token"] == "")
	}, "false false true", "true true true"},
	"refresh_token_idle_seconds": {func(s *switches) { s.RefreshTokenIdleSeconds = 100 }, func(k *kit) string {
		tok := k.signIn(full(), asanatest.Member)
		k.clock.Add(60 * time.Second)
		first := k.refresh(tok.RefreshToken).status // the idle time starts again
		k.clock.Add(60 * time.Second)
		second := k.refresh(tok.RefreshToken).status
		k.clock.Add(101 * time.Second)
		return fmt.Sprint(first, second, k.refresh(tok.RefreshToken).status)
	}, "200 200 200", "200 200 400"},
	"refuse_refresh": {func(s *switches) { s.RefuseRefresh = true }, func(k *kit) string {
		got := k.refresh(k.signIn(full(), asanatest.Member).RefreshToken)
		return fmt.Sprint(got.status, " ", got.json["error"])
	}, "200 <nil>", "400 invalid_grant"},
	"refresh_ends_old_access": {func(s *switches) { s.RefreshEndsOldAccess = true }, func(k *kit) string {
		tok := k.signIn(full(), asanatest.Member)
		next := k.refresh(tok.RefreshToken).json["access_token"].(string)
		return fmt.Sprint(k.get("/api/1.0/users/me", tok.AccessToken).status, k.get("/api/1.0/users/me", next).status)
	}, "200 200", "401 200"},
	"omit_refresh_token": {func(s *switches) { s.OmitRefreshToken = true }, func(k *kit) string {
		return fmt.Sprint(k.signIn(full(), asanatest.Member).RefreshToken != "")
	}, "true", "false"},
	"data_on_code": {func(s *switches) { s.DataOnCode = false }, func(k *kit) string {
		return fmt.Sprint(k.signIn(full(), asanatest.Member).Extra("data") != nil)
	}, "true", "false"},
	"data_on_refresh": {func(s *switches) { s.DataOnRefresh = true }, func(k *kit) string {
		data, _ := k.refresh(k.signIn(full(), asanatest.Member).RefreshToken).json["data"].(map[string]any)
		return fmt.Sprint(data["gid"])
	}, "<nil>", asanatest.Member},
	"data_shape": {func(s *switches) { s.DataShape = "2022" }, func(k *kit) string {
		data := k.signIn(full(), asanatest.Member).Extra("data").(map[string]any)
		return fmt.Sprintf("%T %v", data["id"], data["gid"])
	}, "float64 " + asanatest.Member, "string <nil>"},
	"scope_in_token_response": {func(s *switches) { s.ScopeInTokenResponse = true }, func(k *kit) string {
		tok := k.signIn(granular("users:read", "tasks:read"), asanatest.Member)
		return fmt.Sprint(tok.Extra("scope"))
	}, "<nil>", "users:read tasks:read"},
	"token_size": {func(s *switches) { s.TokenSize = 4095 }, func(k *kit) string {
		tok := k.signIn(full(), asanatest.Member)
		return fmt.Sprint(len(tok.AccessToken), len(tok.RefreshToken), k.get("/api/1.0/users/me", tok.AccessToken).status)
	}, "68 68 200", "4095 4095 200"},
	"invalid_client_status": {func(s *switches) { s.InvalidClientStatus = 401 }, func(k *kit) string {
		return fmt.Sprint(k.post("/-/oauth_token", "client_id", "1").status)
	}, "400", "401"},
	"refuse_client": {func(s *switches) { s.RefuseClient = true }, func(k *kit) string {
		return fmt.Sprint(k.refresh("x").json["error"])
	}, "invalid_grant", "invalid_client"},
	"revoke_whole_grant": {func(s *switches) { s.RevokeWholeGrant = false }, func(k *kit) string {
		one, two, other := k.signIn(full(), asanatest.Member), k.signIn(full(), asanatest.Member), k.signIn(full(), asanatest.Guest)
		foreign := k.signIn(granular("openid"), asanatest.Member)
		k.post("/-/oauth_revoke", "client_id", asanatest.FullClientID, "client_secret", asanatest.FullClientSecret, "token", one.RefreshToken)
		_, err := granular("openid").TokenSource(k.ctx(), &oauth2.Token{RefreshToken: foreign.RefreshToken}).Token()
		return fmt.Sprint(k.get("/api/1.0/users/me", one.AccessToken).status, k.refresh(one.RefreshToken).status, k.refresh(two.RefreshToken).status, k.refresh(other.RefreshToken).status, err)
	}, "401 400 400 200 <nil>", "401 400 200 200 <nil>"},
	"revoke_access_token_error": {func(s *switches) { s.RevokeAccessTokenError = "invalid_request" }, func(k *kit) string {
		tok := k.signIn(full(), asanatest.Member)
		got := k.post("/-/oauth_revoke", "client_id", asanatest.FullClientID, "client_secret", asanatest.FullClientSecret, "token", tok.AccessToken)
		return fmt.Sprint(got.status, " ", got.json["error"])
	}, "400 unsupported_token_type", "400 invalid_request"},
	"unknown_token_status": {func(s *switches) { s.UnknownTokenStatus = 400 }, func(k *kit) string {
		return fmt.Sprint(k.post("/-/token_info", "token", "x").status, k.post("/-/token_info", "token", k.PersonalAccessToken(asanatest.Bot)).status)
	}, "200 200", "400 200"},
	"token_cors": {func(s *switches) { s.TokenCORS = true }, func(k *kit) string {
		return fmt.Sprint(k.refresh("x").header.Get("Access-Control-Allow-Origin"), " ", k.do(k.request(http.MethodOptions, "/-/oauth_token", "", "")).status)
	}, " 405", "* 204"},
	"silent_consent": {func(s *switches) { s.SilentConsent = false }, func(k *kit) string {
		k.http.Jar, _ = cookiejar.New(nil)
		u, _ := url.Parse(full().AuthCodeURL("st"))
		k.post(u.RequestURI(), "person", asanatest.Member, "decision", "allow")
		return fmt.Sprint(k.get(u.RequestURI(), "").status)
	}, "303", "200"},
	"require_state": {func(s *switches) { s.RequireState = false }, func(k *kit) string {
		back, _ := k.Authorize(k.Context(), full().AuthCodeURL(""), asanatest.Member)
		got := k.values(back)
		return fmt.Sprint(got.Get("error"), " ", got.Has("code"), got.Has("state"))
	}, "invalid_request false false", " true false"},
	"deny_error": {func(s *switches) { s.DenyError = "user_said_no" }, func(k *kit) string {
		back, _ := k.Deny(k.Context(), full().AuthCodeURL("st"), asanatest.Member)
		return k.values(back).Get("error")
	}, "access_denied", "user_said_no"},
	"distribution": {func(s *switches) { s.Distribution = "none" }, func(k *kit) string {
		return k.pageOrCode(full(), asanatest.Member)
	}, "code", `invalid_request: This app is not available to your Asana workspace or organization. If you are the app owner, adjust settings under "Manage Distribution" in the Asana developer console.`},
	"default_with_openid": {func(s *switches) { s.DefaultWithOpenID = "refuse" }, func(k *kit) string {
		return k.pageOrCode(full("default", "openid"), asanatest.Member)
	}, "code", "forbidden_scopes: " + notYours + "`default identity` scopes."},
	"scope_errors_redirect": {func(s *switches) { s.ScopeErrorsRedirect = true }, func(k *kit) string {
		return k.pageOrCode(granular("goals:read"), asanatest.Member)
	}, "forbidden_scopes: " + notYours + "'goals:read' scopes.", "error forbidden_scopes"},
	"additive_scopes": {func(s *switches) { s.AdditiveScopes = true }, func(k *kit) string {
		k.signIn(granular("users:read"), asanatest.Member)
		tok := k.signIn(granular("tasks:read"), asanatest.Member)
		return fmt.Sprint(k.get("/api/1.0/users/me", tok.AccessToken).status)
	}, "403", "200"},
	"view_only_may_authorize": {func(s *switches) { s.ViewOnlyMayAuthorize = false }, func(k *kit) string {
		return k.pageOrCode(full(), asanatest.ViewOnly) + ", " + k.pageOrCode(full(), asanatest.Several)
	}, "code, code", "access_denied: A view only license does not include integrations., code"},
	"iss_in_redirect": {func(s *switches) { s.IssInRedirect = "oauth" }, func(k *kit) string {
		first := k.consent(full(), asanatest.Member).Get("iss")
		k.set(func(s *switches) { s.IssInRedirect = "openid" })
		second := k.consent(full(), asanatest.Member).Get("iss")
		k.set(func(s *switches) { s.IssInRedirect = "other" })
		return fmt.Sprint(first, " ", second, " ", k.consent(full(), asanatest.Member).Get("iss"))
	}, " " + base + "/api/1.0 https://issuer.invalid", base + " " + base + "/api/1.0 https://issuer.invalid"},
	"id_token_seconds": {func(s *switches) { s.IDTokenSeconds = 60 }, func(k *kit) string {
		claims := k.idClaims()
		return fmt.Sprint(claims["exp"].(float64) - claims["iat"].(float64))
	}, "3600", "60"},
	"id_token_in_token_response": {func(s *switches) { s.IDTokenInTokenResponse = true }, func(k *kit) string {
		return fmt.Sprint(k.signIn(full("openid"), asanatest.Member).Extra("id_token") != nil, k.signIn(full("default"), asanatest.Member).Extra("id_token") != nil)
	}, "false false", "true false"},
	"id_token_delivery": {func(s *switches) { s.IDTokenDelivery = "query" }, func(k *kit) string {
		back, _ := k.Authorize(k.Context(), full("openid").AuthCodeURL("st", hybrid), asanatest.Member)
		return strings.TrimPrefix(back, asanatest.DefaultRedirectURI)[:1]
	}, "#", "?"},
	"nonce_in_id_token": {func(s *switches) { s.NonceInIDToken = false }, func(k *kit) string {
		return fmt.Sprint(k.idClaims()["nonce"])
	}, "the nonce", "<nil>"},
	"at_hash": {func(s *switches) { s.AtHash = true }, func(k *kit) string {
		k.set(func(s *switches) { s.IDTokenInTokenResponse = true })
		tok := k.signIn(full("openid"), asanatest.Member)
		id, err := k.verifier().Verify(k.ctx(), tok.Extra("id_token").(string))
		if err != nil || id.AccessTokenHash == "" {
			return fmt.Sprint("none ", err)
		}
		return fmt.Sprint(id.VerifyAccessToken(tok.AccessToken))
	}, "none <nil>", "<nil>"},
	"c_hash": {func(s *switches) { s.CHash = true }, func(k *kit) string {
		got := k.consent(full("openid"), asanatest.Member, hybrid)
		sum := sha256.Sum256([]byte(got.Get("code")))
		hash := claimsOf(k.T, got.Get("id_token"))["c_hash"]
		return fmt.Sprint(hash != nil, hash == base64.RawURLEncoding.EncodeToString(sum[:16]))
	}, "false false", "true true"},
	"spoil_id_token": {func(s *switches) { s.SpoilIDToken = "wrong_key" }, func(k *kit) string {
		_, err := k.verifier().Verify(k.ctx(), k.consent(full("openid"), asanatest.Member, hybrid).Get("id_token"))
		return fmt.Sprint(err == nil)
	}, "true", "false"},
	"openid_issuer": {func(s *switches) { s.OpenIDIssuer = base }, func(k *kit) string {
		return fmt.Sprint(k.idClaims()["iss"], " ", k.get("/api/1.0/.well-known/openid-configuration", "").json["issuer"])
	}, base + "/api/1.0 " + base + "/api/1.0", base + " " + base},
	"root_discovery": {func(s *switches) { s.RootDiscovery = true }, func(k *kit) string {
		return fmt.Sprint(k.get("/.well-known/openid-configuration", "").status)
	}, "404", "200"},
	"sub_format": {func(s *switches) { s.SubFormat = "opaque" }, func(k *kit) string {
		tok := k.signIn(full("openid"), asanatest.Member)
		sub := k.get("/api/1.0/openid_connect/userinfo", tok.AccessToken).json["sub"]
		return fmt.Sprint(sub == asanatest.Member, sub == k.idClaims()["sub"])
	}, "true true", "false true"},
	"email_verified": {func(s *switches) { s.EmailVerified = "true" }, func(k *kit) string {
		tok := k.signIn(full("openid", "email"), asanatest.Member)
		first := k.get("/api/1.0/openid_connect/userinfo", tok.AccessToken).json["email_verified"]
		k.set(func(s *switches) { s.EmailVerified = "false" })
		return fmt.Sprint(first, " ", k.get("/api/1.0/openid_connect/userinfo", tok.AccessToken).json["email_verified"])
	}, "<nil> false", "true false"},
	"membership_full_permissions_only": {func(s *switches) { s.MembershipFullPermissionsOnly = false }, func(k *kit) string {
		tok := k.signIn(granular("users:read", "workspaces:read"), asanatest.Member).AccessToken
		return fmt.Sprint(k.get("/api/1.0/users/me/workspace_memberships", tok).status, k.get("/api/1.0/workspaces/"+asanatest.Acme+"/audit_log_events", tok).errorMessage() == fullOnly)
	}, "403 true", "200 true"},
	"list_inactive_memberships": {func(s *switches) { s.ListInactiveMemberships = true }, func(k *kit) string {
		got := k.get("/api/1.0/workspaces/"+asanatest.Acme+"/workspace_memberships?opt_fields=is_active&user="+asanatest.Deactivated, k.PersonalAccessToken(asanatest.Admin))
		for _, m := range got.list() {
			return fmt.Sprint(m.(map[string]any)["is_active"])
		}
		return "absent"
	}, "absent", "false"},
	"hidden_record_status": {func(s *switches) { s.HiddenRecordStatus = 404 }, func(k *kit) string {
		pat := k.PersonalAccessToken(asanatest.Member)
		return fmt.Sprint(k.get("/api/1.0/workspaces/"+asanatest.Globex, pat).status)
	}, "403", "404"},
	"view_only_error_code": {func(s *switches) { s.ViewOnlyErrorCode = "top" }, func(k *kit) string {
		write := func() string {
			r := k.request(http.MethodPost, "/api/1.0/tasks", k.PersonalAccessToken(asanatest.ViewOnly), `{"data":{"workspace":"`+asanatest.Acme+`"}}`)
			r.Header.Set("Content-Type", "application/json")
			got := k.do(r).json
			return fmt.Sprint(got["error"], " ", got["errors"].([]any)[0].(map[string]any)["error"])
		}
		first := write()
		k.set(func(s *switches) { s.ViewOnlyErrorCode = "absent" })
		return first + ", " + write()
	}, "<nil> view_only_api_access_failure, <nil> <nil>", "view_only_api_access_failure <nil>, <nil> <nil>"},
	"blocked_workspace": {func(s *switches) { s.BlockedWorkspace = asanatest.Acme }, func(k *kit) string {
		pat := k.PersonalAccessToken(asanatest.Several)
		record := k.get("/api/1.0/workspace_memberships/"+newKit(k.T).membershipGID(asanatest.Admin, asanatest.Acme), pat).status
		return fmt.Sprint(record, len(k.get("/api/1.0/workspaces", pat).list()), k.get("/api/1.0/workspaces/"+asanatest.Acme, pat).status, len(k.memberships(pat)))
	}, "200 2 200 2", "401 1 401 1"},
	"service_account_email": {func(s *switches) { s.ServiceAccountEmail = "null" }, func(k *kit) string {
		look := func() string {
			email, there := k.get("/api/1.0/users/me", k.ServiceAccountToken(asanatest.ServiceAccount)).data()["email"]
			return fmt.Sprint(there, " ", email)
		}
		first := look()
		k.set(func(s *switches) { s.ServiceAccountEmail = "present" })
		return first + ", " + look()
	}, "false <nil>, true reporting@acme.example", "true <nil>, true reporting@acme.example"},
	"service_account_only_status": {func(s *switches) { s.ServiceAccountOnlyStatus = 402 }, func(k *kit) string {
		return fmt.Sprint(k.get("/api/1.0/workspaces/"+asanatest.Acme+"/audit_log_events", k.PersonalAccessToken(asanatest.Admin)).status)
	}, "403", "402"},
	"www_authenticate": {func(s *switches) { s.WWWAuthenticate = true }, func(k *kit) string {
		return k.get("/api/1.0/users/me", "").header.Get("WWW-Authenticate")
	}, "", `Bearer realm="Asana"`},
}

var hybrid = oauth2.SetAuthURLParam("response_type", "code id_token")

// pageOrCode authorizes an app and describes the result.
func (k *kit) pageOrCode(c *oauth2.Config, gid string) string {
	back, err := k.Authorize(k.Context(), c.AuthCodeURL("st"), gid)
	var page *asanatest.PageError
	if errors.As(err, &page) {
		return page.Message
	}
	if e := k.values(back).Get("error"); e != "" {
		return "error " + e
	}
	return "code"
}

// verifier returns a verifier of go-oidc.
func (k *kit) verifier() *oidc.IDTokenVerifier {
	k.Helper()
	provider, err := oidc.NewProvider(oidc.ClientContext(k.Context(), k.http), base+"/api/1.0")
	if err != nil {
		k.Fatal(err)
	}
	return provider.Verifier(&oidc.Config{ClientID: asanatest.FullClientID, Now: k.clock.Now})
}

// idClaims returns the claims of an ID token, without verifying it.
func (k *kit) idClaims() map[string]any {
	k.Helper()
	answer := k.consent(full("openid"), asanatest.Member, hybrid, oidc.Nonce("the nonce"))
	return claimsOf(k.T, answer.Get("id_token"))
}

func claimsOf(t *testing.T, token string) (claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts in an ID token", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// TestSpoiledIDTokens checks every value of spoil_id_token: go-oidc refuses the
// token, or the claims differ.
func TestSpoiledIDTokens(t *testing.T) {
	t.Parallel()
	refused := []string{"unsigned", "hs256", "wrong_key", "wrong_issuer", "wrong_audience", "expired"}
	differs := map[string]func(claims map[string]any) bool{
		"second_audience": func(c map[string]any) bool { list, _ := c["aud"].([]any); return len(list) == 2 },
		"wrong_azp":       func(c map[string]any) bool { return c["azp"] != nil && c["azp"] != asanatest.FullClientID },
		"wrong_subject":   func(c map[string]any) bool { return c["sub"] != asanatest.Member && c["sub"] != "" },
		"no_subject":      func(c map[string]any) bool { _, there := c["sub"]; return !there },
		"future": func(c map[string]any) bool {
			return c["iat"].(float64) > float64(time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC).Unix())
		},
		"wrong_nonce":   func(c map[string]any) bool { return c["nonce"] != "the nonce" && c["nonce"] != nil },
		"wrong_at_hash": func(c map[string]any) bool { return c["at_hash"] != nil },
		"wrong_c_hash":  func(c map[string]any) bool { return c["c_hash"] != nil },
	}
	f, _ := reflect.TypeFor[switches]().FieldByName("SpoilIDToken")
	if all := strings.Split(f.Tag.Get("values"), "|"); len(all) != 1+len(refused)+len(differs) {
		t.Errorf("%d kinds, but %d are tested", len(all)-1, len(refused)+len(differs))
	}
	k := newKit(t)
	verifier := k.verifier()
	for _, kind := range refused {
		k.set(func(s *switches) { s.SpoilIDToken = kind })
		if _, err := verifier.Verify(k.ctx(), k.consent(full("openid"), asanatest.Member, hybrid).Get("id_token")); err == nil {
			t.Errorf("%s: go-oidc accepts it", kind)
		}
	}
	for kind, wrong := range differs {
		k.set(func(s *switches) { s.SpoilIDToken = "" })
		if wrong(k.idClaims()) {
			t.Errorf("%s: wrong before it is spoiled", kind)
		}
		k.set(func(s *switches) { s.SpoilIDToken = kind })
		if claims := k.idClaims(); !wrong(claims) {
			t.Errorf("%s: %v", kind, claims)
		}
	}
}
