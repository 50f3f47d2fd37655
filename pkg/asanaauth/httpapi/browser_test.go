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

// request is what a browser sends.
type request struct {
	method, target string
	header         http.Header
	body           string
	chunked        bool   // no Content-Length
	announced      int64  // Content-Length, where it is not the body's
	caller         string // whom IAM let, "" for nobody
}

func get(target string, header ...string) request {
	return request{method: http.MethodGet, target: target, header: headers(header)}
}

// change is a frontend's request that changes something.
func change(method, target, body string, header ...string) request {
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

// answer is a response that was read.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

func (s *site) do(r request, cookies ...string) answer {
	s.t.Helper()
	in := httptest.NewRequest(r.method, publicURL+"/", strings.NewReader(r.body))
	u, err := url.ParseRequestURI(r.target)
	must(s.t, err)
	in.URL, in.RequestURI = u, r.target
	if r.chunked {
		in.ContentLength = -1
	}
	if r.announced > 0 {
		in.ContentLength = r.announced
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
	return answer{s.t, w.Code, w.Header(), w.Body.String()}
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func (a answer) json() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("the body is no JSON object: %v: %s", err, a.body)
	}
	return v
}

// problem checks that the answer is a problem of the type, in all its members.
func (a answer) problem(status int, kind string) map[string]any {
	a.t.Helper()
	a.want(status)
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("Content-Type %q, want a problem's", got)
	}
	p := a.json()
	if p["type"] != "urn:asanaauth:problem:"+kind || p["status"] != float64(status) || p["title"] == "" {
		a.t.Errorf("problem %v, want %s %d", p, kind, status)
	}
	if p["instance"] != a.header.Get("X-Request-Id") || p["instance"] == "" {
		a.t.Errorf("instance %q, want the request's id %q", p["instance"], a.header.Get("X-Request-Id"))
	}
	for name := range p {
		if !slices.Contains([]string{"type", "title", "status", "detail", "instance"}, name) && !(name == "reason" && kind == "token-rejected") {
			a.t.Errorf("a problem has the member %q", name)
		}
	}
	return p
}

// page checks that the answer is a page for people.
func (a answer) page(status int) answer {
	a.t.Helper()
	a.want(status)
	if got := a.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
		a.t.Errorf("Content-Type %q, want a page's", got)
	}
	if !strings.Contains(a.body, `<a href="`+home+`">`) {
		a.t.Errorf("the page has no link home: %s", a.body)
	}
	if a.header.Get("Location") != "" {
		a.t.Error("the page redirects")
	}
	return a
}

// location is where a 303 goes.
func (a answer) location() string {
	a.t.Helper()
	return a.want(http.StatusSeeOther).header.Get("Location")
}

// browser is a browser that has cookies.
type browser struct {
	*site
	jar map[string]string
}

func (s *site) browser() *browser { return &browser{s, map[string]string{}} }

func (b *browser) do(r request) answer {
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

// begin goes to Asana's consent screen and returns its URL.
func (b *browser) begin(query string) string {
	b.t.Helper()
	return b.do(get("/authorize" + query)).location()
}

// allow clicks Allow, and returns what follows our origin in the URL that Asana
// sends the browser to.
func (b *browser) allow(consent, person string) string {
	b.t.Helper()
	back, err := b.asana.Authorize(context.Background(), consent, person)
	must(b.t, err)
	return strings.TrimPrefix(back, b.o.publicURL)
}

// signIn makes the whole trip.
func (b *browser) signIn(person string) *browser {
	b.t.Helper()
	to := b.do(get(b.allow(b.begin(""), person))).location()
	if to != home+"?asana=connected#" {
		b.t.Fatalf("signing in ended at %s", to)
	}
	return b
}

// refresh asks for a token.
func (b *browser) refresh(body string) answer {
	b.t.Helper()
	return b.do(change(http.MethodPost, "/refresh", body))
}
