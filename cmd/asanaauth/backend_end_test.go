package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestBackendRestart checks that links, connections, and the tokens of links that are not
// redeemed yet survive a restart.
func TestBackendRestart(t *testing.T) {
	data, addr := t.TempDir(), freeAddr(t)
	var s *backend
	restart := func() {
		t.Helper()
		if s != nil {
			if code := s.p.terminate(); code != 0 {
				t.Errorf("exit %d after SIGTERM, want 0", code)
			}
		}
		p := start(t, data, nil, "-addr", addr, "-backend-key", ownKey, "-backend-secret", ownSecret)
		if len(p.printed) != 2 {
			t.Errorf("printed %q, want no key, because the user set it", p.printed)
		}
		s = newBackend(p, bearer(ownKey))
	}
	restart()
	link := s.link("owner", "acme", "person", "mia")
	account := s.importToken("acme", asanatest.ServiceAccount)
	s.get(http.StatusOK, &account, "PATCH", "/connections/"+account.ID, object("reader_of", `["`+asanatest.Acme+`"]`))
	restart()
	b := newBrowser(t)
	back := b.allowAccess(s.p, link, member)
	restart()
	code := mustParse(t, b.mustSend("GET", back.String(), "").location()).Query().Get("connect_code")
	restart()
	var c connection
	s.get(http.StatusCreated, &c, "POST", "/connections", object("connect_code", code, "owner", "acme", "person", "mia"))
	token := s.token(c, "").AccessToken
	restart()
	var repeated connection
	s.get(http.StatusOK, &repeated, "POST", "/connections", object("connect_code", code, "owner", "acme", "person", "mia"))
	if repeated.ID != c.ID {
		t.Errorf("repeated redemption: got connection %s, want %s", repeated.ID, c.ID)
	}
	if again := s.token(c, "").AccessToken; again != token {
		t.Error("got another token after the restart, want the same one")
	}
	if list := s.list("owner=acme"); len(list) != 2 {
		t.Errorf("got connections %+v, want 2", list)
	}
	if s.token(account, "").AccessToken == "" {
		t.Error("got no token of the service account")
	}
	s.get(http.StatusOK, &account, "GET", "/connections/"+account.ID, "")
	if len(account.ReaderOf) != 1 {
		t.Errorf("got reader_of %q, want one workspace", account.ReaderOf)
	}
}

// TestBackendSecrets checks that the backend key, tokens, codes, owners and names of
// people do not appear in the log, on stdout, in the trace, or in the table's file.
func TestBackendSecrets(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := start(t, data, nil, "-backend-key", ownKey, "-backend-secret", ownSecret)
	s := newSigningBackend(p, ownKey, ownSecret)
	link := s.link("owner", "owner-in-the-clear", "person", "person-in-the-clear")
	code := newBrowser(t).followLink(p, link, member).Get("connect_code")
	var c connection
	s.get(http.StatusCreated, &c, "POST", "/connections", object("connect_code", code, "owner", "owner-in-the-clear", "person", "person-in-the-clear"))
	_, refresh := s.grant(asanatest.Admin)
	pat := s.longLived(asanatest.Bot)
	var bot connection
	s.get(http.StatusCreated, &bot, "POST", "/connections", object("token", pat, "owner", "owner-in-the-clear", "kind", "personal_access_token"))
	s.get(http.StatusCreated, &c, "POST", "/connections", object("refresh_token", refresh, "owner", "owner-in-the-clear"))
	signedIn := newBrowser(t)
	signedIn.signIn(p, asanatest.Guest)
	session := signedIn.post(p, "/session/code", "{}").body
	_, session, _ = strings.Cut(session, `"session_code":"`)
	session, _, _ = strings.Cut(session, `"`)
	s.get(http.StatusOK, &bot, "POST", "/connections", object("session_code", session))
	s.wantProblem(400, "link-expired", "POST", "/connections", object("connect_code", "unknown-code", "owner", "a"))
	s.wantProblem(422, "token-rejected", "POST", "/connections", object("token", "unknown-token", "owner", "a", "kind", "personal_access_token"))
	s.wantProblem(400, "invalid-request", "POST", "/connections/token-in-the-path/token?owner=owner-in-the-query&token-as-a-name=1", "")
	s.wantProblem(404, "not-found", "POST", "/connections/token-in-the-path/token?owner=owner-in-the-query", "")
	secrets := []string{
		ownKey, ownSecret, strings.TrimPrefix(link, p.publicURL+"/authorize?link="), code, "unknown-code", "unknown-token", "token-in-the-path", "owner-in-the-query", "token-as-a-name",
		pat, refresh, session, s.token(c, "").AccessToken, "owner-in-the-clear", "person-in-the-clear", "mia@acme.example", "Mia Member",
	}
	trip := newBrowser(t).mustSend("GET", p.publicURL+"/local/trip", "").body
	for _, want := range []string{`"from":"backend"`, `"what":"POST /connections/{id}/token"`, `"what":"POST /links"`, `"what":"POST /session/code"`, `"what":"POST /-/token_info"`, `"kind":"link"`, `"kind":"session code"`} {
		if !strings.Contains(trip, want) {
			t.Errorf("the trace does not contain %s", want)
		}
	}
	if strings.Contains(trip, `"row"`) {
		t.Error("the trace contains a row of an unknown kind")
	}
	p.terminate()
	rows, err := os.ReadFile(filepath.Join(data, "rows.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		for where, text := range map[string]string{"log": p.logged.String(), "stdout": strings.Join(p.printed, "\n"), "trace": trip, "table": string(rows)} {
			if secret == "" || strings.Contains(text, secret) {
				t.Errorf("the %s contains a secret (%.8s…)", where, secret)
			}
		}
	}
	for _, want := range []string{`"audit":"connected"`, `"audit":"imported"`, `"audit":"token_released"`} {
		if !hasLineWithAll(p.logged.String(), want, `"caller":"local"`) {
			t.Errorf("the log has no line with %s and the caller", want)
		}
	}
}

func hasLineWithAll(log string, texts ...string) bool {
	for line := range strings.Lines(log) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			return true
		}
	}
	return false
}
