package httpapi_test

import (
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestImports(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		for person, name := range map[string]string{asanatest.Bot: "Build Bot", asanatest.ServiceAccount: "Acme Reporting"} {
			c := s.importToken("acme", person)
			who := c["attributed_to"].(map[string]any)
			if c["status"] != "active" || c["owner"] != "acme" || who["gid"] != person || who["name"] != name || c["expires_at"] == nil || c["scope_requested"] != nil {
				t.Errorf("%s: got connection %v", name, c)
			}
			s.checkReaderOf(c)
		}
		refresh := s.grant(asanatest.Admin)
		c := s.do(call("POST", "/connections", object("refresh_token", refresh, "owner", "acme"))).want(201).json()
		if c["kind"] != "oauth" || c["last_refreshed_at"] == nil || c["expires_at"] == nil {
			t.Errorf("refresh token: got connection %v", c)
		}
		s.checkReaderOf(c)
		again := s.do(call("POST", "/connections", object("refresh_token", refresh, "owner", "acme"))).want(201).json()
		if again["id"] != c["id"] {
			t.Errorf("same refresh token again: got connection %v, want %v", again, c["id"])
		}
		other := s.grant(asanatest.Admin)
		s.do(call("POST", "/connections", object("refresh_token", other, "owner", "acme"))).problem(409, "already-connected")
		s.do(call("POST", "/connections", object("refresh_token", other, "owner", "acme", "replace", false))).problem(409, "already-connected")
		s.do(call("POST", "/connections", object("refresh_token", other, "owner", "acme", "replace", true))).want(201)
	})
}

// checkReaderOf checks that reader_of is an empty list and not null.
func (s *site) checkReaderOf(c map[string]any) {
	s.t.Helper()
	if list, ok := c["reader_of"].([]any); !ok || len(list) != 0 {
		s.t.Errorf("kind %v: got reader_of %v, want an empty list", c["kind"], c["reader_of"])
	}
}

func TestRejectedTokens(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		s.browser().signIn(asanatest.Member)
		access, refresh := s.lastTokens("access_token"), s.lastTokens("refresh_token")
		for name, c := range map[string]struct{ body, reason string }{
			"unknown":               {object("token", "2/1/1:nobody", "owner", "a", "kind", "personal_access_token"), "inactive"},
			"an access token":       {object("token", access, "owner", "a", "kind", "personal_access_token"), "oauth-token"},
			"access, other kind":    {object("token", access, "owner", "a", "kind", "service_account"), "oauth-token"},
			"a refresh token":       {object("token", refresh, "owner", "a", "kind", "personal_access_token"), "oauth-token"},
			"unknown refresh token": {object("refresh_token", "2/1/1:nobody", "owner", "a"), "inactive"},
		} {
			p := s.do(call("POST", "/connections", c.body)).problem(422, "token-rejected")
			if p["reason"] != c.reason {
				t.Errorf("%s: got reason %v, want %s", name, p["reason"], c.reason)
			}
		}
		token, kind := s.longLived(asanatest.Bot)
		s.asana.Inject(asanatest.Fault{Path: "/api/1.0/users/me", Status: 403, Body: `{}`, Times: 1})
		p := s.do(call("POST", "/connections", object("token", token, "owner", "a", "kind", kind))).problem(422, "token-rejected")
		if p["reason"] != "identity-refused" {
			t.Errorf("got reason %v, want identity-refused", p["reason"])
		}
		if list := s.do(call("GET", "/connections?owner=a", "")).want(200).json()["data"].([]any); len(list) != 0 {
			t.Errorf("got connections %v, want none", list)
		}
	})
}

func TestSessionCodes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		b := s.browser().signIn(asanatest.Several)
		code := b.sessionCode()
		c := s.do(call("POST", "/connections", object("session_code", code))).want(200).json()
		if c["owner"] != "asana:"+asanatest.Several || c["kind"] != "oauth" || !strings.HasPrefix(b.jar[sessionCookie], c["id"].(string)+".") {
			t.Errorf("got connection %v", c)
		}
		s.do(call("POST", "/connections", object("session_code", code))).problem(400, "link-expired")
		late := b.sessionCode()
		b.do(frontendCall("DELETE", "/session", "")).want(204)
		s.do(call("POST", "/connections", object("session_code", late))).problem(400, "link-expired")
		b.do(frontendCall("POST", "/session/code", "")).problem(401, "unauthenticated")
	})
}

// A body that POST /connections rejects must cause no request to Asana and no write.
func TestBadConnects(t *testing.T) {
	t.Parallel()
	const pat = "personal_access_token"
	for name, body := range map[string]string{
		"empty": "", "nothing": "{}", "owner alone": object("owner", "a"), "null": `{"token":null,"owner":"a","kind":"service_account"}`,
		"no owner": object("token", "t", "kind", pat), "no kind": object("token", "t", "owner", "a"), "kind of a consent": object("token", "t", "owner", "a", "kind", "oauth"),
		"unknown kind": object("token", "t", "owner", "a", "kind", "bot"), "owner of a sign-in": object("token", "t", "owner", "asana:1", "kind", pat),
		"grant, owner of a sign-in": object("refresh_token", "t", "owner", "asana:1"), "code, no owner": object("connect_code", "c"),
		"code, owner of a sign-in": object("connect_code", "c", "owner", "asana:1"), "empty code": object("connect_code", "", "owner", "a"),
		"empty session code": object("session_code", ""), "empty token": object("token", "", "owner", "a", "kind", pat), "empty grant": object("refresh_token", "", "owner", "a"),
		"empty person": object("connect_code", "c", "owner", "a", "person", ""), "person, control": object("connect_code", "c", "owner", "a", "person", "a\u0085"),
		"code and session code": object("connect_code", "c", "session_code", "s", "owner", "a"), "code and token": object("connect_code", "c", "token", "t", "owner", "a"),
		"token and grant": object("token", "t", "refresh_token", "t", "owner", "a", "kind", pat), "session code and owner": object("session_code", "s", "owner", "a"),
		"session code and person": object("session_code", "s", "person", "p"), "code and kind": object("connect_code", "c", "owner", "a", "kind", pat),
		"code and replace": object("connect_code", "c", "owner", "a", "replace", true), "token and person": object("token", "t", "owner", "a", "kind", pat, "person", "p"),
		"token and replace": object("token", "t", "owner", "a", "kind", pat, "replace", true), "grant and kind": object("refresh_token", "t", "owner", "a", "kind", pat),
		"grant and person": object("refresh_token", "t", "owner", "a", "person", "p"), "replace alone": object("replace", true, "owner", "a"),
		"replace, text": object("refresh_token", "t", "owner", "a", "replace", "true"), "replace, number": object("refresh_token", "t", "owner", "a", "replace", 1),
		"code, number": object("connect_code", 1, "owner", "a"), "owner, number": object("connect_code", "c", "owner", 1), "owner, list": object("connect_code", "c", "owner", []string{"a"}),
		"unknown": object("connect_code", "c", "owner", "a", "scopes", "default"), "twice": `{"owner":"a","owner":"a","connect_code":"c"}`,
		"twice, escaped": `{"owner":"a","\u006fwner":"b","connect_code":"c"}`, "other case": `{"Owner":"a","connect_code":"c"}`, "trailing": object("session_code", "s") + "x",
		"two objects": object("session_code", "s") + object("session_code", "s"), "list": "[" + object("session_code", "s") + "]",
		"half a rune": `{"connect_code":"c","owner":"a\ud800"}`, "other half": `{"connect_code":"c","owner":"\udc00a"}`, "halves turned round": `{"connect_code":"c","owner":"\udc00\ud800"}`,
		"invalid UTF-8": "{\"connect_code\":\"c\",\"owner\":\"\xff\"}", "token with a space": object("token", "a b", "owner", "a", "kind", pat),
		"token with a line": object("token", "a\nb", "owner", "a", "kind", pat), "token of letters beyond": object("token", "ä", "owner", "a", "kind", pat),
		"long token": object("token", strings.Repeat("a", 8193), "owner", "a", "kind", pat), "long grant": object("refresh_token", strings.Repeat("a", 8193), "owner", "a"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.do(call("POST", "/connections", body)).problem(400, "invalid-request")
			if n, m := s.table.Count("write"), len(s.asana.Requests()); n != 0 || m != 0 {
				t.Errorf("got %d writes and %d requests to Asana, want 0", n, m)
			}
		})
	}
}

func TestOwners(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		id := s.importToken("acme", asanatest.Bot)["id"].(string)
		for owner, ok := range map[string]bool{
			"a": true, strings.Repeat("a", 256): true, strings.Repeat("ä", 128): true, "\u200bé 🐘": true, "a\u2028b": true, "\ufffd": true, " ": true,
			"": false, strings.Repeat("a", 257): false, strings.Repeat("a", 300): false, strings.Repeat("ä", 129): false,
			"a\x00": false, "\n": false, "a\x7fb": false, "\u0080": false, "a\u0085": false, "\u009f": false,
		} {
			want := func(a response, good int) {
				t.Helper()
				if ok {
					a.want(good)
				} else {
					a.problem(400, "invalid-request")
				}
			}
			query := "?owner=" + queryEscape(owner)
			want(s.do(call("POST", "/links", object("owner", owner))), 201)
			want(s.do(call("POST", "/connections", object("connect_code", "c", "owner", owner))), 400)
			want(s.do(call("GET", "/connections"+query, "")), 200)
			want(s.do(call("DELETE", "/connections"+query, "")), 202)
			for _, below := range []string{"", "/capabilities", "/membership"} {
				want(s.do(call("GET", "/connections/"+id+below+query, "")), 404)
			}
			want(s.do(call("POST", "/connections/"+id+"/token"+query, "")), 404)
			want(s.do(call("PATCH", "/connections/"+id+query, `{"reader_of":[]}`)), 404)
			want(s.do(call("DELETE", "/connections/"+id+query, "")), 404)
		}
		for _, query := range []string{"?owner=%ff", "?owner=a&owner=a", "?owner=a&%6fwner=a", "?owner=a;b", "?owner=%"} {
			s.do(call("GET", "/connections"+query, "")).problem(400, "invalid-request")
			s.do(call("DELETE", "/connections"+query, "")).problem(400, "invalid-request")
			s.do(call("GET", "/connections/"+id+query, "")).problem(400, "invalid-request")
		}
		s.do(call("GET", "/connections/"+id+"?owner=acme", "")).want(200)
	})
}

func TestBackendBodies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, chunked := range []bool{false, true} {
		large := call("POST", "/links", `{"owner":"a"}`+strings.Repeat(" ", 64<<10))
		large.chunked = chunked
		s.do(large).problem(413, "payload-too-large")
	}
	for _, r := range []request{call("DELETE", "/connections?owner=a", `{"owner":"a"}`), call("DELETE", "/connections/con_x", `{"all":true}`)} {
		s.do(r).problem(400, "invalid-request")
	}
}
