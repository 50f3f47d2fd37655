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

// backend sends requests as an app's backend does.
type backend struct {
	*browser      // sends the requests, without cookies
	p             *process
	authorization string // Authorization header; empty if secret is used
	key, secret   string // access key ID and secret access key with which requests are signed
}

// newBackend returns a backend that sends the given Authorization header.
func newBackend(p *process, authorization string) *backend {
	return &backend{browser: newBrowser(p.t), p: p, authorization: authorization}
}

// newSigningBackend returns a backend that signs its requests with SigV4.
func newSigningBackend(p *process, key, secret string) *backend {
	return &backend{browser: newBrowser(p.t), p: p, key: key, secret: secret}
}

func bearer(key string) string { return "Bearer " + key }

// withEachHeader runs test with a Bearer header and with SigV4, each with a new process.
func withEachHeader(t *testing.T, test func(*testing.T, *backend), args ...string) {
	for name, how := range map[string]func(*process) *backend{
		"Bearer": func(p *process) *backend { return newBackend(p, bearer(p.backendKey())) },
		"SigV4":  func(p *process) *backend { return newSigningBackend(p, p.backendKey(), p.value("backend-secret")) },
	} {
		t.Run(name, func(t *testing.T) { test(t, how(start(t, t.TempDir(), nil, args...))) })
	}
}

func (p *process) backendKey() string {
	p.t.Helper()
	return p.value("backend-key")
}

// value returns a value that the process printed when it started.
func (p *process) value(name string) string {
	p.t.Helper()
	for _, line := range p.printed {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return value
		}
	}
	p.t.Fatalf("printed %q, want a line that begins with %s", p.printed, name)
	return ""
}

func (s *backend) call(method, path, body string) response {
	s.t.Helper()
	headers := []string{"Authorization: " + s.authorization}
	if s.secret != "" {
		headers = s.signer().headers(s.t, method, s.p.publicURL+path, body)
	}
	if body != "" {
		headers = append(headers, "Content-Type: application/json")
	}
	return s.mustSend(method, s.p.publicURL+path, body, headers...)
}

// get checks the status of the response, and decodes the JSON body into out.
func (s *backend) get(status int, out any, method, path, body string) {
	s.t.Helper()
	a := s.call(method, path, body)
	if a.status != status {
		s.t.Fatalf("%s %s: got %d %s, want %d", method, path, a.status, a.body, status)
	}
	if err := json.Unmarshal([]byte(a.body), out); err != nil {
		s.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
	}
}

func (s *backend) wantProblem(status int, problem, method, path, body string) response {
	s.t.Helper()
	a := s.call(method, path, body)
	if a.status != status || a.problem() != problem {
		s.t.Errorf("%s %s %s: got %d %s, want %d %s", method, path, body, a.status, a.body, status, problem)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		s.t.Errorf("%s %s: got Content-Type %q, want application/problem+json", method, path, got)
	}
	return a
}

// connection is the schema Connection in docs/openapi.yaml.
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

func (c connection) user() string {
	if c.AttributedTo == nil {
		return ""
	}
	return c.AttributedTo.GID
}

// object returns a JSON object. The arguments in pairs are alternately the name and the
// value of a member. The value "true" becomes the JSON value true, and a value that
// begins with [ becomes a JSON array. All other values become JSON strings.
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

// longLived returns a new service account token if person is a service account, and
// otherwise a new personal access token.
func (s *backend) longLived(person string) string {
	s.t.Helper()
	a := s.mustSend("POST", s.p.asanaURL+"/_offline/tokens", object("person", person), "Content-Type: application/json")
	var body struct{ Token string }
	if json.Unmarshal([]byte(a.body), &body); body.Token == "" {
		s.t.Fatalf("got %d %s, want a token", a.status, a.body)
	}
	return body.Token
}

func (s *backend) importToken(owner, person string) connection {
	s.t.Helper()
	kind := "personal_access_token"
	if person == asanatest.ServiceAccount {
		kind = "service_account"
	}
	var c connection
	s.get(http.StatusCreated, &c, "POST", "/connections", object("token", s.longLived(person), "owner", owner, "kind", kind))
	return c
}

func (s *backend) list(query string) []connection {
	s.t.Helper()
	var page struct {
		Data       []connection
		NextCursor *string `json:"next_cursor"`
	}
	s.get(http.StatusOK, &page, "GET", "/connections?"+query, "")
	if page.NextCursor != nil {
		s.t.Errorf("got a list of %d with a next page, want one page", len(page.Data))
	}
	return page.Data
}

func (s *backend) link(pairs ...string) string {
	s.t.Helper()
	var made struct{ URL string }
	s.get(http.StatusCreated, &made, "POST", "/links", object(pairs...))
	return made.URL
}

func (s *backend) connect(owner, person string) connection {
	s.t.Helper()
	code := newBrowser(s.t).followLink(s.p, s.link("owner", owner), person).Get("connect_code")
	var c connection
	s.get(http.StatusCreated, &c, "POST", "/connections", object("connect_code", code, "owner", owner))
	return c
}

// followLink opens link, allows access on Asana's consent page as person, and returns the
// query of the return URL.
func (b *browser) followLink(p *process, link, person string) url.Values {
	b.t.Helper()
	back := b.allowAccess(p, link, person)
	done := b.mustSend("GET", back.String(), "")
	if done.status != http.StatusSeeOther || !strings.HasSuffix(done.location(), "#") {
		b.t.Fatalf("callback: got %d to %q, want 303", done.status, done.location())
	}
	return mustParse(b.t, done.location()).Query()
}

// allowAccess opens address, allows access on Asana's consent page, and returns the URL
// to which Asana redirects the browser.
func (b *browser) allowAccess(p *process, address, person string) *url.URL {
	b.t.Helper()
	toAsana := b.mustSend("GET", address, "")
	if toAsana.status != http.StatusSeeOther {
		b.t.Fatalf("authorize: got %d %s, want 303", toAsana.status, toAsana.body)
	}
	form := mustParse(b.t, toAsana.location()).Query()
	form.Set("person", person)
	form.Set("decision", "allow")
	a := b.mustSend("POST", p.asanaURL+"/-/oauth_authorize", form.Encode(), "Content-Type: application/x-www-form-urlencoded")
	return mustParse(b.t, a.location())
}
