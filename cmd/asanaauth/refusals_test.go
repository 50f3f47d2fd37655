package main_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestRefusalsAreExplained checks that the log names the refused origin or return URL, and
// the allowed ones. Responses must not contain them.
func TestRefusalsAreExplained(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), []string{"ALLOWED_ORIGINS=http://localhost:3000", "RETURN_URLS=http://localhost:3000/done?tab=asana"}, "-backend-key", ownKey)
	key, json := "Authorization: "+bearer(ownKey), "Content-Type: application/json"
	const origins, urls = `"allowed":["http://localhost:3000"]`, `"allowed":["http://localhost:3000/done?tab=asana"]`
	for _, test := range []struct {
		name, method, path, body string
		headers                  []string
		want                     []string // texts in the log
		hidden                   string
	}{
		{"origin of a POST", "POST", "/refresh", "{}", []string{json, "Origin: http://localhost:3001"}, []string{`"origin":"http://localhost:3001"`, origins}, ""},
		{"origin of a GET", "GET", "/session", "", []string{"Origin: http://127.0.0.1:3000"}, []string{`"origin":"http://127.0.0.1:3000"`, origins}, ""},
		{"origin of a preflight request", "OPTIONS", "/refresh", "", []string{"Origin: https://localhost:3000", "Access-Control-Request-Method: POST"}, []string{`"origin":"https://localhost:3000"`, origins}, ""},
		{"a long origin", "POST", "/refresh", "{}", []string{json, "Origin: http://" + strings.Repeat("x", 9999)}, []string{`xx…"`, origins}, strings.Repeat("x", 201)},
		{"return URL with a slash", "GET", "/authorize?return_to=http://localhost:3000/done/", "", nil, []string{`"return_to":"http://localhost:3000/done/"`, urls}, ""},
		{"return URL with another query", "GET", "/authorize?return_to=http://u:hunter2@localhost:3000/done?x=hunter2%23hunter2", "", nil, []string{`"return_to":"http://localhost:3000/done?…"`, urls}, "hunter2"},
		{"return URL that is not one", "GET", "/authorize?return_to=javascript:hunter2", "", nil, []string{`"return_to":"javascript:…"`, urls}, "hunter2"},
		{"return URL of a link", "POST", "/links", `{"owner":"hunter2","return_to":"http://localhost:3000/"}`, []string{key, json}, []string{`"return_to":"http://localhost:3000/"`, urls}, "hunter2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(p.logged.String())
			a := newBrowser(t).mustSend(test.method, p.publicURL+test.path, test.body, test.headers...)
			waitUntil(t, "the refusal is logged", func() bool { return strings.Contains(p.logged.String()[before:], `"allowed":`) })
			log := p.logged.String()[before:]
			for _, want := range test.want {
				if !strings.Contains(log, want) {
					t.Errorf("the log does not contain %s: %s", want, log)
				}
			}
			if test.hidden != "" && strings.Contains(log, test.hidden) {
				t.Errorf("the log contains a query or a secret: %s", log)
			}
			if strings.Contains(a.body, "localhost:3001") || strings.Contains(a.body, "/done") && !strings.Contains(a.body, "href") {
				t.Errorf("the response repeats the input: %s", a.body)
			}
		})
	}
	before := len(p.logged.String())
	b := newBrowser(t)
	b.mustSend("GET", p.publicURL+"/session", "", "Origin: http://localhost:3000")
	b.mustSend("OPTIONS", p.publicURL+"/refresh", "", "Origin: http://localhost:3000", "Access-Control-Request-Method: POST")
	if a := b.mustSend("POST", p.publicURL+"/links", `{"owner":"acme","return_to":"http://localhost:3000/done?tab=asana"}`, key, json); a.status != http.StatusCreated {
		t.Errorf("link with an allowed return URL: got %d %s, want 201", a.status, a.body)
	}
	p.terminate()
	if log := p.logged.String()[before:]; strings.Contains(log, `"allowed":`) {
		t.Errorf("the log explains requests that were not refused: %s", log)
	}
}

// TestOriginsOnOtherSites checks that the command does not start if browsers would never
// send the session cookie from an allowed origin.
func TestOriginsOnOtherSites(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ origins, public, want string }{
		{"http://127.0.0.1:3000", "", "ALLOWED_ORIGINS: entry 1 is not on the same site as PUBLIC_URL, so browsers do not send the session cookie from there: " +
			"both must have the same host; localhost and 127.0.0.1 are different hosts\n"},
		{"http://localhost:3000 https://localhost:3000", "", "ALLOWED_ORIGINS: entry 2 is not on the same site as PUBLIC_URL, so browsers do not send the session cookie from there: " +
			"use http for both, or https for both\n"},
		{"https://app.example.com https://app.example.org", "https://auth.example.com", "ALLOWED_ORIGINS: entry 2 is not on the same site as PUBLIC_URL, so browsers do not send the session cookie from there: " +
			"both must belong to the same registrable domain, such as example.com\n"},
		{"http://localhost:3000", "https://tunnel.test", "entry 1 is not on the same site as PUBLIC_URL"},
	} {
		_, stderr := wantOutcome(t, 1, []string{"ALLOWED_ORIGINS=" + test.origins, "PUBLIC_URL=" + test.public},
			"local", "-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-data", t.TempDir())
		if !strings.Contains(stderr, test.want) {
			t.Errorf("origins %s, PUBLIC_URL %q: got %s, want %s", test.origins, test.public, stderr, test.want)
		}
	}
	start(t, t.TempDir(), []string{"ALLOWED_ORIGINS=https://app.example.com:8443 https://example.com", "PUBLIC_URL=https://auth.example.com"})
}
