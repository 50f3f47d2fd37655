package main_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// tokenAnswer is the JSON of a token, as docs/openapi.yaml has it.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   *int   `json:"expires_in"`
	Scope       *string
}

func (s *backend) token(c connection, body string) tokenAnswer {
	s.t.Helper()
	var got tokenAnswer
	s.get(http.StatusOK, &got, "POST", "/connections/"+c.ID+"/token?owner="+*c.Owner, body)
	return got
}

// worksAtAsana asks Asana whose token it is.
func (s *backend) worksAtAsana(token string) (gid string) {
	s.t.Helper()
	a := s.ask("GET", s.p.asanaURL+"/api/1.0/users/me", "", "Authorization: Bearer "+token)
	var body struct{ Data struct{ GID string } }
	json.Unmarshal([]byte(a.body), &body)
	return body.Data.GID
}

// TestBackendTokens takes tokens of every kind.
func TestBackendTokens(t *testing.T) {
	t.Parallel()
	asEach(t, func(t *testing.T, s *backend) {
		oauth := s.connects("acme", member)
		first := s.token(oauth, "")
		if first.TokenType != "Bearer" || first.ExpiresIn == nil || *first.ExpiresIn < 3000 || s.worksAtAsana(first.AccessToken) != member {
			t.Errorf("of a person: %+v", first)
		}
		if again := s.token(oauth, `{"min_ttl":3000}`); again.AccessToken != first.AccessToken {
			t.Error("a token that lives was not handed out again")
		}
		second := s.token(oauth, object("refused", hashOf(first.AccessToken)))
		if second.AccessToken == first.AccessToken || s.worksAtAsana(second.AccessToken) != member {
			t.Error("no new token for a refused one")
		}
		if third := s.token(oauth, object("refused", hashOf(first.AccessToken))); third.AccessToken != second.AccessToken {
			t.Error("for one that was refused before the newer one is the answer")
		}
		path := "/connections/" + oauth.ID + "/token"
		if a := s.refused(503, "try-again", "POST", path, object("refused", hashOf(second.AccessToken))); a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		for _, person := range []string{asanatest.Bot, asanatest.ServiceAccount} {
			got := s.token(s.imports("acme", person), "")
			if got.TokenType != "Bearer" || s.worksAtAsana(got.AccessToken) != person {
				t.Errorf("of %s: %+v", person, got)
			}
		}
		for _, body := range []string{`{"min_ttl":-1}`, `{"min_ttl":3001}`, `{"min_ttl":"300"}`, `{"min_ttl":1.5}`, `{"refused":"x"}`, `{"more":1}`, `[]`} {
			s.refused(400, "invalid-request", "POST", path, body)
		}
		s.refused(404, "not-found", "POST", path+"?owner=globex", "")
		s.refused(405, "method-not-allowed", "GET", path, "")
	})
}

// TestBrokenConnection is refused by Asana, and says so until somebody connects
// again.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	c := s.connects("acme", member)
	token := s.token(c, "").AccessToken
	s.setSwitches(p, `{"refuse_refresh":true}`)
	s.refused(409, "reconnect-required", "POST", "/connections/"+c.ID+"/token", object("refused", hashOf(token)))
	var broken connection
	s.get(http.StatusOK, &broken, "GET", "/connections/"+c.ID, "")
	if broken.Status != "broken" || broken.StatusReason == nil || *broken.StatusReason != "invalid-grant" || broken.BrokenAt == nil {
		t.Errorf("it is %+v", broken)
	}
	s.setSwitches(p, `{"refuse_refresh":false}`)
	again := s.connects("acme", member)
	if again.ID != c.ID || again.Status != "active" || again.StatusReason != nil || again.BrokenAt != nil {
		t.Errorf("connected again it is %+v", again)
	}
	s.token(again, "")
}

// TestRefusedLongLivedToken reports a personal access token that lives: Asana's
// introspection says so, and it is handed out again.
func TestRefusedLongLivedToken(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	c := s.imports("acme", asanatest.Bot)
	token := s.token(c, "").AccessToken
	if again := s.token(c, object("refused", hashOf(token))); again.AccessToken != token {
		t.Error("one that lives was taken away")
	}
}

// TestSessionCode tells the app's own backend who signed in.
func TestSessionCode(t *testing.T) {
	t.Parallel()
	asEach(t, func(t *testing.T, s *backend) {
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
				t.Fatalf("no code: %d %s", a.status, a.body)
			}
			return made.Code
		}
		first, second := code(), code()
		var c connection
		s.get(http.StatusOK, &c, "POST", "/connections", object("session_code", first))
		if c.user() != asanatest.Several || *c.Owner != "asana:"+asanatest.Several || c.Kind != "oauth" {
			t.Errorf("it is %+v", c)
		}
		s.refused(400, "link-expired", "POST", "/connections", object("session_code", first))
		s.token(c, "")
		if a := b.ask("DELETE", s.p.publicURL+"/session", "{}", "Content-Type: application/json", "Origin: "+s.p.publicURL); a.status != http.StatusNoContent {
			t.Fatalf("signing out: %d", a.status)
		}
		s.refused(400, "link-expired", "POST", "/connections", object("session_code", second))
		if a := b.post(s.p, "/session/code", "{}"); a.status != http.StatusUnauthorized {
			t.Errorf("signed out: %d %s", a.status, a.body)
		}
		if a := b.ask("POST", s.p.publicURL+"/session/code", "{}", "Content-Type: application/json"); a.status != http.StatusForbidden {
			t.Errorf("without an Origin: %d %s", a.status, a.body)
		}
	})
}
