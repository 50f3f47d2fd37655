package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

type request struct {
	method, target string
	header         http.Header
	body           string
	chunked        bool   // no Content-Length
	contentLength  int64  // Content-Length, if it differs from the size of the body
	caller         string // the identity that IAM found, or empty
}

func get(target string, header ...string) request {
	return request{method: http.MethodGet, target: target, header: headers(header)}
}

// frontendCall returns a request from the app's frontend, with the headers that a browser
// sends.
func frontendCall(method, target, body string, header ...string) request {
	h := headers([]string{"Origin", appOrigin, "Content-Type", "application/json"})
	for name, values := range headers(header) {
		h[name] = values
	}
	return request{method: method, target: target, header: h, body: body}
}

func headers(pairs []string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

type response struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

func (s *site) do(r request, cookies ...string) response {
	s.t.Helper()
	in := httptest.NewRequest(r.method, publicURL+"/", strings.NewReader(r.body))
	u, err := url.ParseRequestURI(r.target)
	must(s.t, err)
	in.URL, in.RequestURI = u, r.target
	if r.chunked {
		in.ContentLength = -1
	}
	if r.contentLength > 0 {
		in.ContentLength = r.contentLength
	}
	for name, values := range r.header {
		in.Header[name] = values
	}
	in = in.WithContext(context.WithValue(in.Context(), callerKey{}, r.caller))
	if len(cookies) > 0 {
		in.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, in)
	return response{s.t, w.Code, w.Header(), w.Body.String()}
}

func (a response) want(status int) response {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("got status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func (a response) json() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("decoding the body: %v: %s", err, a.body)
	}
	return v
}

func (a response) problem(status int, kind string) map[string]any {
	a.t.Helper()
	a.want(status)
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("got Content-Type %q, want application/problem+json", got)
	}
	p := a.json()
	title, _ := p["title"].(string)
	detail, _ := p["detail"].(string)
	if p["type"] != "urn:asanaauth:problem:"+kind || p["status"] != float64(status) || title == "" || detail == "" {
		a.t.Errorf("got problem %v, want %s %d with a title and a detail", p, kind, status)
	}
	if p["instance"] != a.header.Get("X-Request-Id") || p["instance"] == "" {
		a.t.Errorf("got instance %q, want the request ID %q", p["instance"], a.header.Get("X-Request-Id"))
	}
	for name := range p {
		if !slices.Contains([]string{"type", "title", "status", "detail", "instance"}, name) && !(name == "reason" && kind == "token-rejected") {
			a.t.Errorf("the problem has the member %q", name)
		}
	}
	return p
}

// page checks that the response has the given status and is an HTML page with a link to
// the app.
func (a response) page(status int) response {
	a.t.Helper()
	a.want(status)
	if got := a.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		a.t.Errorf("got Content-Type %q, want text/html", got)
	}
	if !strings.Contains(a.body, `<a href="`+home+`">`) {
		a.t.Errorf("the page has no link to the app: %s", a.body)
	}
	if a.header.Get("Location") != "" {
		a.t.Error("got a Location header, want none")
	}
	return a
}

func (a response) location() string {
	a.t.Helper()
	return a.want(http.StatusSeeOther).header.Get("Location")
}

// withoutSession checks the response to a frontend's request that the route accepts and
// that has no session. On /session, the absence of a session is not an error.
func (a response) withoutSession(path string) {
	a.t.Helper()
	if path == "/session" {
		a.want(http.StatusNoContent)
		return
	}
	a.problem(http.StatusUnauthorized, "unauthenticated")
}

// browser is a client that stores the cookies of each response and sends them with later
// requests.
type browser struct {
	*site
	jar map[string]string
}

func (s *site) browser() *browser { return &browser{s, map[string]string{}} }

func (b *browser) do(r request) response {
	b.t.Helper()
	var cookies []string
	for name, value := range b.jar {
		cookies = append(cookies, name+"="+value)
	}
	slices.Sort(cookies)
	a := b.site.do(r, cookies...)
	for _, line := range a.header["Set-Cookie"] {
		c, err := http.ParseSetCookie(line)
		must(b.t, err)
		if c.MaxAge < 0 {
			delete(b.jar, c.Name)
		} else {
			b.jar[c.Name] = c.Value
		}
	}
	return a
}

func (b *browser) names(prefix string) (names []string) {
	for name := range b.jar {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}

// begin starts a sign-in attempt, and returns the URL of Asana's consent screen.
func (b *browser) begin(query string) string {
	b.t.Helper()
	return b.do(get("/authorize" + query)).location()
}

// allow simulates that a person allows access on Asana's consent screen. It returns the
// path and query of Asana's redirect to /callback.
func (b *browser) allow(consent, person string) string {
	b.t.Helper()
	back, err := b.asana.Authorize(context.Background(), consent, person)
	must(b.t, err)
	return strings.TrimPrefix(back, b.o.publicURL)
}

// signIn starts a sign-in attempt and completes it as the given person.
func (b *browser) signIn(person string) *browser {
	b.t.Helper()
	to := b.do(get(b.allow(b.begin(""), person))).location()
	if to != home+"?asana=connected#" {
		b.t.Fatalf("got redirect to %s, want a successful sign-in", to)
	}
	return b
}

func (b *browser) refresh(body string) response {
	b.t.Helper()
	return b.do(frontendCall(http.MethodPost, "/refresh", body))
}
