package main_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// grant gets the tokens of an OAuth grant directly from Asana, without asanaauth.
func (s *backend) grant(person string) (access, refresh string) {
	s.t.Helper()
	person1 := newBrowser(s.t)
	begun := mustParse(s.t, person1.mustSend("GET", s.p.publicURL+"/authorize", "").location())
	ask := begun.Query()
	ask.Del("code_challenge") // only asanaauth knows the code verifier
	ask.Del("code_challenge_method")
	begun.RawQuery = ask.Encode()
	form := ask
	form.Set("person", person)
	form.Set("decision", "allow")
	back := mustParse(s.t, person1.mustSend("POST", s.p.asanaURL+"/-/oauth_authorize", form.Encode(), "Content-Type: application/x-www-form-urlencoded").location())
	a := s.mustSend("POST", s.p.asanaURL+"/-/oauth_token", url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {ask.Get("redirect_uri")},
		"client_id": {ask.Get("client_id")}, "client_secret": {"offline-local-app"},
	}.Encode(), "Content-Type: application/x-www-form-urlencoded")
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal([]byte(a.body), &tokens); tokens.Refresh == "" {
		s.t.Fatalf("got %d %s, want a refresh token", a.status, a.body)
	}
	return tokens.Access, tokens.Refresh
}

// TestImports checks that importing a credential twice returns the same connection.
func TestImports(t *testing.T) {
	t.Parallel()
	withEachHeader(t, func(t *testing.T, s *backend) {
		for _, test := range []struct{ kind, person, name string }{
			{"personal_access_token", asanatest.Bot, "Build Bot"},
			{"service_account", asanatest.ServiceAccount, "Acme Reporting"},
		} {
			body := object("token", s.longLived(test.person), "owner", "acme", "kind", test.kind)
			var c, again connection
			s.get(http.StatusCreated, &c, "POST", "/connections", body)
			if c.Kind != test.kind || c.Status != "active" || c.user() != test.person || *c.AttributedTo.Name != test.name || *c.Owner != "acme" {
				t.Errorf("%s: got connection %+v", test.kind, c)
			}
			s.get(http.StatusCreated, &again, "POST", "/connections", body)
			if again.ID != c.ID {
				t.Errorf("%s: second import: got connection %s, want %s", test.kind, again.ID, c.ID)
			}
		}
		_, refresh := s.grant(member)
		var c connection
		s.get(http.StatusCreated, &c, "POST", "/connections", object("refresh_token", refresh, "owner", "acme"))
		if c.Kind != "oauth" || c.user() != member || c.LastRefreshedAt == nil {
			t.Errorf("oauth: got connection %+v", c)
		}
		_, other := s.grant(member)
		s.wantProblem(409, "already-connected", "POST", "/connections", object("refresh_token", other, "owner", "acme"))
		s.get(http.StatusCreated, &c, "POST", "/connections", object("refresh_token", other, "owner", "acme", "replace", "true"))
		if n := len(s.list("owner=acme")); n != 3 {
			t.Errorf("got %d connections, want one of each kind", n)
		}
	})
}

// TestRejectedImports checks that a rejected credential does not create a connection.
func TestRejectedImports(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	access, refresh := s.grant(member)
	for _, test := range []struct{ name, body, reason string }{
		{"unknown", object("token", "2/nobody/knows", "owner", "a", "kind", "personal_access_token"), "inactive"},
		{"an access token", object("token", access, "owner", "a", "kind", "personal_access_token"), "oauth-token"},
		{"an access token as a service account's", object("token", access, "owner", "a", "kind", "service_account"), "oauth-token"},
		{"a refresh token as a long-lived one", object("token", refresh, "owner", "a", "kind", "personal_access_token"), "oauth-token"},
		{"unknown refresh token", object("refresh_token", "2/nobody/knows", "owner", "a"), "inactive"},
	} {
		var problem struct{ Reason string }
		a := s.wantProblem(422, "token-rejected", "POST", "/connections", test.body)
		if json.Unmarshal([]byte(a.body), &problem); problem.Reason != test.reason {
			t.Errorf("%s: got reason %q, want %q", test.name, problem.Reason, test.reason)
		}
	}
	for _, body := range []string{
		"", "{}", object("owner", "a"), object("token", "t", "owner", "a"), object("token", "t", "kind", "personal_access_token"),
		object("token", "t", "owner", "a", "kind", "oauth"), object("token", "t", "owner", "asana:1", "kind", "personal_access_token"),
		object("token", "t", "refresh_token", "t", "owner", "a", "kind", "personal_access_token"), object("token", "with space", "owner", "a", "kind", "personal_access_token"),
		object("connect_code", "c", "session_code", "s", "owner", "a"), object("session_code", "s", "token", "t"), object("refresh_token", "t", "owner", "a", "replace", "yes"),
		`{"token":"t","token":"t","owner":"a","kind":"personal_access_token"}`,
	} {
		s.wantProblem(400, "invalid-request", "POST", "/connections", body)
	}
	s.wantProblem(400, "link-expired", "POST", "/connections", object("connect_code", "unknown", "owner", "a"))
	s.wantProblem(400, "link-expired", "POST", "/connections", object("session_code", "unknown"))
	if list := s.list("owner=a"); len(list) != 0 {
		t.Errorf("got connections %+v, want none", list)
	}
}
