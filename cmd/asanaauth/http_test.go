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

// browser is an HTTP client that stores cookies and does not follow redirects.
type browser struct {
	t    *testing.T
	http *http.Client
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, Timeout: waitLimit, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

type response struct {
	status int
	header http.Header
	body   string
}

func (a response) location() string { return a.header.Get("Location") }

func (a response) problem() string {
	var body struct{ Type string }
	json.Unmarshal([]byte(a.body), &body)
	return strings.TrimPrefix(body.Type, "urn:asanaauth:problem:")
}

// send expects each header in the form "Name: value".
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

func (b *browser) mustSend(method, to, body string, headers ...string) response {
	b.t.Helper()
	a, err := b.send(method, to, body, headers...)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// post sends the headers that a page from the service's origin would send.
func (b *browser) post(p *process, path, body string) response {
	b.t.Helper()
	return b.mustSend("POST", p.publicURL+path, body, "Content-Type: application/json", "Origin: "+p.publicURL)
}

func (b *browser) setSwitches(p *process, object string) {
	b.t.Helper()
	if a := b.mustSend("PUT", p.asanaURL+"/_offline/switches", object); a.status != http.StatusOK {
		b.t.Fatalf("setting switches: got %d %s", a.status, a.body)
	}
}

// signIn returns the secrets that the browser has received during the sign-in: the state,
// the code and the cookies.
func (b *browser) signIn(p *process, person string) (secrets []string) {
	b.t.Helper()
	toAsana := b.mustSend("GET", p.publicURL+"/authorize", "")
	form := mustParse(b.t, toAsana.location()).Query()
	secrets = append(secrets, form.Get("state"))
	form.Set("person", person)
	form.Set("decision", "allow")
	consented := b.mustSend("POST", p.asanaURL+"/-/oauth_authorize", form.Encode(), "Content-Type: application/x-www-form-urlencoded")
	back := mustParse(b.t, consented.location())
	secrets = append(secrets, back.Query().Get("code"))
	done := b.mustSend("GET", back.String(), "")
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

// hashOf returns the SHA-256 hash of a token in hex. If Asana rejects a token, clients
// send this hash as "refused" in the JSON body.
func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// member is the Asana user in tests for which the user does not matter.
const member = asanatest.Member
