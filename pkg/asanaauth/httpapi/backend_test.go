package httpapi_test

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A request without an authenticated caller must get 401, even if the path has no route
// or a header contains a caller's name.
func TestBackendNeedsIdentity(t *testing.T) {
	t.Parallel()
	none := map[string]func(*http.Request) (string, bool){
		"no authorizer": nil,
		"rejected":      func(*http.Request) (string, bool) { return arn, false },
		"empty name":    func(*http.Request) (string, bool) { return "", true },
	}
	for name, identity := range none {
		s := newSite(t, func(o *options) { o.identity = identity })
		for path := range httpapi.BackendRoutes() {
			for _, target := range []string{path, strings.ReplaceAll(path, "{id}", "con_x"), path + "/x", path + "?owner=%zz"} {
				for _, method := range []string{"GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "BREW"} {
					r := call(method, strings.ReplaceAll(target, "{id}", "x"), `{"nonsense`,
						"Content-Type", "text/plain", "Authorization", "Bearer "+arn, "X-Amzn-Iam-Arn", arn, "X-Forwarded-User", arn,
						"X-Amzn-Request-Context", `{"authorizer":{"iam":{"userArn":"`+arn+`"}}}`)
					a := s.do(r)
					if a.problem(401, "unauthenticated"); a.header.Get("Allow") != "" {
						t.Errorf("%s: %s %s: got Allow %q, want none", name, method, target, a.header.Get("Allow"))
					}
				}
			}
		}
		if n := len(s.table.Calls()); n != 0 {
			t.Errorf("%s: got %d calls of the table, want 0", name, n)
		}
	}
}

// TestSpoofedHeaders checks that headers do not change the identity of the caller.
func TestSpoofedHeaders(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		r := call("GET", "/connections?owner=a", "", "X-Amzn-Iam-Arn", "arn:other", "Authorization", "Bearer other")
		s.do(r).want(200)
		r.caller = ""
		s.do(r).problem(401, "unauthenticated")
		c := s.connectByLink("acme", asanatest.Member)
		s.do(call("POST", at(c, "/token"), "", "X-Amzn-Iam-Arn", "arn:other")).want(200)
		audit := s.lines()[len(s.lines())-2]
		if audit["audit"] != "token_released" || audit["caller"] != arn {
			t.Errorf("got audit line %v, want token_released by %s", audit, arn)
		}
	})
}

func TestBackendMethods(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for path, methods := range httpapi.BackendRoutes() {
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "BREW"} {
			if slices.Contains(methods, method) {
				continue
			}
			a := s.do(call(method, strings.ReplaceAll(path, "{id}", "con_x"), ""))
			allowed := strings.Split(a.want(405).header.Get("Allow"), ", ")
			slices.Sort(allowed)
			want := slices.Sorted(slices.Values(methods))
			if !slices.Equal(allowed, want) {
				t.Errorf("%s %s: got Allow %q, want %q", method, path, allowed, want)
			}
			if method != "HEAD" {
				a.problem(405, "method-not-allowed")
			}
		}
	}
	if n := len(s.table.Calls()); n != 0 {
		t.Errorf("got %d calls of the table, want 0", n)
	}
}

func TestNoSuchBackendRoute(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		id := s.importToken("acme", asanatest.Bot)["id"].(string)
		for _, target := range []string{
			"/links/", "/links/x", "/connections/", "/connections/" + id + "/", "/connections/" + id + "/other",
			"/connections/" + id + "/token/", "/connections/" + id + "/token/x", "/connections/" + id + "/Token", "/connections/" + strings.ToUpper(id),
			"/connections/con_", "/connections/con_x", "/connections/" + id + "a", "/connections/" + id[1:], "/connections/%00", "/connections/con_%ff",
			"/connections/" + id + "%2Fmembership", "/%63onnections?owner=acme", "/connections/%63" + id[1:],
			"/connections/" + id + "%20", "/connections/con_" + strings.Repeat("a", 5000),
		} {
			s.do(call("GET", target, "")).problem(404, "not-found")
		}
		s.do(call("POST", "/connections/con_x/token", "")).problem(404, "not-found")
		s.do(call("DELETE", "/connections/con_x", "")).problem(404, "not-found")
		s.do(call("PATCH", "/connections/con_x", `{"reader_of":[]}`)).problem(404, "not-found")
	})
}

// TestBackendIgnoresOrigin checks that the Origin header changes no response, and that no
// response has CORS headers.
func TestBackendIgnoresOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, origin := range []string{appOrigin, "https://evil.example", "null"} {
		for _, a := range []response{
			s.do(call("GET", "/connections?owner=a", "", "Origin", origin)).want(200),
			s.do(call("POST", "/links", `{"owner":"a"}`, "Origin", origin, "Sec-Fetch-Site", "cross-site")).want(201),
			s.do(call("POST", "/links", `{}`, "Origin", origin)).want(400),
			s.do(call("OPTIONS", "/connections", "", "Origin", origin, "Access-Control-Request-Method", "GET")).want(405),
			s.do(get("/connections?owner=a", "Origin", origin)).want(401),
		} {
			for name := range a.header {
				if strings.HasPrefix(name, "Access-Control-") || name == "Vary" || name == "Set-Cookie" {
					t.Errorf("origin %s: got header %s with body %s", origin, name, a.body)
				}
			}
		}
	}
}

// A backend route must check the identity, the path, the method and the input, in this
// order, before it reads the table.
func TestOrderOfBackendChecks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wrongAll := call("PUT", "/connections/con_x/token/x?owner=", "{", "Content-Type", "text/plain")
	wrongAll.caller = ""
	s.do(wrongAll).problem(401, "unauthenticated")
	wrongAll.caller = arn
	s.do(wrongAll).problem(404, "not-found")
	wrongAll.target = "/connections/con_x/token?owner="
	s.do(wrongAll).problem(405, "method-not-allowed")
	wrongAll.method = "POST"
	s.do(wrongAll).problem(400, "invalid-request")
	wrongAll.target = "/connections/con_x/token"
	s.do(wrongAll).problem(415, "unsupported-media-type")
	wrongAll.header.Set("Content-Type", "application/json")
	s.do(wrongAll).problem(400, "invalid-request")
	if n := len(s.table.Calls()); n != 0 {
		t.Errorf("got %d calls of the table, want 0", n)
	}
	wrongAll.body = "{}"
	s.do(wrongAll).problem(404, "not-found")
}

// TestLinesOfBackendRoutes checks that a log line contains the route's pattern, such as
// /connections/{id}, and not the path, because a path may contain a secret. If the
// connection exists, the line must also contain its ID.
func TestLinesOfBackendRoutes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		c := s.importToken("acme", asanatest.Bot)
		if line := s.lastLine(); line["route"] != "/connections" || line["connection"] != c["id"] {
			t.Errorf("import: got line %v", line)
		}
		s.do(call("GET", at(c, "/membership?workspace="+asanatest.Acme), "")).want(200)
		if line := s.lastLine(); line["route"] != "/connections/{id}/membership" || line["connection"] != c["id"] {
			t.Errorf("membership: got line %v", line)
		}
		s.do(call("GET", "/connections/marker-in-a-path", "")).want(404)
		s.do(call("GET", at(c, "/marker-in-a-path"), "")).want(404)
		if line := s.lastLine(); line["route"] != "none" || line["connection"] != nil {
			t.Errorf("path without a route: got line %v", line)
		}
		if strings.Contains(s.log.String(), "marker") {
			t.Error("the log has a path")
		}
	})
}

func TestNewBackendNeedsEveryField(t *testing.T) {
	t.Parallel()
	p := authtest.New(t).Process()
	whole := httpapi.Backend{
		Connections: p.Connections, Tokens: p.Tokens, Memberships: p.Memberships,
		Links: p.Links(p.Settings.Scopes), ConnectCodes: p.ConnectCodes, SessionCodes: p.SessionCodes,
	}
	if h, err := httpapi.NewBackend(httpapi.Config{}, whole); err != nil || h == nil {
		t.Fatalf("with every field: got error %v", err)
	}
	for i := range reflect.TypeFor[httpapi.Backend]().NumField() {
		parts := whole
		reflect.ValueOf(&parts).Elem().Field(i).SetZero()
		if h, err := httpapi.NewBackend(httpapi.Config{}, parts); err == nil || h != nil {
			t.Errorf("without %s: got no error", reflect.TypeOf(parts).Field(i).Name)
		}
	}
}
