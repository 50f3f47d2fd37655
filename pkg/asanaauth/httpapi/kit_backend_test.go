package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// arn is the identity of the app's backend in the tests.
const arn = "arn:aws:iam::111122223333:role/backend"

type callerKey struct{}

// callerOf simulates API Gateway's IAM authorizer. It returns the caller from the
// request's context and ignores headers.
func callerOf(r *http.Request) (string, bool) {
	caller, _ := r.Context().Value(callerKey{}).(string)
	return caller, caller != ""
}

// call returns a request from the app's backend.
func call(method, target, body string, header ...string) request {
	h := headers(header)
	if body != "" && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	return request{method: method, target: target, header: h, body: body, caller: arn}
}

// object returns a JSON object. pairs contains the name of each member, followed by its
// value.
func object(pairs ...any) string {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// link creates a link, and returns the path and query of its URL.
func (s *site) link(pairs ...any) string {
	s.t.Helper()
	made := s.do(call("POST", "/links", object(pairs...))).want(201).json()
	return strings.TrimPrefix(made["url"].(string), s.o.publicURL)
}

// follow opens a link, approves the consent screen as the given person, and returns the
// query of the redirect to the app.
func (b *browser) follow(link, person string) url.Values {
	b.t.Helper()
	to := b.do(get(b.allow(b.do(get(link)).location(), person))).location()
	u, err := url.Parse(to)
	must(b.t, err)
	return u.Query()
}

// connectCode creates a link, follows it with a new browser, and returns the connect
// code.
func (s *site) connectCode(person string, pairs ...any) string {
	s.t.Helper()
	code := s.browser().follow(s.link(pairs...), person).Get("connect_code")
	if code == "" {
		s.t.Fatal("the return URL has no connect_code")
	}
	return code
}

// connectByLink creates a connection with a link.
func (s *site) connectByLink(owner, person string) map[string]any {
	s.t.Helper()
	code := s.connectCode(person, "owner", owner)
	return s.do(call("POST", "/connections", object("connect_code", code, "owner", owner))).want(201).json()
}

// longLived returns a new token for a bot or a service account, and the kind of the
// token.
func (s *site) longLived(gid string) (token, kind string) {
	if gid == asanatest.ServiceAccount {
		return s.asana.ServiceAccountToken(gid), "service_account"
	}
	return s.asana.PersonalAccessToken(gid), "personal_access_token"
}

// importToken imports a new long-lived token, and returns the connection.
func (s *site) importToken(owner, gid string) map[string]any {
	s.t.Helper()
	token, kind := s.longLived(gid)
	return s.do(call("POST", "/connections", object("token", token, "owner", owner, "kind", kind))).want(201).json()
}

// sessionCode creates a session code for the browser's session.
func (b *browser) sessionCode() string {
	b.t.Helper()
	return b.do(frontendCall("POST", "/session/code", "{}")).want(201).json()["session_code"].(string)
}

// grant returns a new refresh token for a person.
func (s *site) grant(person string) string {
	s.t.Helper()
	s.browser().signIn(person)
	return s.lastTokens("refresh_token")
}

// lastTokens finds the last response from Asana that contains the given member, and
// returns the member's value.
func (s *site) lastTokens(member string) (found string) {
	for _, body := range s.wire.bodies {
		var m map[string]any
		if json.Unmarshal([]byte(body), &m) == nil {
			if value, ok := m[member].(string); ok {
				found = value
			}
		}
	}
	return found
}

// at returns the path of the connection c, followed by the strings in below.
func at(c map[string]any, below ...string) string {
	return "/connections/" + c["id"].(string) + strings.Join(below, "")
}
