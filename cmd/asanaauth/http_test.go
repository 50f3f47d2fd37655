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

// browser is an HTTP client that keeps cookies and does not follow redirects.
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

// response is an HTTP response with its body.
type response struct {
	status int
	header http.Header
	body   string
}

func (a response) location() string { return a.header.Get("Location") }

// problem returns the problem type in the body, without its prefix.
func (a response) problem() string {
	var body struct{ Type string }
	json.Unmarshal([]byte(a.body), &body)
	return strings.TrimPrefix(body.Type, "urn:asanaauth:problem:")
}

// send sends a request with headers, each given as "Name: value".
func (b *browser) send(method, to, body string, headers ...string) (response, error) {
	r, err := http.NewRequest(method, to, strings.NewReader(body))
	if err != nil {
		return response{}, err
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	resp, err := b.http.Do(r)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, string(text)}, err
}

// ask is like send, but fails the test if the request gets no response.
func (b *browser) ask(method, to, body string, headers ...string) response {
	b.t.Helper()
	a, err := b.send(method, to, body, headers...)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// post sends a POST request as a page of the service would.
func (b *browser) post(p *process, path, body string) response {
	b.t.Helper()
	return b.ask("POST", p.publicURL+path, body, "Content-Type: application/json", "Origin: "+p.publicURL)
}

// setSwitches sets switches of offline Asana, given as a JSON object.
func (b *browser) setSwitches(p *process, object string) {
	b.t.Helper()
	if a := b.ask("PUT", p.asanaURL+"/_offline/switches", object); a.status != http.StatusOK {
		b.t.Fatalf("setting switches: got %d %s", a.status, a.body)
	}
}

// signIn signs a person in. It returns the secrets of the sign-in: the state, the code and
// the cookies.
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
		b.t.Fatalf("callback: got %d to %q, want 303 to %q", done.status, done.location(), want)
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
		t.Fatalf("parsing URL %q: %v", raw, err)
	}
	return u
}

// hashOf returns the SHA-256 hash of a text in hex, for the parameter "refused".
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// member is the Asana user of tests that work with any user.
const member = asanatest.Member
