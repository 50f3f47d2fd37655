package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// backend is the backend of a SaaS app, which shows the key that was printed.
type backend struct {
	*browser      // without cookies of anybody
	p             *process
	authorization string
}

func newBackend(p *process, authorization string) *backend {
	return &backend{newBrowser(p.t), p, authorization}
}

// bearer shows the key as it is, sigv4 as a client does that was made for AWS.
func bearer(key string) string { return "Bearer " + key }

func sigv4(key string) string {
	return "AWS4-HMAC-SHA256 Credential=" + key + "/20261231/eu-central-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + strings.Repeat("0f", 32)
}

// asEach runs a test with each way of showing the key, on a process of its own.
func asEach(t *testing.T, test func(*testing.T, *backend), args ...string) {
	for name, how := range map[string]func(string) string{"Bearer": bearer, "SigV4": sigv4} {
		t.Run(name, func(t *testing.T) {
			p := start(t, t.TempDir(), nil, args...)
			test(t, newBackend(p, how(p.backendKey())))
		})
	}
}

// backendKey is the key that was made and printed.
func (p *process) backendKey() string {
	p.t.Helper()
	for _, line := range p.printed {
		if key, ok := strings.CutPrefix(line, "backend-key "); ok {
			return key
		}
	}
	p.t.Fatalf("no key was printed: %q", p.printed)
	return ""
}

// call asks a backend route; path has its query.
func (s *backend) call(method, path, body string) answer {
	s.t.Helper()
	headers := []string{"Authorization: " + s.authorization}
	if body != "" {
		headers = append(headers, "Content-Type: application/json")
	}
	return s.ask(method, s.p.publicURL+path, body, headers...)
}

// get reads what a route has to answer with that status into out.
func (s *backend) get(status int, out any, method, path, body string) {
	s.t.Helper()
	a := s.call(method, path, body)
	if a.status != status {
		s.t.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
	}
	if err := json.Unmarshal([]byte(a.body), out); err != nil {
		s.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
	}
}

// refused is how a route has to refuse.
func (s *backend) refused(status int, problem, method, path, body string) answer {
	s.t.Helper()
	a := s.call(method, path, body)
	if a.status != status || a.problem() != problem {
		s.t.Errorf("%s %s %s: %d %s, want %d %s", method, path, body, a.status, a.body, status, problem)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		s.t.Errorf("%s %s: the problem is %q", method, path, got)
	}
	return a
}

// connection is the JSON of a connection, as docs/openapi.yaml has it.
type connection struct {
	ID           string  `json:"id"`
	Kind         string  `json:"kind"`
	Owner        *string `json:"owner"`
	Status       string  `json:"status"`
	StatusReason *string `json:"status_reason"`
	AttributedTo *struct {
		GID   string  `json:"gid"`
		Name  *string `json:"name"`
		Email *string `json:"email"`
	} `json:"attributed_to"`
	ScopeRequested  *string  `json:"scope_requested"`
	ScopeGranted    *string  `json:"scope_granted"`
	ReaderOf        []string `json:"reader_of"`
	CreatedAt       *string  `json:"created_at"`
	UpdatedAt       *string  `json:"updated_at"`
	LastRefreshedAt *string  `json:"last_refreshed_at"`
	BrokenAt        *string  `json:"broken_at"`
	ExpiresAt       *string  `json:"expires_at"`
}

// user is whom it acts as.
func (c connection) user() string {
	if c.AttributedTo == nil {
		return ""
	}
	return c.AttributedTo.GID
}

// object is a JSON object of texts, by the names and values that follow each
// other; what begins with a brace, a bracket or is true is taken as it is.
func object(pairs ...string) string {
	var members []string
	for i := 0; i < len(pairs); i += 2 {
		value := pairs[i+1]
		if value != "true" && !strings.HasPrefix(value, "[") {
			text, _ := json.Marshal(value)
			value = string(text)
		}
		members = append(members, fmt.Sprintf("%q:%s", pairs[i], value))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// longLived makes a personal access token, or a service account's, at offline Asana.
func (s *backend) longLived(person string) string {
	s.t.Helper()
	a := s.ask("POST", s.p.asanaURL+"/_offline/tokens", object("person", person), "Content-Type: application/json")
	var body struct{ Token string }
	if json.Unmarshal([]byte(a.body), &body); body.Token == "" {
		s.t.Fatalf("no token: %d %s", a.status, a.body)
	}
	return body.Token
}

// imports brings a new long-lived token of a person in.
func (s *backend) imports(owner, person string) connection {
	s.t.Helper()
	kind := "personal_access_token"
	if person == asanatest.ServiceAccount {
		kind = "service_account"
	}
	var c connection
	s.get(http.StatusCreated, &c, "POST", "/connections", object("token", s.longLived(person), "owner", owner, "kind", kind))
	return c
}

// list is all that an owner, or an Asana user, has.
func (s *backend) list(query string) []connection {
	s.t.Helper()
	var page struct {
		Data       []connection
		NextCursor *string `json:"next_cursor"`
	}
	s.get(http.StatusOK, &page, "GET", "/connections?"+query, "")
	if page.NextCursor != nil {
		s.t.Errorf("a list of %d has another page", len(page.Data))
	}
	return page.Data
}

// link makes a link.
func (s *backend) link(pairs ...string) string {
	s.t.Helper()
	var made struct{ URL string }
	s.get(http.StatusCreated, &made, "POST", "/links", object(pairs...))
	return made.URL
}

// connects goes all the way from a link to a connection, with a new browser.
func (s *backend) connects(owner, person string) connection {
	s.t.Helper()
	code := newBrowser(s.t).follow(s.p, s.link("owner", owner), person).Get("connect_code")
	var c connection
	s.get(http.StatusCreated, &c, "POST", "/connections", object("connect_code", code, "owner", owner))
	return c
}

// follow opens a link, allows at Asana as that person, and returns what came to
// the return URL.
func (b *browser) follow(p *process, link, person string) url.Values {
	b.t.Helper()
	back := b.consent(p, link, person)
	done := b.ask("GET", back.String(), "")
	if done.status != http.StatusSeeOther || !strings.HasSuffix(done.location(), "#") {
		b.t.Fatalf("the callback answered %d to %q", done.status, done.location())
	}
	return mustParse(b.t, done.location()).Query()
}

// consent opens an address that leads to Asana and allows there, and returns
// where Asana sends the browser.
func (b *browser) consent(p *process, from, person string) *url.URL {
	b.t.Helper()
	toAsana := b.ask("GET", from, "")
	if toAsana.status != http.StatusSeeOther {
		b.t.Fatalf("no trip begins: %d %s", toAsana.status, toAsana.body)
	}
	form := mustParse(b.t, toAsana.location()).Query()
	form.Set("person", person)
	form.Set("decision", "allow")
	a := b.ask("POST", p.asanaURL+"/-/oauth_authorize", form.Encode(), "Content-Type: application/x-www-form-urlencoded")
	return mustParse(b.t, a.location())
}
