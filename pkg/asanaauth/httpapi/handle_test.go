package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// everyResponse returns one response of each sort, such as a redirect, a page and a
// problem. The keys describe the responses.
func everyResponse(b *browser) map[string]response {
	back := b.allow(b.begin(""), asanatest.Member)
	preflight := headers([]string{"Origin", appOrigin, "Access-Control-Request-Method", "POST"})
	return map[string]response{
		"303 to Asana": b.do(get("/authorize")), "204": b.do(request{method: "HEAD", target: "/authorize"}), "a page": b.do(get("/callback")),
		"303 back": b.do(get(back)), "200": b.do(get("/session", "Origin", appOrigin)), "a token": b.refresh(""), "401": b.site.do(get("/membership", "Origin", appOrigin)), "no session": b.site.do(get("/session", "Origin", appOrigin)),
		"preflight": b.do(request{method: "OPTIONS", target: "/refresh", header: preflight}), "403": b.do(get("/session")), "404": b.do(get("/nothing")), "405": b.do(get("/refresh")),
		"a bad event": b.do(get("/bad-event")), "409": func() response {
			b.do(frontendCall("POST", "/disconnect", ""))
			return b.refresh("")
		}(),
	}
}

func TestHeadersOfEveryResponse(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		for name, a := range everyResponse(newSite(t).browser()) {
			got := map[string][]string{}
			for _, header := range []string{"Cache-Control", "X-Content-Type-Options", "Strict-Transport-Security", "Referrer-Policy", "Cross-Origin-Resource-Policy"} {
				got[header] = a.header[header]
			}
			want := map[string][]string{
				"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"},
				"Strict-Transport-Security": {"max-age=31536000"}, "Referrer-Policy": {"no-referrer"},
				"Cross-Origin-Resource-Policy": {"same-site"},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if id := a.header["X-Request-Id"]; len(id) != 1 || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id[0]) {
				t.Errorf("%s: got X-Request-Id %q", name, id)
			}
			if (a.body == "") != (a.header.Get("Content-Type") == "") {
				t.Errorf("%s: got Content-Type %q with body %q", name, a.header.Get("Content-Type"), a.body)
			}
		}
	})
}

// TestIsolationHeadersOfEveryRoute sends each method to each route. No page of another
// site may embed a response. Cross-Origin-Opener-Policy would separate a pop-up window
// from the app that opened it, also on a redirect, so no response may have it.
func TestIsolationHeadersOfEveryRoute(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		paths := []string{"/", "/authorize", "/authorize?return_to=x", "/authorize/x", "/callback", "/callback?code=c&state=s", "/nothing", "/bad-event"}
		paths = slices.AppendSeq(paths, maps.Keys(frontendRoutes()))
		for path := range httpapi.BackendRoutes() {
			paths = append(paths, strings.ReplaceAll(path, "{id}", "con_x"))
		}
		for _, path := range paths {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
				for _, r := range []request{frontendCall(method, path, ""), call(method, path, ""), get(path, "Sec-Fetch-Site", "cross-site")} {
					a := s.do(r)
					if got := a.header["Cross-Origin-Resource-Policy"]; !slices.Equal(got, []string{"same-site"}) {
						t.Errorf("%s %s: got status %d with Cross-Origin-Resource-Policy %q, want same-site", method, path, a.status, got)
					}
					for name := range a.header {
						if strings.HasPrefix(name, "Cross-Origin-Opener-Policy") {
							t.Errorf("%s %s: got the header %s, want none", method, path, name)
						}
					}
				}
			}
		}
	})
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *options) {
		o.requestID = func(r *http.Request) string { return strings.TrimPrefix(r.URL.Path, "/") }
	})
	a := s.do(get("/nothing", "X-Request-Id", "the client's"))
	if got := a.problem(404, "not-found")["instance"]; got != "nothing" {
		t.Errorf("got instance %q, want nothing", got)
	}
	if a := s.do(get("/", "X-Request-Id", "the client's")); len(a.header.Get("X-Request-Id")) != 32 {
		t.Errorf("got request ID %q, want a random one", a.header.Get("X-Request-Id"))
	}
	if strings.Contains(s.log.String(), "the client's") {
		t.Error("the log has the request ID of the client")
	}
}

func TestOneLineForEachRequest(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser().signIn(asanatest.Member)
		before := len(b.lines())
		a := b.refresh("")
		lines := b.lines()[before:]
		if len(lines) != 2 || lines[0]["audit"] != "token_released" {
			t.Fatalf("got lines %v, want an audit line and a request line", lines)
		}
		id, connection := a.header.Get("X-Request-Id"), strings.Split(b.jar[sessionCookie], ".")[0]
		delete(lines[1], "time")
		want := map[string]any{"level": "INFO", "msg": "request", "request_id": id, "route": "/refresh", "method": "POST", "status": 200.0, "dur_ms": 0.0, "connection": connection}
		if diff := cmp.Diff(want, lines[1]); diff != "" {
			t.Errorf("the request's line (-want +got):\n%s", diff)
		}
		if lines[0]["request_id"] != id {
			t.Errorf("the audit line has request_id %v, want %s", lines[0]["request_id"], id)
		}
		for line := range strings.Lines(b.log.String()) {
			if strings.Count(line, `"request_id"`) > 1 {
				t.Errorf("a line has two request_id: %s", line)
			}
		}
	})
}

func TestALineOfAFailure(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.do(get("/authorize?app_state=."))
	line := s.lastLine()
	if line["err"] != "app_state must be 1 to 256 characters of A-Z, a-z, 0-9, _ and -." || line["type"] != "invalid-request" || line["status"] != 400.0 || line["level"] != "INFO" {
		t.Errorf("line %v", line)
	}
	s.fail("write")
	s.do(get("/authorize"))
	if err, _ := s.lastLine()["err"].(string); !strings.Contains(err, "writing the attempt") {
		t.Errorf("the cause is not logged: %v", s.lastLine())
	}
}

func TestLogHandler(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := slog.New(httpapi.LogHandler(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelWarn})))
	log.With("a", 1).WithGroup("g").WarnContext(context.Background(), "m", "b", 2)
	log.Info("not enabled")
	var got map[string]any
	must(t, json.Unmarshal(b.Bytes(), &got))
	delete(got, "time")
	want := map[string]any{"level": "WARN", "msg": "m", "a": 1.0, "g": map[string]any{"b": 2.0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a line without a request (-want +got):\n%s", diff)
	}
}

func TestNoLog(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	httpapi.NewFailure(httpapi.Config{}, asanaauth.NotFound, "").ServeHTTP(w, httptest.NewRequest("GET", "/x", nil))
	if w.Code != 404 {
		t.Errorf("status %d", w.Code)
	}
}
