package asanatest_test

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

const notYours = "Your app is not allowed to request user authorization for "

func TestAuthorizePages(t *testing.T) {
	t.Parallel()
	elsewhere := full()
	elsewhere.RedirectURL += "/"
	unknown := full()
	unknown.ClientID = "1"
	for name, test := range map[string]struct {
		config *oauth2.Config
		person string
		want   string
	}{
		"unknown app":                      {unknown, asanatest.Member, "invalid_request: The required parameter client_id is missing or invalid."},
		"another redirect URI":             {elsewhere, asanatest.Member, "invalid_request: The `redirect_uri` parameter does not match a valid url for the application."},
		"default of a granular app":        {granular("default"), asanatest.Member, "forbidden_scopes: " + notYours + "`default identity` scopes."},
		"no scope of a granular app":       {granular(), asanatest.Member, "forbidden_scopes: " + notYours + "`default identity` scopes."},
		"granular scope of a full app":     {full("attachments:read"), asanatest.Member, "forbidden_scopes: " + notYours + "'attachments:read' scopes."},
		"a scope that is not registered":   {granular("users:read", "goals:read"), asanatest.Member, "forbidden_scopes: " + notYours + "'goals:read' scopes."},
		"a scope with a control character": {granular("goals\x01read"), asanatest.Member, "forbidden_scopes: " + notYours + "'goals?read' scopes."},
		"service account":                  {full(), asanatest.ServiceAccount, "access_denied: A service account cannot sign in."},
		"unknown person":                   {full(), "1", "invalid_request: This person does not exist."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			back, err := k.Authorize(t.Context(), test.config.AuthCodeURL("st"), test.person)
			var page *asanatest.PageError
			if !errors.As(err, &page) || page.Message != test.want || page.Status != http.StatusBadRequest {
				t.Errorf("got %q, %v, want a page that says %q", back, err, test.want)
			}
		})
	}
}

// The authorize endpoint reports the errors in the table to the app in a redirect.
func TestAuthorizeErrors(t *testing.T) {
	t.Parallel()
	param := oauth2.SetAuthURLParam
	for name, test := range map[string]struct {
		opts []oauth2.AuthCodeOption
		want string
	}{
		"no response type":        {[]oauth2.AuthCodeOption{param("response_type", "")}, "invalid_request"},
		"token":                   {[]oauth2.AuthCodeOption{param("response_type", "token")}, "unsupported_response_type"},
		"plain challenge":         {[]oauth2.AuthCodeOption{param("code_challenge", "x"), param("code_challenge_method", "plain")}, "invalid_request"},
		"challenge, no method":    {[]oauth2.AuthCodeOption{param("code_challenge", "x")}, "invalid_request"},
		"method, no challenge":    {[]oauth2.AuthCodeOption{param("code_challenge_method", "S256")}, "invalid_request"},
		"ID token without openid": {[]oauth2.AuthCodeOption{param("response_type", "id_token")}, "invalid_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			got := k.consent(full(), asanatest.Member, test.opts...)
			if got.Get("error") != test.want || got.Get("error_description") == "" || got.Get("state") != "st" || got.Has("code") {
				t.Errorf("got %v, want error=%s and the state", got, test.want)
			}
		})
	}
	k := newKit(t)
	back, err := k.Authorize(t.Context(), full().AuthCodeURL("st")+"&state=another", asanatest.Member)
	if err != nil || k.values(back).Get("error") != "invalid_request" {
		t.Errorf("repeated state: got %s, %v, want invalid_request", back, err)
	}
}

func TestDeny(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	back, err := k.Deny(t.Context(), full().AuthCodeURL("st"), asanatest.Member)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.values(back); got.Get("error") != "access_denied" || got.Get("state") != "st" || got.Has("code") || !strings.HasPrefix(back, asanatest.DefaultRedirectURI+"?") {
		t.Errorf("deny: got redirect to %s, want access_denied and the state", back)
	}
}

func TestConsentPage(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	jar, _ := cookiejar.New(nil)
	k.http.Jar = jar
	u, _ := url.Parse(granular("openid", "users:read").AuthCodeURL(`a "state" & <more>`))
	page := k.get(u.RequestURI(), "")
	if page.status != 200 || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		t.Fatalf("page: got %d %s, want 200 and text/html", page.status, page.header.Get("Content-Type"))
	}
	for _, want := range []string{"Offline Asana", "Granular App", "<code>openid</code>", "<code>users:read</code>", "Mia Member", "view only in Acme, full member of Globex", "deactivated in Acme",
		`name="decision" value="allow"`, `name="decision" value="deny"`, `value="` + asanatest.Member + `" checked`} {
		if !strings.Contains(page.text, want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
	if strings.Contains(page.text, asanatest.ServiceAccount) || strings.Count(page.text, " checked") != 1 {
		t.Error("the page must not offer a service account, and must check exactly one person")
	}
	csp := page.header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script-src") || strings.Contains(csp, "form-action") || strings.Contains(page.text, "<script") {
		t.Errorf("got policy %q, or a script in the page", csp)
	}

	form := append(hiddenFields(page.text), "person", asanatest.Several, "decision", "allow")
	posted := k.post("/-/oauth_authorize", form...)
	if posted.status != http.StatusSeeOther {
		t.Fatalf("post: got %d %s, want 303", posted.status, posted.text)
	}
	if got := k.values(posted.header.Get("Location")); got.Get("state") != `a "state" & <more>` || got.Get("code") == "" {
		t.Errorf("redirect: got %v, want the state and a code", got)
	}
	// The person has now consented, so the server skips the page if the app requests
	// the same scopes or fewer.
	if again := k.get(u.RequestURI(), ""); again.status != http.StatusSeeOther {
		t.Errorf("second request: got %d, want a redirect", again.status)
	}
	less, _ := url.Parse(granular("openid").AuthCodeURL("st"))
	if again := k.get(less.RequestURI(), ""); again.status != http.StatusSeeOther {
		t.Errorf("fewer scopes: got %d, want a redirect", again.status)
	}
	if again := k.get(u.RequestURI(), ""); again.status != http.StatusSeeOther {
		t.Errorf("first scopes again: got %d, want 303", again.status)
	}
	more, _ := url.Parse(granular("openid", "users:read", "tasks:read").AuthCodeURL("st"))
	again := k.get(more.RequestURI(), "")
	if again.status != 200 || !strings.Contains(again.text, `value="`+asanatest.Several+`" checked`) {
		t.Errorf("more scopes: got %d, want the page with the same person checked", again.status)
	}
	k.RevokeGrants(asanatest.Several)
	if again := k.get(u.RequestURI(), ""); again.status != 200 {
		t.Errorf("after RevokeGrants: got %d, want the page", again.status)
	}
	// The server rejects a consent form without the field "decision".
	if got := k.post("/-/oauth_authorize", hiddenFields(page.text)...); got.status != 400 {
		t.Errorf("no decision: got %d, want 400", got.status)
	}
}

func hiddenFields(page string) (pairs []string) {
	unescape := strings.NewReplacer("&#34;", `"`, "&amp;", "&", "&lt;", "<", "&gt;", ">", "&#43;", "+")
	for line := range strings.Lines(page) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), `<input type="hidden" name="`)
		if !ok {
			continue
		}
		name, rest, _ := strings.Cut(rest, `" value="`)
		value, _, _ := strings.Cut(rest, `"`)
		pairs = append(pairs, name, unescape.Replace(value))
	}
	return pairs
}

func TestConsentCrossSite(t *testing.T) {
	t.Parallel()
	for name, header := range map[string][2]string{"fetch metadata": {"Sec-Fetch-Site", "cross-site"}, "origin": {"Origin", "https://evil.test"}, "null": {"Origin", "null"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			u, _ := url.Parse(full().AuthCodeURL("st"))
			post := func(name, value string) response {
				r := k.request(http.MethodPost, u.RequestURI(), "", "decision=allow&person="+asanatest.Member)
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set(name, value)
				return k.do(r)
			}
			if got := post(header[0], header[1]); got.status != http.StatusForbidden {
				t.Errorf("%v: got %d, want 403", header, got.status)
			}
			if got := post("Sec-Fetch-Site", "same-origin"); got.status != http.StatusSeeOther {
				t.Errorf("same origin: got %d, want 303", got.status)
			}
			if got := post("Origin", base); got.status != http.StatusSeeOther {
				t.Errorf("own origin: got %d, want 303", got.status)
			}
		})
	}
}

func TestOutOfBand(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c := full()
	c.RedirectURL = "urn:ietf:wg:oauth:2.0:oob"
	u, _ := url.Parse(c.AuthCodeURL("st"))
	got := k.post(u.RequestURI(), "person", asanatest.Member, "decision", "allow")
	_, rest, ok := strings.Cut(got.text, "<code>")
	code, _, _ := strings.Cut(rest, "</code>")
	if !ok || !strings.HasPrefix(code, "0/") {
		t.Fatalf("got page without a code: %s", got.text)
	}
	if _, err := c.Exchange(k.ctx(), code); err != nil {
		t.Error(err)
	}
}

// A person whose account was deleted can neither authorize an app nor use tokens.
func TestDeletedAccount(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	tok := k.signIn(full(), asanatest.Member)
	if err := k.UpdatePerson(asanatest.Member, func(p *asanatest.Person) { p.Gone = true }); err != nil {
		t.Fatal(err)
	}
	if got := k.get("/api/1.0/users/me", tok.AccessToken); got.status != 401 {
		t.Errorf("API: got %d, want 401", got.status)
	}
	if got := k.refresh(tok.RefreshToken); got.json["error"] != "invalid_grant" {
		t.Errorf("refresh: got %d %s, want invalid_grant", got.status, got.text)
	}
	if _, err := k.Authorize(t.Context(), full().AuthCodeURL("st"), asanatest.Member); err == nil {
		t.Error("Authorize of a deleted account returned no error")
	}
	k.UpdatePerson(asanatest.Guest, func(p *asanatest.Person) { p.GID = "5" })
	if got := k.get("/api/1.0/users/me", k.PersonalAccessToken(asanatest.Guest)); got.data()["gid"] != asanatest.Guest {
		t.Errorf("UpdatePerson changed the gid: got %s", got.text)
	}
	if err := k.UpdatePerson("1", func(*asanatest.Person) {}); err == nil {
		t.Error("UpdatePerson of an unknown person returned no error")
	}
	if err := k.UpdateApp("1", func(*asanatest.App) {}); err == nil {
		t.Error("UpdateApp of an unknown app returned no error")
	}
}
