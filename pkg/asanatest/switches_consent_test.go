package asanatest_test

import (
	"errors"
	"fmt"
	"net/http/cookiejar"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

var consentCases = map[string]switchCase{
	"silent_consent": {func(s *switches) { s.SilentConsent = false }, func(k *kit) string {
		k.http.Jar, _ = cookiejar.New(nil)
		u, _ := url.Parse(full().AuthCodeURL("st"))
		k.post(u.RequestURI(), "person", asanatest.Member, "decision", "allow")
		return fmt.Sprint(k.get(u.RequestURI(), "").status)
	}, "303", "200"},
	"require_state": {func(s *switches) { s.RequireState = true }, func(k *kit) string {
		back, _ := k.Authorize(k.Context(), full().AuthCodeURL(""), asanatest.Member)
		got := k.values(back)
		return fmt.Sprint(got.Get("error"), " ", got.Has("code"), got.Has("state"))
	}, " true false", "invalid_request false false"},
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
}

var hybrid = oauth2.SetAuthURLParam("response_type", "code id_token")

// pageOrCode authorizes an app. If Asana redirects to the app with a code, the result is
// "code". If Asana redirects to the app with an error, the result is "error" followed by
// the error code. If Asana shows a page, the result is the message on the page.
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
