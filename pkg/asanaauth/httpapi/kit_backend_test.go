package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

const arn = "arn:aws:iam::111122223333:role/backend"

type callerKey struct{}

// callerOf takes the place of API Gateway's IAM authorizer. It returns the caller that
// the test set in the request's context.
func callerOf(r *http.Request) (string, bool) {
	caller, _ := r.Context().Value(callerKey{}).(string)
	return caller, caller != ""
}

// call returns a request from the app's backend, with an authenticated caller.
func call(method, target, body string, header ...string) request {
	h := headers(header)
	if body != "" && h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	return request{method: method, target: target, header: h, body: body, caller: arn}
}

// object returns the text of a JSON object. pairs contains the name and the value of each
// member.
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

// link creates a link and returns the path and query of its URL. pairs contains the name
// and the value of each JSON member of the request.
func (s *site) link(pairs ...any) string {
	s.t.Helper()
	made := s.do(call("POST", "/links", object(pairs...))).want(201).json()
	return strings.TrimPrefix(made["url"].(string), s.o.publicURL)
}

// follow opens a link, allows access on the consent screen as person, and returns the
// query of the redirect to the app.
func (b *browser) follow(link, person string) url.Values {
	b.t.Helper()
	to := b.do(get(b.allow(b.do(get(link)).location(), person))).location()
	u, err := url.Parse(to)
	must(b.t, err)
	return u.Query()
}

func (s *site) connectCode(person string, pairs ...any) string {
	s.t.Helper()
	code := s.browser().follow(s.link(pairs...), person).Get("connect_code")
	if code == "" {
		s.t.Fatal("the return URL has no connect_code")
	}
	return code
}

func (s *site) connectByLink(owner, person string) map[string]any {
	s.t.Helper()
	code := s.connectCode(person, "owner", owner)
	return s.do(call("POST", "/connections", object("connect_code", code, "owner", owner))).want(201).json()
}

// longLived returns a new token for the bot or service account with this gid, and the
// kind of the token.
func (s *site) longLived(gid string) (token, kind string) {
	if gid == asanatest.ServiceAccount {
		return s.asana.ServiceAccountToken(gid), "service_account"
	}
	return s.asana.PersonalAccessToken(gid), "personal_access_token"
}

func (s *site) importToken(owner, gid string) map[string]any {
	s.t.Helper()
	token, kind := s.longLived(gid)
	return s.do(call("POST", "/connections", object("token", token, "owner", owner, "kind", kind))).want(201).json()
}

func (b *browser) sessionCode() string {
	b.t.Helper()
	return b.do(frontendCall("POST", "/session/code", "{}")).want(201).json()["session_code"].(string)
}

// grant signs a person in and returns the refresh token from Asana.
func (s *site) grant(person string) string {
	s.t.Helper()
	s.browser().signIn(person)
	return s.lastTokens("refresh_token")
}

// lastTokens returns the last value that Asana sent for a JSON member such as
// "refresh_token".
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

func at(c map[string]any, below ...string) string {
	return "/connections/" + c["id"].(string) + strings.Join(below, "")
}
