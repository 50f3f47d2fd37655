package httpapi_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// auditCase is a test case with a request that ends, releases or changes something.
type auditCase struct {
	operation string // as in docs/openapi.yaml
	name      string
	do        func(s *site) (caller string, last response) // sends the request last
	lines     []string                                     // the audit lines of the last request, without their caller
}

// byBackend returns a case in which the backend sends the request that prepare returns.
func byBackend(operation, name string, prepare func(s *site) request, lines ...string) auditCase {
	return auditCase{operation, name, func(s *site) (string, response) {
		r := prepare(s)
		return arn, s.do(r)
	}, lines}
}

// bySession returns a case in which a frontend sends the request that prepare returns.
// prepare may use the browser b, which is signed in.
func bySession(operation, name string, prepare func(b *browser) request, lines ...string) auditCase {
	return auditCase{operation, name, func(s *site) (string, response) {
		b := s.browser().signIn(asanatest.Member)
		caller := session.CallerOf(secret.New(b.jar[sessionCookie]))
		return caller, b.do(prepare(b))
	}, lines}
}

// bySignIn returns a case in which a browser begins a session.
func bySignIn(operation, name string, prepare func(s *site) (*browser, request), lines ...string) auditCase {
	return auditCase{operation, name, func(s *site) (string, response) {
		b, r := prepare(s)
		a := b.do(r).want(http.StatusSeeOther)
		return session.CallerOf(secret.New(b.jar[sessionCookie])), a
	}, lines}
}

func asanaDown(s *site) {
	must(s.t, s.asana.SetSwitches(func(s *asanatest.Switches) { s.Down = true }))
}

func auditCases() []auditCase {
	callback := func(b *browser) request { return get(b.allow(b.begin(""), asanatest.Member)) }
	down := func(r func(b *browser) request) func(*browser) request {
		return func(b *browser) request { asanaDown(b.site); return r(b) }
	}
	disconnect := func(*browser) request { return frontendCall("POST", "/disconnect", "") }
	refresh := func(*browser) request { return frontendCall("POST", "/refresh", "") }
	expired := func(b *browser) request { time.Sleep(time.Hour); return refresh(b) }
	reader := func(owner string, workspaces ...string) func(s *site) request {
		return func(s *site) request {
			return call("PATCH", at(s.importToken(owner, asanatest.ServiceAccount)), object("reader_of", append([]string{}, workspaces...)))
		}
	}
	return []auditCase{
		bySignIn("GET /callback", "a sign-in", func(s *site) (*browser, request) { b := s.browser(); return b, callback(b) }, "connected"),
		bySignIn("GET /callback", "a sign-in of a browser with a session", func(s *site) (*browser, request) {
			b := s.browser().signIn(asanatest.Guest)
			return b, callback(b)
		}, "connected", "signed_out"),
		bySignIn("GET /callback", "a sign-in while the connection is revoking", func(s *site) (*browser, request) {
			b := s.browser().signIn(asanatest.Member)
			asanaDown(s)
			b.do(disconnect(b)).want(202)
			must(s.t, s.asana.SetSwitches(func(s *asanatest.Switches) { s.Down = false }))
			return b, callback(b)
		}, "connected revocation_dropped"),
		bySignIn("GET /callback", "a sign-in while the connection is broken", func(s *site) (*browser, request) {
			b := s.browser().signIn(asanatest.Member)
			must(s.t, s.asana.RevokeGrants(asanatest.Member))
			b.do(expired(b)).want(409)
			b.do(frontendCall("DELETE", "/session", "")).want(204)
			return b, callback(b)
		}, "connected recovered"),
		bySignIn("POST /callback", "a sign-in", func(s *site) (*browser, request) {
			b := s.browser()
			_, query, _ := strings.Cut(b.allow(b.begin(""), asanatest.Member), "?")
			return b, post(query)
		}, "connected"),

		bySession("DELETE /session", "sign out", func(*browser) request { return frontendCall("DELETE", "/session", "") }, "signed_out"),
		bySession("DELETE /session", "sign out everywhere", func(*browser) request {
			return frontendCall("DELETE", "/session", `{"everywhere":true}`)
		}, "sessions_ended"),
		bySession("DELETE /session", "sign out twice", func(b *browser) request {
			r := frontendCall("DELETE", "/session", "")
			b.do(r)
			return r
		}),
		bySession("POST /refresh", "a token", refresh, "token_released"),
		bySession("POST /refresh", "a new token", expired, "refreshed", "token_released"),
		bySession("POST /refresh", "a token that Asana revoked", func(b *browser) request {
			must(b.t, b.asana.RevokeGrants(asanatest.Member))
			return expired(b)
		}, "reconnect_required"),
		bySession("POST /disconnect", "an end", disconnect, "disconnected", "revoked"),
		bySession("POST /disconnect", "an end while Asana is down", down(disconnect), "revoking"),
		bySession("POST /disconnect", "an end that revokes nothing", func(b *browser) request {
			b.connectByLink("acme", asanatest.Member)
			return disconnect(b)
		}, "disconnected"),

		byBackend("POST /links", "a link", func(*site) request { return call("POST", "/links", object("owner", "acme")) }, "link_created"),
		byBackend("POST /connections", "a connect code", func(s *site) request {
			code := s.connectCode(asanatest.Member, "owner", "acme")
			return call("POST", "/connections", object("connect_code", code, "owner", "acme"))
		}, "code_redeemed", "connected"),
		byBackend("POST /connections", "a connect code, repeated", func(s *site) request {
			code := s.connectCode(asanatest.Member, "owner", "acme")
			r := call("POST", "/connections", object("connect_code", code, "owner", "acme"))
			s.do(r).want(201)
			return r
		}),
		byBackend("POST /connections", "a connect code of another owner", func(s *site) request {
			code := s.connectCode(asanatest.Member, "owner", "acme")
			return call("POST", "/connections", object("connect_code", code, "owner", "evil"))
		}, "denied"),
		byBackend("POST /connections", "a session code", func(s *site) request {
			return call("POST", "/connections", object("session_code", s.browser().signIn(asanatest.Member).sessionCode()))
		}, "session_redeemed"),
		byBackend("POST /connections", "a long-lived token", func(s *site) request {
			token, kind := s.longLived(asanatest.Bot)
			return call("POST", "/connections", object("token", token, "kind", kind, "owner", "acme"))
		}, "imported"),
		byBackend("POST /connections", "a grant", func(s *site) request {
			return call("POST", "/connections", object("refresh_token", s.grant(asanatest.Guest), "owner", "acme"))
		}, "imported"),
		byBackend("DELETE /connections", "the connections of an owner", func(s *site) request {
			s.connectByLink("acme", asanatest.Member)
			s.importToken("acme", asanatest.Bot)
			return call("DELETE", "/connections?owner=acme", "")
		}, "disconnected", "disconnected", "revoked"),
		byBackend("DELETE /connections", "the connections of an Asana user while Asana is down", func(s *site) request {
			s.connectByLink("acme", asanatest.Member)
			s.connectByLink("globex", asanatest.Member)
			asanaDown(s)
			return call("DELETE", "/connections?asana_user="+asanatest.Member, "")
		}, "disconnected", "revoking"),
		byBackend("PATCH /connections/{id}", "the first reader", reader("acme", asanatest.Acme), "reader_named"),
		byBackend("PATCH /connections/{id}", "no reader", func(s *site) request {
			s.do(reader("acme", asanatest.Acme)(s)).want(200)
			return reader("acme")(s)
		}, "reader_removed"),
		byBackend("PATCH /connections/{id}", "the same reader", func(s *site) request {
			s.do(reader("acme", asanatest.Acme)(s)).want(200)
			return reader("acme", asanatest.Acme)(s)
		}),
		byBackend("DELETE /connections/{id}", "a long-lived token", func(s *site) request {
			return call("DELETE", at(s.importToken("acme", asanatest.Bot)), "")
		}, "disconnected"),
		byBackend("DELETE /connections/{id}", "a grant", func(s *site) request {
			return call("DELETE", at(s.connectByLink("acme", asanatest.Member)), "")
		}, "disconnected", "revoked"),
		byBackend("DELETE /connections/{id}", "a grant while Asana is down, repeated", func(s *site) request {
			r := call("DELETE", at(s.connectByLink("acme", asanatest.Member)), "")
			asanaDown(s)
			s.do(r).want(202)
			return r
		}, "revoking"),
		byBackend("DELETE /connections/{id}", "a disconnected connection", func(s *site) request {
			r := call("DELETE", at(s.importToken("acme", asanatest.Bot)), "")
			s.do(r).want(200)
			return r
		}),
		byBackend("DELETE /connections/{id}", "another owner's connection", func(s *site) request {
			return call("DELETE", at(s.importToken("acme", asanatest.Bot), "?owner=evil"), "")
		}, "denied"),
		byBackend("DELETE /connections/{id}/sessions", "all sessions", func(s *site) request {
			b := s.browser().signIn(asanatest.Member)
			id, _, _ := strings.Cut(b.jar[sessionCookie], ".")
			return call("DELETE", "/connections/"+id+"/sessions", "")
		}, "sessions_ended"),
		byBackend("POST /connections/{id}/token", "a long-lived token", func(s *site) request {
			return call("POST", at(s.importToken("acme", asanatest.Bot), "/token"), "")
		}, "token_released"),
	}
}

// harmless lists the operations that change nothing that an audit line must report.
var harmless = map[string]string{
	"POST /session/code": "the code does not give access until a backend redeems it",
}

// Each change has exactly one audit line, which names the caller. A change ends or releases
// something, or changes who may use it. A redeemed connect code and a new connection are
// two changes. An ended connection and a revoked grant are two changes, too.
func TestEachChangeHasItsAuditLines(t *testing.T) {
	t.Parallel()
	audited := map[string]bool{}
	for _, d := range auditCases() {
		audited[d.operation] = audited[d.operation] || len(d.lines) > 0
		t.Run(d.operation+" "+d.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t)
				caller, last := d.do(s)
				var got []string
				for _, line := range s.lines() {
					if line["audit"] == nil || line["request_id"] != last.header.Get("X-Request-Id") {
						continue
					}
					text := line["audit"].(string)
					for _, more := range []string{"recovered", "revocation_dropped"} {
						if line[more] != nil {
							text += " " + more
						}
					}
					got = append(got, text)
					if line["caller"] != caller {
						t.Errorf("%s: got caller %v, want %s", text, line["caller"], caller)
					}
					checkAuditLine(t, line)
				}
				slices.Sort(got)
				if diff := cmp.Diff(d.lines, got); diff != "" {
					t.Errorf("audit lines (-want +got):\n%s", diff)
				}
			})
		})
	}
	for operation := range readDocument(t).operations() {
		method, _, _ := strings.Cut(operation, " ")
		if method != "GET" && method != "HEAD" && !audited[operation] && harmless[operation] == "" {
			t.Errorf("no case in httpapi/audit_test.go has an audit line of %s", operation)
		}
	}
}

var (
	isHash         = regexp.MustCompile(`^[0-9a-f]{64}$`)
	isConnectionID = regexp.MustCompile(`^con_[a-z2-7]{32}$`)
)

func checkAuditLine(t *testing.T, line map[string]any) {
	t.Helper()
	owner, _ := line["owner_hash"].(string)
	connection, hasConnection := line["connection"].(string)
	if !isHash.MatchString(owner) || hasConnection && !isConnectionID.MatchString(connection) {
		t.Errorf("got %v, want a hash and an id", line)
	}
	if !hasConnection && line["audit"] != "link_created" && line["audit"] != "denied" {
		t.Errorf("got %v, want a connection", line)
	}
}

// A connection that loses a workspace to another reader has a line of its own.
func TestAReaderThatLosesAWorkspaceHasAnAuditLine(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		first, next := s.importToken("acme", asanatest.ServiceAccount), s.importToken("globex", asanatest.ServiceAccount)
		s.do(call("PATCH", at(first), object("reader_of", []string{asanatest.Acme}))).want(200)
		id := s.do(call("PATCH", at(next), object("reader_of", []string{asanatest.Acme}, "replace", true))).want(200).header.Get("X-Request-Id")
		got := map[string]any{}
		for _, line := range s.lines() {
			if line["audit"] != nil && line["request_id"] == id {
				got[line["audit"].(string)] = line["connection"]
				if diff := cmp.Diff([]any{asanatest.Acme}, line["workspaces"]); diff != "" || line["caller"] != arn {
					t.Errorf("line %v (-want +got):\n%s", line, diff)
				}
			}
		}
		if diff := cmp.Diff(map[string]any{"reader_named": next["id"], "reader_removed": first["id"]}, got); diff != "" {
			t.Errorf("audit lines (-want +got):\n%s", diff)
		}
	})
}

// The line of a request contains its method. On backend routes, it also contains the
// caller. If the origin was refused, the line contains the origin: at most 128 bytes,
// with escaped control characters.
func TestTheLineOfARequest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, c := range map[string]struct {
		r    request
		want map[string]any
	}{
		"a backend":           {call("GET", "/connections?owner=a", ""), map[string]any{"method": "GET", "caller": arn}},
		"a wrong method":      {call("PUT", "/links", ""), map[string]any{"method": "PUT", "caller": arn}},
		"no authentication":   {request{method: "DELETE", target: "/connections"}, map[string]any{"method": "DELETE"}},
		"an invented method":  {request{method: "SECRET", target: "/refresh"}, map[string]any{"method": "other"}},
		"an allowed origin":   {get("/session", "Origin", appOrigin), map[string]any{"method": "GET"}},
		"a refused origin":    {get("/session", "Origin", "https://evil.example"), map[string]any{"method": "GET", "origin": "https://evil.example"}},
		"a refused preflight": {request{method: "OPTIONS", target: "/refresh", header: headers([]string{"Origin", "null", "Access-Control-Request-Method", "POST"})}, map[string]any{"method": "OPTIONS", "origin": "null"}},
		"no origin":           {get("/session"), map[string]any{"method": "GET"}},
		"a long origin":       {get("/session", "Origin", strings.Repeat("a", 200)), map[string]any{"method": "GET", "origin": strings.Repeat("a", 128)}},
		"control characters":  {get("/session", "Origin", "a\x1b[31m\u0085\"é\r\n"), map[string]any{"method": "GET", "origin": `a\x1b[31m\u0085\"\u00e9\r\n`}},
	} {
		s.do(c.r)
		line := s.lastLine()
		got := map[string]any{}
		for _, attribute := range []string{"method", "caller", "origin"} {
			if line[attribute] != nil {
				got[attribute] = line[attribute]
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
