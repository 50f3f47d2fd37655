package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// browser is as much of a browser as HTTP alone needs: it keeps cookies, and
// follows no redirect by itself.
type browser struct {
	t    *testing.T
	http *http.Client
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location() string { return a.header.Get("Location") }

// problem is the type of a problem, without its prefix.
func (a answer) problem() string {
	var body struct{ Type string }
	json.Unmarshal([]byte(a.body), &body)
	return strings.TrimPrefix(body.Type, "urn:asanaauth:problem:")
}

// send sends a request with those headers, given as "Name: value".
func (b *browser) send(method, to, body string, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, to, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	resp, err := b.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(text)}, err
}

// ask is send for requests that have to be answered.
func (b *browser) ask(method, to, body string, headers ...string) answer {
	b.t.Helper()
	a, err := b.send(method, to, body, headers...)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// post is what the page's script sends.
func (b *browser) post(p *process, path, body string) answer {
	b.t.Helper()
	return b.ask("POST", p.publicURL+path, body, "Content-Type: application/json", "Origin: "+p.publicURL)
}

// setSwitches sets switches of offline Asana, a JSON object.
func (b *browser) setSwitches(p *process, object string) {
	b.t.Helper()
	if a := b.ask("PUT", p.asanaURL+"/_offline/switches", object); a.status != http.StatusOK {
		b.t.Fatalf("setting switches: %d %s", a.status, a.body)
	}
}

// signIn takes a trip to Asana and back, and returns everything secret that it
// met on the way.
func (b *browser) signIn(p *process, person string) (secrets []string) {
	b.t.Helper()
	toAsana := b.ask("GET", p.publicURL+"/authorize", "")
	form := mustParse(b.t, toAsana.location()).Query()
	secrets = append(secrets, form.Get("state"))
	form.Set("person", person)
	form.Set("decision", "allow")
	consented := b.ask("POST", p.asanaURL+"/-/oauth_authorize", form.Encode(), "Content-Type: application/x-www-form-urlencoded")
	back := mustParse(b.t, consented.location())
	secrets = append(secrets, back.Query().Get("code"))
	done := b.ask("GET", back.String(), "")
	if want := p.publicURL + "/?asana=connected#"; done.status != http.StatusSeeOther || done.location() != want {
		b.t.Fatalf("the callback answered %d to %q, want 303 to %q", done.status, done.location(), want)
	}
	for _, cookie := range b.http.Jar.Cookies(mustParse(b.t, p.publicURL)) {
		secrets = append(secrets, cookie.Value)
	}
	return secrets
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil || raw == "" {
		t.Fatalf("%q is no URL: %v", raw, err)
	}
	return u
}

// hashOf is the SHA-256 of a text, as "refused" wants it.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// member is who signs in where it does not matter.
const member = asanatest.Member
