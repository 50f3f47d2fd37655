package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func frontendRoutes() map[string][]string {
	return map[string][]string{
		"/session": {"GET", "DELETE"}, "/session/code": {"POST"}, "/refresh": {"POST"}, "/membership": {"GET"}, "/disconnect": {"POST"},
	}
}

// checkCORS checks the CORS headers of a response. origin is the origin of the request,
// or "" if that origin is not allowed.
func checkCORS(t *testing.T, name string, a response, origin string) {
	t.Helper()
	want := map[string]string{
		"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true",
		"Access-Control-Expose-Headers": "Retry-After, X-Request-Id",
	}
	for header, value := range want {
		if origin == "" {
			value = ""
		}
		got := strings.Join(a.header[header], "|")
		if got != value {
			t.Errorf("%s: got %s %q, want %q", name, header, got, value)
		}
	}
	if got := a.header["Vary"]; !slices.Equal(got, []string{"Origin"}) {
		t.Errorf("%s: got Vary %q, want Origin", name, got)
	}
}

// Only backend routes reject unknown query parameters. On all other routes, even
// malformed ones are ignored.
func TestUnknownQueryParameters(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		b := s.browser()
		for _, other := range []string{"utm=1&utm=2", "x=%zz", "%zz", "a;b", "%ff=%00", "WORKSPACE=1"} {
			to := b.do(get(b.allow(b.begin(""), asanatest.Member) + "&" + other)).location()
			if to != home+"?asana=connected#" {
				t.Errorf("/callback with %s: got redirect to %s, want a successful sign-in", other, to)
			}
			b.do(get("/session?"+other, "Origin", appOrigin)).want(200)
			b.do(get("/membership?"+other, "Origin", appOrigin)).want(200)
			b.do(get("/membership?"+other+"&workspace="+asanatest.Acme+"&"+other, "Origin", appOrigin)).want(200)
			b.do(frontendCall("POST", "/refresh?"+other, "")).want(200)
			b.do(frontendCall("POST", "/session/code?"+other, "")).want(201)
			s.do(call("GET", "/connections?owner=a&"+other, "")).problem(400, "invalid-request")
			s.do(call("POST", "/links?"+other, `{"owner":"a"}`)).problem(400, "invalid-request")
		}
		b.do(get("/membership?workspace=%zz", "Origin", appOrigin)).problem(400, "invalid-request")
		b.do(get("/membership?workspace=1&workspace=1", "Origin", appOrigin)).problem(400, "invalid-request")
	})
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for path, methods := range frontendRoutes() {
		for _, method := range append(methods, "PUT") {
			for origin, allowed := range map[string]bool{
				appOrigin: true, "": false, "null": false, "https://evil.example": false, publicURL: false,
				"http://app.example.com": false, "https://app.example.com:8443": false, "https://app.example.com.evil.example": false,
				"https://sub.app.example.com": false, appOrigin + ",https://evil.example": false, "HTTPS://APP.EXAMPLE.COM": false,
			} {
				r := frontendCall(method, path, "")
				r.header.Set("Origin", origin)
				if origin == "" {
					r.header.Del("Origin")
				}
				name := method + " " + path + " from " + origin
				a := s.do(r)
				cors := ""
				if allowed {
					cors = appOrigin
				}
				checkCORS(t, name, a, cors)
				switch {
				case method == "PUT":
					a.problem(405, "method-not-allowed")
					if got := a.header.Get("Allow"); got != strings.Join(methods, ", ") {
						t.Errorf("%s: got Allow %q", name, got)
					}
				case !allowed:
					a.problem(403, "forbidden-origin")
				default:
					a.withoutSession(path)
				}
			}
		}
	}
	if n := len(s.table.Calls()); n != 0 {
		t.Errorf("got %d calls of the table, want 0", n)
	}
}

func TestTwoOrigins(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := get("/session")
	r.header["Origin"] = []string{appOrigin, "https://evil.example"}
	s.do(r).problem(403, "forbidden-origin")
}

func TestSameOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.do(get("/session", "Sec-Fetch-Site", "same-origin")).withoutSession("/session")
	for _, site := range []string{"same-site", "cross-site", "none"} {
		s.do(get("/session", "Sec-Fetch-Site", site)).problem(403, "forbidden-origin")
	}
	// "Sec-Fetch-Site: same-origin" must not allow a request with a forbidden Origin
	// header, or a POST request without an Origin header.
	s.do(get("/session", "Sec-Fetch-Site", "same-origin", "Origin", "https://evil.example")).problem(403, "forbidden-origin")
	r := frontendCall("POST", "/refresh", "", "Sec-Fetch-Site", "same-origin")
	r.header.Del("Origin")
	s.do(r).problem(403, "forbidden-origin")
}

// pageHeaders are the request headers that a preflight may ask for, as browsers write
// them.
var pageHeaders = []string{
	"content-type", "traceparent", "tracestate", "baggage", "sentry-trace", "x-requested-with", "x-datadog-origin", "x-datadog-parent-id",
	"x-datadog-sampling-priority", "x-datadog-trace-id", "newrelic", "x-amzn-trace-id", "cache-control", "pragma",
}

// TestPageHeadersAreIgnored checks that the headers of tracing and HTTP libraries change
// no response.
func TestPageHeadersAreIgnored(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for path, methods := range frontendRoutes() {
		for _, method := range methods {
			want := s.do(frontendCall(method, path, ""))
			r := frontendCall(method, path, "")
			for _, name := range pageHeaders[1:] {
				r.header.Set(name, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			}
			got := s.do(r)
			if id := got.header.Get("X-Request-Id"); got.status != want.status || strings.Contains(id, "0af7651916cd43dd8448eb211c80319c") {
				t.Errorf("%s %s: got status %d and request ID %s, want status %d", method, path, got.status, id, want.status)
			}
			checkCORS(t, method+" "+path, got, appOrigin)
		}
	}
	if strings.Contains(s.log.String(), "0af7651916cd43dd8448eb211c80319c") {
		t.Error("the log has a tracing header")
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	preflight := func(path, method, origin, header string) response {
		r := request{method: "OPTIONS", target: path, header: headers([]string{"Origin", origin, "Access-Control-Request-Method", method})}
		if header != "" {
			r.header.Set("Access-Control-Request-Headers", header)
		}
		return s.do(r)
	}
	for path, methods := range frontendRoutes() {
		for _, method := range methods {
			name := "preflight of " + method + " " + path
			a := preflight(path, method, appOrigin, "content-type").want(204)
			checkCORS(t, name, a, appOrigin)
			if got := a.header.Get("Access-Control-Allow-Methods"); !strings.Contains(got, method) || a.body != "" {
				t.Errorf("%s: got methods %q and body %q", name, got, a.body)
			}
			if got := a.header.Get("Access-Control-Allow-Headers"); !strings.EqualFold(got, "content-type") {
				t.Errorf("%s: got headers %q", name, got)
			}
			for _, header := range pageHeaders {
				a := preflight(path, method, appOrigin, header).want(204)
				checkCORS(t, name+" with "+header, a, appOrigin)
				if got := a.header.Get("Access-Control-Allow-Headers"); got != header {
					t.Errorf("%s with %s: got headers %q", name, header, got)
				}
			}
			all := strings.Join(slices.Sorted(slices.Values(pageHeaders)), ",")
			if got := preflight(path, method, appOrigin, all).want(204).header.Get("Access-Control-Allow-Headers"); got != all {
				t.Errorf("%s with all headers: got headers %q", name, got)
			}
			foreign := preflight(path, method, "https://evil.example", "content-type")
			foreign.problem(403, "forbidden-origin")
			checkCORS(t, name+" from another origin", foreign, "")
		}
		wrong := preflight(path, "PUT", appOrigin, "")
		wrong.problem(405, "method-not-allowed")
		checkCORS(t, "preflight of PUT", wrong, appOrigin)
		for _, name := range []string{
			"authorization", "x-api-key", "x-other", "*", "cookie", "traceparent2", "x-datadog", "range", "accept-language,authorization",
			"authorization,content-type", "content-type,x-other", "if-none-match", "x-http-method-override", "idempotency-key", "x-amz-date",
		} {
			header := preflight(path, methods[0], appOrigin, name)
			header.problem(400, "invalid-request")
			checkCORS(t, "preflight with "+name, header, appOrigin)
		}
		below := preflight(path+"/x", methods[0], appOrigin, "")
		below.problem(404, "not-found")
		checkCORS(t, "preflight below", below, appOrigin)
		plain := s.do(request{method: "OPTIONS", target: path, header: headers([]string{"Origin", appOrigin})})
		plain.problem(405, "method-not-allowed")
		checkCORS(t, "OPTIONS", plain, appOrigin)
		if got := plain.header.Get("Allow"); got != strings.Join(methods, ", ") {
			t.Errorf("OPTIONS %s: got Allow %q", path, got)
		}
	}
}

func TestNoCORSElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{"/authorize", "/callback", "/nothing", "/bad-event"} {
		a := s.do(get(path, "Origin", appOrigin))
		for name := range a.header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: got header %s", path, name)
			}
		}
	}
}

func TestLoopbackOrigins(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{"http://localhost:8484", "http://127.0.0.1:8484", "http://[::1]:3000"} {
		s := newSite(t, func(o *options) { o.publicURL, o.origins = "http://localhost:8484", []string{origin} })
		a := s.do(get("/session", "Origin", origin))
		a.withoutSession("/session")
		checkCORS(t, origin, a, origin)
	}
}

func TestMalformedOrigins(t *testing.T) {
	t.Parallel()
	for _, origins := range [][]string{nil, {"*"}, {"https://*.example.com"}, {"https://app.example.com/"}, {"http://app.example.com"}, {"null"}, {appOrigin, ""}} {
		if h, err := httpapi.NewSession(httpapi.Config{PublicURL: publicURL}, new(session.Sessions), origins); err == nil || h != nil {
			t.Errorf("%q: got no error", origins)
		}
	}
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		value := s.browser().signIn(asanatest.Member).jar[sessionCookie]
		id, _, _ := strings.Cut(value, ".")
		good := sessionCookie + "=" + value
		for name, cookies := range map[string][]string{
			"none": nil, "twice": {good, good}, "twice, once wrong": {good, sessionCookie + "=x"}, "twice, once empty": {sessionCookie + "=", good},
			"quoted": {sessionCookie + `="` + value + `"`}, "another name": {"asana_session=" + value}, "other case": {"__host-asana_session=" + value},
			"empty": {sessionCookie + "="}, "no value": {sessionCookie}, "garbage": {sessionCookie + "=garbage"}, "id alone": {sessionCookie + "=" + id},
			"id and dot": {sessionCookie + "=" + id + "."}, "guessed": {sessionCookie + "=" + id + ".AAAA"}, "longer": {good + "A"}, "attempt's": {"__Host-asana_attempt_0123456789abcdef=" + value},
		} {
			s.do(frontendCall("POST", "/refresh", ""), cookies...).problem(401, "unauthenticated")
			// A visitor gets 204. A cookie without a session is deleted.
			a := s.do(get("/session", "Origin", appOrigin), cookies...).want(204)
			var want []string
			if slices.ContainsFunc(cookies, func(c string) bool { return strings.HasPrefix(c, sessionCookie+"=") }) {
				want = []string{sessionCookie + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict"}
			}
			if diff := cmp.Diff(want, a.header["Set-Cookie"]); diff != "" || a.body != "" {
				t.Errorf("%s: body %q; cookies (-want +got):\n%s", name, a.body, diff)
			}
		}
		s.do(get("/session", "Origin", appOrigin), "other=1", good, "more=a=b").want(200)
		r := get("/session", "Origin", appOrigin)
		r.header["Cookie"] = []string{"a=b;" + good, "c=d"} // HTTP/2 may split the header
		s.do(r).want(200)
		r.header["Cookie"] = []string{good, good}
		s.do(r).want(204)
	})
}

func TestBadMembershipQueries(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser().signIn(asanatest.Member)
		for query, kind := range map[string]string{
			"?workspace=abc": "invalid-request", "?workspace=": "invalid-request", "?workspace=1&workspace=1": "invalid-request", "?workspace=%31&work%73pace=1": "invalid-request",
			"?workspace=1;x": "invalid-request", "?workspace=%": "invalid-request", "?workspace=1100000000000099": "not-found", "?workspace=" + asanatest.Globex: "not-found",
		} {
			status := map[string]int{"invalid-request": 400, "not-found": 404}[kind]
			b.do(get("/membership"+query, "Origin", appOrigin)).problem(status, kind)
		}
	})
}

// A frontend route must check the path, the method, the origin, the input and the
// session, in this order.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wrongAll := request{method: "PUT", target: "/refresh/x", body: "{", header: http.Header{}}
	s.do(wrongAll).problem(404, "not-found")
	wrongAll.target = "/refresh"
	s.do(wrongAll).problem(405, "method-not-allowed")
	wrongAll.method = "POST"
	s.do(wrongAll).problem(403, "forbidden-origin")
	wrongAll.header.Set("Origin", appOrigin)
	s.do(wrongAll).problem(415, "unsupported-media-type")
	wrongAll.header.Set("Content-Type", "application/json")
	s.do(wrongAll).problem(400, "invalid-request")
	wrongAll.body = "{}"
	s.do(wrongAll).problem(401, "unauthenticated")
}

// While the table is unavailable, no one knows whether the person is signed in. GET /session
// must neither say that no one is signed in nor delete the cookie.
func TestAnOutageIsNotASignOut(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		b := s.browser().signIn(asanatest.Member)
		s.fail("read")
		b.do(get("/session", "Origin", appOrigin)).problem(503, "try-again")
		s.table.Hook = nil
		b.do(get("/session", "Origin", appOrigin)).want(200)
	})
}
