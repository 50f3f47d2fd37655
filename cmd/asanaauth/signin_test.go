package main_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestSignInAndDisconnect checks that cookies, codes, tokens and the person's e-mail
// address do not appear in the log, on stdout, in the trace, or in the table's file.
func TestSignInAndDisconnect(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := start(t, data, nil)
	b := newBrowser(t)
	secrets := b.signIn(p, asanatest.Several)

	session := b.mustSend("GET", p.publicURL+"/session", "", "Sec-Fetch-Site: same-origin")
	if !strings.Contains(session.body, `"asana_user":"`+asanatest.Several+`"`) {
		t.Errorf("session: got %d %s", session.status, session.body)
	}
	membership := b.mustSend("GET", p.publicURL+"/membership", "", "Sec-Fetch-Site: same-origin")
	if !strings.Contains(membership.body, `"is_view_only":true`) || !strings.Contains(membership.body, `"can_write":true`) {
		t.Errorf("membership: got %d %s", membership.status, membership.body)
	}
	token := accessToken(t, b.post(p, "/refresh", `{"min_ttl":0}`))
	secrets = append(secrets, token, "sam@globex.example")

	b.mustSend("GET", p.publicURL+"/callback?code=marker-of-a-value&marker-of-a-name=1&state=x", "")
	b.mustSend("GET", p.publicURL+"/authorize", "", "Host: marker-of-a-name")
	trip := b.mustSend("GET", p.publicURL+"/local/trip", "")
	for _, want := range []string{
		`"what":"GET /authorize"`, `"what":"POST /-/oauth_token (authorization_code)"`, `"code_verifier"`,
		`"kind":"connection (hot)"`, `"sealed":["access","refresh"]`, `"result":"200"`,
	} {
		if !strings.Contains(trip.body, want) {
			t.Errorf("the trace does not contain %s", want)
		}
	}
	if a := b.post(p, "/disconnect", "{}"); a.status != http.StatusOK || !strings.Contains(a.body, `"revoked_at_asana":true`) {
		t.Errorf("disconnect: got %d %s", a.status, a.body)
	}
	p.terminate()
	secrets = append(secrets, "marker-of-a-value", "marker-of-a-name")
	rows, err := os.ReadFile(filepath.Join(data, "rows.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		for where, text := range map[string]string{
			"log": p.logged.String(), "stdout": strings.Join(p.printed, "\n"), "trace": trip.body, "table": string(rows),
		} {
			if secret == "" || strings.Contains(text, secret) {
				t.Errorf("the %s contains a secret (%.4s…)", where, secret)
			}
		}
	}
	err = filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: got mode %v, want no access for other users", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Two instances on one machine share their host, and browsers send a cookie to all ports
// of a host. Each instance must read only its own cookies, and must not end the sign-ins,
// the attempts and the consents of the other instance.
func TestTwoInstancesKeepTheirSignInsApart(t *testing.T) {
	t.Parallel()
	one, two := start(t, t.TempDir(), nil), start(t, t.TempDir(), nil)
	b := newBrowser(t)
	whoIs := func(p *process) string {
		t.Helper()
		a := b.mustSend("GET", p.publicURL+"/session", "", "Sec-Fetch-Site: same-origin")
		var session struct {
			AsanaUser string `json:"asana_user"`
		}
		json.Unmarshal([]byte(a.body), &session) // no session: the body is empty or a problem
		return session.AsanaUser
	}
	b.signIn(one, asanatest.Several)
	b.signIn(two, asanatest.Guest)
	if first, second := whoIs(one), whoIs(two); first != asanatest.Several || second != asanatest.Guest {
		t.Errorf("got people %q and %q, want %s and %s", first, second, asanatest.Several, asanatest.Guest)
	}
	b.mustSend("DELETE", two.publicURL+"/session", "", "Content-Type: application/json", "Origin: "+two.publicURL)
	if first, second := whoIs(one), whoIs(two); first != asanatest.Several || second != "" {
		t.Errorf("after signing out of the second instance: got people %q and %q, want %s and none", first, second, asanatest.Several)
	}
	// The second instance begins more attempts than a browser may keep. The attempt at
	// the first instance remains. Asana still knows the person, and shows no consent page.
	consent := b.mustSend("GET", one.publicURL+"/authorize", "").location()
	for range 12 {
		b.mustSend("GET", two.publicURL+"/authorize", "")
	}
	back := b.mustSend("GET", consent, "").location()
	if got := b.mustSend("GET", back, "").location(); got != one.publicURL+"/?asana=connected#" {
		t.Errorf("got redirect to %q, want a successful sign-in at the first instance", got)
	}
	port := func(p *process) string { return mustParse(t, p.publicURL).Port() }
	name := regexp.MustCompile(`^asana_(session|attempt_[0-9a-f]{16})_(` + port(one) + `|` + port(two) + `)$`)
	for _, cookie := range b.http.Jar.Cookies(mustParse(t, one.publicURL)) {
		if !name.MatchString(cookie.Name) {
			t.Errorf("got cookie %s, want the port of an instance at the end of its name", cookie.Name)
		}
	}
}

// TestFiftyAtOnce checks that fifty concurrent token requests cause only one refresh at
// Asana.
func TestFiftyAtOnce(t *testing.T) {
	t.Parallel()
	p := startHere(t, t.TempDir())
	b := newBrowser(t)
	b.signIn(p, member)
	old := accessToken(t, b.post(p, "/refresh", ""))
	b.setSwitches(p, `{"delay_ms":300}`)
	var callers sync.WaitGroup
	responses := make(chan response, 50)
	for range cap(responses) {
		callers.Go(func() {
			a, err := b.send("POST", p.publicURL+"/refresh", `{"refused":"`+hashOf(old)+`"}`, "Content-Type: application/json", "Origin: "+p.publicURL)
			if err != nil {
				t.Error(err)
			}
			responses <- a
			b.send("GET", p.publicURL+"/local/trip", "")
		})
	}
	callers.Wait()
	close(responses)
	tokens := map[string]bool{}
	for a := range responses {
		tokens[accessToken(t, a)] = true
	}
	if len(tokens) != 1 || tokens[old] {
		t.Errorf("got %d different tokens, including the old one: %t; want one new token", len(tokens), tokens[old])
	}
	requests := b.mustSend("GET", p.asanaURL+"/_offline/requests", "").body
	if n := strings.Count(requests, `"grant_type":"refresh_token"`); n != 1 {
		t.Errorf("got %d refreshes at Asana, want 1", n)
	}
}

func accessToken(t *testing.T, a response) string {
	t.Helper()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal([]byte(a.body), &body); a.status != http.StatusOK || body.AccessToken == "" {
		t.Fatalf("got %d %s, want an access token", a.status, a.body)
	}
	return body.AccessToken
}
