package asanatest_test

import (
	"fmt"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

var tokenCases = map[string]switchCase{
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
		stranger := granular() // if another app uses the token, nothing is revoked
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
		first := k.refresh(tok.RefreshToken).status // this refresh restarts the idle timeout
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
	"refuse_revocation": {func(s *switches) { s.RefuseRevocation = "403" }, func(k *kit) string {
		tok := k.signIn(full(), asanatest.Member)
		got := k.post("/-/oauth_revoke", "client_id", asanatest.FullClientID, "client_secret", asanatest.FullClientSecret, "token", tok.RefreshToken)
		return fmt.Sprint(got.status, " ", k.refresh(tok.RefreshToken).status)
	}, "200 400", "403 200"},
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
}
