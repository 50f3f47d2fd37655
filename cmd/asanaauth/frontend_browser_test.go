package main_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestBrowserTracedFrontend checks that a page of another origin gets responses. The
// page's libraries add tracing headers to each request, and the page sends empty bodies as
// HTTP libraries do. The browser sends a preflight before these requests.
func TestBrowserTracedFrontend(t *testing.T) {
	c := openIfAsked(t)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>App</title><main>App</main>")
	}))
	defer app.Close()
	u, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://localhost:" + u.Port()
	p := start(t, t.TempDir(), []string{"ALLOWED_ORIGINS=" + origin, "RETURN_URLS=" + origin + "/"})
	c.do(chromedp.Navigate(p.publicURL + "/authorize"))
	c.decide(asanatest.Several, "allow")
	c.wait(fmt.Sprintf(`location.href.startsWith(%q)`, origin+"/?asana=connected"))

	const traced = `{traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "a=b", baggage: "a=b", "sentry-trace": "a-b-1",
		"X-Requested-With": "XMLHttpRequest", "x-datadog-origin": "rum", "x-datadog-parent-id": "1", "x-datadog-sampling-priority": "1",
		"x-datadog-trace-id": "1", newrelic: "x", "X-Amzn-Trace-Id": "Root=1", "Cache-Control": "no-cache", Pragma: "no-cache"}`
	send := func(method, path, options string) string {
		t.Helper()
		return c.value(fmt.Sprintf(`fetch(%q, {method: %q, credentials: "include", %s}).then(
			async r => [r.status, r.headers.get("X-Request-Id") ? "has an ID" : "no ID", await r.text()].join(" "), e => "blocked: " + e.name)`, p.publicURL+path, method, options))
	}
	for _, test := range []struct{ method, path, options, want string }{
		{"GET", "/session", `headers: ` + traced, `200 has an ID {"connection"`},
		{"POST", "/refresh", `headers: {"Content-Type": "application/json", ...` + traced + `}, body: "{}"`, `200 has an ID {"access_token"`},
		{"POST", "/refresh", `headers: {"Content-Type": "application/json;charset=utf8"}, body: "null"`, `200 has an ID {"access_token"`},
		{"POST", "/refresh", `headers: ` + traced, `200 has an ID {"access_token"`},
		{"POST", "/refresh", `body: ""`, `200 has an ID {"access_token"`}, // text/plain, without a preflight
		{"POST", "/refresh", `body: new URLSearchParams()`, `200 has an ID {"access_token"`},
		{"POST", "/refresh", `body: new Blob([])`, `200 has an ID {"access_token"`},
		{"POST", "/refresh", `body: "{}"`, `415 has an ID {"type"`},
		{"POST", "/refresh", `headers: {"Content-Type": "application/json", ...` + traced + `}, body: "{"`, `400 has an ID {"type"`},
		{"GET", "/session", `headers: {"X-Other": "1", ...` + traced + `}`, "blocked: TypeError"},
		{"DELETE", "/session", `headers: ` + traced, "204 has an ID "},
	} {
		if got := send(test.method, test.path, test.options); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s %s with %s: got %s, want %s", test.method, test.path, test.options, got, test.want)
		}
	}
}
