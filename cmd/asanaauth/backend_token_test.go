package main_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// tokenResponse is the schema BackendToken in docs/openapi.yaml.
type tokenResponse struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   *int   `json:"expires_in"`
	Scope       *string
}

func (s *backend) token(c connection, body string) tokenResponse {
	s.t.Helper()
	var got tokenResponse
	s.get(http.StatusOK, &got, "POST", "/connections/"+c.ID+"/token?owner="+*c.Owner, body)
	return got
}

// asanaUser returns the gid of the Asana user to whom a token belongs, or "" if Asana
// rejects the token.
func (s *backend) asanaUser(token string) (gid string) {
	s.t.Helper()
	a := s.mustSend("GET", s.p.asanaURL+"/api/1.0/users/me", "", "Authorization: Bearer "+token)
	var body struct{ Data struct{ GID string } }
	json.Unmarshal([]byte(a.body), &body)
	return body.Data.GID
}

func TestBackendTokens(t *testing.T) {
	t.Parallel()
	withEachHeader(t, func(t *testing.T, s *backend) {
		oauth := s.connect("acme", member)
		first := s.token(oauth, "")
		if first.TokenType != "Bearer" || first.ExpiresIn == nil || *first.ExpiresIn < 3000 || s.asanaUser(first.AccessToken) != member {
			t.Errorf("got token %+v, want a valid Bearer token of the member", first)
		}
		if again := s.token(oauth, `{"min_ttl":3000}`); again.AccessToken != first.AccessToken {
			t.Error("got a new token, want the same one, because it has not expired")
		}
		second := s.token(oauth, object("refused", hashOf(first.AccessToken)))
		if second.AccessToken == first.AccessToken || s.asanaUser(second.AccessToken) != member {
			t.Error("got the rejected token or an invalid one, want a new one")
		}
		if third := s.token(oauth, object("refused", hashOf(first.AccessToken))); third.AccessToken != second.AccessToken {
			t.Error("old token reported again: got a third token, want the second one")
		}
		path := "/connections/" + oauth.ID + "/token"
		// Asana says that the new token is active, so one workspace has rejected it.
		if third := s.token(oauth, object("refused", hashOf(second.AccessToken))); third.AccessToken != second.AccessToken {
			t.Error("new token reported: got a third token, want the second one")
		}
		for _, person := range []string{asanatest.Bot, asanatest.ServiceAccount} {
			got := s.token(s.importToken("acme", person), "")
			if got.TokenType != "Bearer" || s.asanaUser(got.AccessToken) != person {
				t.Errorf("user %s: got token %+v, want a valid Bearer token", person, got)
			}
		}
		for _, body := range []string{`{"min_ttl":-1}`, `{"min_ttl":3001}`, `{"min_ttl":"300"}`, `{"min_ttl":1.5}`, `{"refused":"x"}`, `{"more":1}`, `[]`} {
			s.wantProblem(400, "invalid-request", "POST", path, body)
		}
		s.wantProblem(404, "not-found", "POST", path+"?owner=globex", "")
		s.wantProblem(405, "method-not-allowed", "GET", path, "")
	})
}

// TestBrokenConnection checks that the connection becomes broken if Asana rejects the
// refresh token, and active after the person has connected again.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	c := s.connect("acme", member)
	token := s.token(c, "").AccessToken
	s.setSwitches(p, `{"refuse_refresh":true}`)
	s.wantProblem(409, "reconnect-required", "POST", "/connections/"+c.ID+"/token", object("refused", hashOf(token)))
	var broken connection
	s.get(http.StatusOK, &broken, "GET", "/connections/"+c.ID, "")
	if broken.Status != "broken" || broken.StatusReason == nil || *broken.StatusReason != "invalid-grant" || broken.BrokenAt == nil {
		t.Errorf("got connection %+v, want it broken", broken)
	}
	s.setSwitches(p, `{"refuse_refresh":false}`)
	again := s.connect("acme", member)
	if again.ID != c.ID || again.Status != "active" || again.StatusReason != nil || again.BrokenAt != nil {
		t.Errorf("connected again: got connection %+v, want the same one, active", again)
	}
	s.token(again, "")
}

// The test reports a valid personal access token as rejected. Asana's introspection
// endpoint says that the token is active, so the test expects the same token from the
// service.
func TestRefusedLongLivedToken(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	c := s.importToken("acme", asanatest.Bot)
	token := s.token(c, "").AccessToken
	if again := s.token(c, object("refused", hashOf(token))); again.AccessToken != token {
		t.Error("got another token, want the same one, because it is active")
	}
}

// A backend redeems a session code to learn who is signed in.
func TestSessionCode(t *testing.T) {
	t.Parallel()
	withEachHeader(t, func(t *testing.T, s *backend) {
		b := newBrowser(t)
		b.signIn(s.p, asanatest.Several)
		code := func() string {
			t.Helper()
			a := b.post(s.p, "/session/code", "{}")
			var made struct {
				Code      string `json:"session_code"`
				ExpiresAt string `json:"expires_at"`
			}
			if json.Unmarshal([]byte(a.body), &made); a.status != http.StatusCreated || made.Code == "" || made.ExpiresAt == "" {
				t.Fatalf("got %d %s, want a session code", a.status, a.body)
			}
			return made.Code
		}
		first, second := code(), code()
		var c connection
		s.get(http.StatusOK, &c, "POST", "/connections", object("session_code", first))
		if c.user() != asanatest.Several || *c.Owner != "asana:"+asanatest.Several || c.Kind != "oauth" {
			t.Errorf("got connection %+v", c)
		}
		s.wantProblem(400, "link-expired", "POST", "/connections", object("session_code", first))
		s.token(c, "")
		if a := b.mustSend("DELETE", s.p.publicURL+"/session", "{}", "Content-Type: application/json", "Origin: "+s.p.publicURL); a.status != http.StatusNoContent {
			t.Fatalf("signing out: got status %d, want 204", a.status)
		}
		s.wantProblem(400, "link-expired", "POST", "/connections", object("session_code", second))
		if a := b.post(s.p, "/session/code", "{}"); a.status != http.StatusUnauthorized {
			t.Errorf("session code after signing out: got %d %s, want 401", a.status, a.body)
		}
		if a := b.mustSend("POST", s.p.publicURL+"/session/code", "{}", "Content-Type: application/json"); a.status != http.StatusForbidden {
			t.Errorf("session code without an Origin: got %d %s, want 403", a.status, a.body)
		}
	})
}
