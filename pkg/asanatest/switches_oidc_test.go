package asanatest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

var openIDCases = map[string]switchCase{
	"id_token_seconds": {func(s *switches) { s.IDTokenSeconds = 60 }, func(k *kit) string {
		claims := k.idClaims()
		return fmt.Sprint(claims["exp"].(float64) - claims["iat"].(float64))
	}, "3600", "60"},
	"id_token_in_token_response": {func(s *switches) { s.IDTokenInTokenResponse = false }, func(k *kit) string {
		return fmt.Sprint(k.signIn(full("openid"), asanatest.Member).Extra("id_token") != nil, k.signIn(full("default"), asanatest.Member).Extra("id_token") != nil)
	}, "true false", "false false"},
	"id_token_delivery": {func(s *switches) { s.IDTokenDelivery = "query" }, func(k *kit) string {
		back, _ := k.Authorize(k.Context(), full("openid").AuthCodeURL("st", hybrid), asanatest.Member)
		return strings.TrimPrefix(back, asanatest.DefaultRedirectURI)[:1]
	}, "#", "?"},
	"nonce_in_id_token": {func(s *switches) { s.NonceInIDToken = false }, func(k *kit) string {
		return fmt.Sprint(k.idClaims()["nonce"])
	}, "the nonce", "<nil>"},
	"at_hash": {func(s *switches) { s.AtHash = false }, func(k *kit) string {
		tok := k.signIn(full("openid"), asanatest.Member)
		idToken, _ := tok.Extra("id_token").(string)
		id, err := k.verifier().Verify(k.ctx(), idToken)
		if err != nil || id.AccessTokenHash == "" {
			return fmt.Sprint("none ", err)
		}
		return fmt.Sprint(id.VerifyAccessToken(tok.AccessToken))
	}, "<nil>", "none <nil>"},
	"key_set_media_type": {func(s *switches) { s.KeySetMediaType = "application/jwk-set+json" }, func(k *kit) string {
		return k.get("/api/1.0/openid_connect/jwks", "").header.Get("Content-Type")
	}, "application/json; charset=UTF-8", "application/jwk-set+json; charset=UTF-8"},
	"c_hash": {func(s *switches) { s.CHash = false }, func(k *kit) string {
		got := k.consent(full("openid"), asanatest.Member, hybrid)
		hash := claimsOf(k.T, got.Get("id_token"))["c_hash"]
		return fmt.Sprint(hash != nil, hash == halfHash(got.Get("code")))
	}, "true true", "false false"},
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
}

func (k *kit) verifier() *oidc.IDTokenVerifier {
	k.Helper()
	provider, err := oidc.NewProvider(oidc.ClientContext(k.Context(), k.http), base+"/api/1.0")
	if err != nil {
		k.Fatal(err)
	}
	return provider.Verifier(&oidc.Config{ClientID: asanatest.FullClientID, Now: k.clock.Now})
}

// idClaims does not verify the ID token.
func (k *kit) idClaims() map[string]any {
	k.Helper()
	response := k.consent(full("openid"), asanatest.Member, hybrid, oidc.Nonce("the nonce"))
	return claimsOf(k.T, response.Get("id_token"))
}

// halfHash returns the value of at_hash or c_hash for s.
func halfHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func claimsOf(t *testing.T, token string) (claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("got an ID token of %d parts, want 3", len(parts))
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

// TestSpoiledIDTokens tests every value of the switch spoil_id_token. For some values,
// the test checks that go-oidc rejects the ID token. For the other values, the test
// itself checks that a claim is wrong or missing.
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
		"wrong_c_hash":  func(c map[string]any) bool { return c["c_hash"] == halfHash("another code") },
	}
	f, _ := reflect.TypeFor[switches]().FieldByName("SpoilIDToken")
	if all := strings.Split(f.Tag.Get("values"), "|"); len(all) != 1+len(refused)+len(differs) {
		t.Errorf("spoil_id_token has %d kinds, but this test has %d", len(all)-1, len(refused)+len(differs))
	}
	k := newKit(t)
	verifier := k.verifier()
	for _, kind := range refused {
		k.set(func(s *switches) { s.SpoilIDToken = kind })
		if _, err := verifier.Verify(k.ctx(), k.consent(full("openid"), asanatest.Member, hybrid).Get("id_token")); err == nil {
			t.Errorf("%s: go-oidc accepted the ID token", kind)
		}
	}
	for kind, wrong := range differs {
		k.set(func(s *switches) { s.SpoilIDToken = "" })
		if wrong(k.idClaims()) {
			t.Errorf("%s: the claims are wrong although the switch is not set", kind)
		}
		k.set(func(s *switches) { s.SpoilIDToken = kind })
		if claims := k.idClaims(); !wrong(claims) {
			t.Errorf("%s: got correct claims %v", kind, claims)
		}
	}
}
