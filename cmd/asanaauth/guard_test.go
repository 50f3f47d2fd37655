package main_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil, "-host", "mine.test", "-host", "other.test:9000")
	b := newBrowser(t)
	port := mustParse(t, p.publicURL).Port()
	own := "Origin: " + p.publicURL
	for _, test := range []struct {
		name, method, url string
		headers           []string
		want              int
	}{
		{"rebound name", "GET", p.publicURL + "/session", []string{"Host: evil.test"}, 421},
		{"path with a double slash", "GET", p.publicURL + "//authorize", nil, 404},
		{"rebound name with our port", "GET", p.publicURL + "/", []string{"Host: evil.test:" + port}, 421},
		{"our name with another port", "GET", p.publicURL + "/", []string{"Host: localhost:1"}, 421},
		{"name below ours", "GET", p.publicURL + "/", []string{"Host: x.localhost:" + port}, 421},
		{"name in upper case", "GET", p.publicURL + "/local/trip", []string{"Host: LOCALHOST:" + port}, 200},
		{"added name", "GET", p.publicURL + "/local/trip", []string{"Host: mine.test"}, 200},
		{"added name with our port", "GET", p.publicURL + "/local/trip", []string{"Host: mine.test:" + port}, 200},
		{"added name with its port", "GET", p.publicURL + "/local/trip", []string{"Host: other.test:9000"}, 200},
		{"added name with another port", "GET", p.publicURL + "/local/trip", []string{"Host: other.test"}, 421},
		{"rebound name at Asana", "GET", p.asanaURL + "/_offline/switches", []string{"Host: evil.test"}, 421},
		{"our name at Asana", "GET", p.asanaURL + "/_offline/switches", nil, 200},

		{"foreign origin", "POST", p.publicURL + "/refresh", []string{"Origin: http://evil.test", "Content-Type: application/json"}, 403},
		{"no origin at all", "POST", p.publicURL + "/refresh", []string{"Content-Type: application/json"}, 403},
		{"null origin", "POST", p.publicURL + "/disconnect", []string{"Origin: null", "Content-Type: application/json"}, 403},
		{"own origin", "POST", p.publicURL + "/refresh", []string{own, "Content-Type: application/json"}, 401},
		{"foreign origin, unknown route", "POST", p.publicURL + "/other", []string{"Origin: http://evil.test"}, 403},
		{"null origin at the callback", "POST", p.publicURL + "/callback", []string{"Origin: null", "Content-Type: application/x-www-form-urlencoded"}, 400},
		{"foreign origin at the switches", "POST", p.publicURL + "/local/asana/expire", []string{"Origin: http://evil.test"}, 403},
		{"no origin at the switches", "POST", p.publicURL + "/local/asana/expire", nil, 403},
		{"own origin at the switches", "POST", p.publicURL + "/local/asana/expire", []string{own}, 204},
		{"foreign origin at Asana", "POST", p.asanaURL + "/_offline/reset", []string{"Origin: http://evil.test"}, 403},
		{"the service's origin at Asana", "PUT", p.asanaURL + "/_offline/switches", []string{own}, 403},
		{"Asana's own origin", "POST", p.asanaURL + "/_offline/expire", []string{"Origin: " + p.asanaURL}, 204},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := b.mustSend(test.method, test.url, "", test.headers...)
			if a.status != test.want {
				t.Errorf("got %d %s, want %d", a.status, a.body, test.want)
			}
			if a.status == 403 && strings.HasPrefix(test.url, p.publicURL) && a.problem() != "forbidden-origin" {
				t.Errorf("got problem %q, want forbidden-origin", a.problem())
			}
			if strings.HasPrefix(test.url, p.publicURL) {
				wantHeaders(t, a)
			}
		})
	}
}

// TestManyCookies checks that the cookies of other programs on localhost do not matter,
// as long as a browser can store them.
func TestManyCookies(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	cookies := func(n int) string {
		return "Cookie: " + strings.Repeat("other="+strings.Repeat("x", 4090)+"; ", n) + "a=b"
	}
	for _, at := range []string{p.publicURL + "/", p.asanaURL + "/_offline/"} {
		b := newBrowser(t)
		if a := b.mustSend("GET", at, "", cookies(180)); a.status != http.StatusOK {
			t.Errorf("%s with 180 cookies: got %d, want 200", at, a.status)
		}
		if a := b.mustSend("GET", at, "", cookies(270)); a.status != http.StatusRequestHeaderFieldsTooLarge || !strings.Contains(a.body, "delete the cookies of this host in your browser") {
			t.Errorf("%s with 270 cookies: got %d %s, want 431 and what to do", at, a.status, a.body)
		}
	}
}

func wantHeaders(t *testing.T, a response) {
	t.Helper()
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-site"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := a.header["Cross-Origin-Opener-Policy"]; got != nil {
		t.Errorf("got Cross-Origin-Opener-Policy %q, want none", got)
	}
	if a.header.Get("X-Request-Id") == "" {
		t.Error("X-Request-Id is missing")
	}
}

// TestEveryResponseHasTheHeaders checks responses that do not come from package httpapi,
// and responses to paths without a route. The process is behind a tunnel.
func TestEveryResponseHasTheHeaders(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	start(t, t.TempDir(), []string{"PUBLIC_URL=https://auth.example.com", "ALLOWED_ORIGINS=https://app.example.com"}, "-addr", addr)
	b := newBrowser(t)
	const accept, origin = "Accept: */*", "Origin: https://app.example.com"
	for _, test := range []struct {
		method, path, header, want string
		status                     int
	}{
		{"GET", "/", accept, "text/html; charset=utf-8", 200},
		{"GET", "/local/page.js", accept, "text/javascript; charset=utf-8", 200},
		{"GET", "/nope", accept, "application/problem+json", 404},
		{"GET", "//nope", accept, "application/problem+json", 404},
		{"GET", "/", "Host: evil.test", "text/plain; charset=utf-8", 421},
		{"POST", "/refresh", "Origin: http://evil.test", "application/problem+json", 403},
		{"GET", "/connections", "Authorization: AWS4-HMAC-SHA256 Credential=x", "application/json", 403},
		{"GET", "/authorize/", accept, "text/html; charset=utf-8", 404},
		{"POST", "/callback/more", accept, "text/html; charset=utf-8", 404},
		{"GET", "/session/more", origin, "application/problem+json", 404},
		{"POST", "/refresh/", origin, "application/problem+json", 404},
		{"GET", "/membership/more", origin, "application/problem+json", 404},
		{"POST", "/disconnect/more", origin, "application/problem+json", 404},
	} {
		to := "http://" + addr + test.path
		a := b.mustSend(test.method, to, "", test.header)
		if got := a.header.Get("Content-Type"); a.status != test.status || got != test.want {
			t.Errorf("%s %s: got %d with %s, want %d with %s", test.method, test.path, a.status, got, test.status, test.want)
		}
		wantHeaders(t, a)
		if a.header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s %s: Strict-Transport-Security is missing", test.method, test.path)
		}
		if got := a.header.Get("Access-Control-Allow-Origin"); (test.header == origin) != (got != "") {
			t.Errorf("%s %s: got Access-Control-Allow-Origin %q", test.method, test.path, got)
		}
	}
}

// TestOptionsOfTheServer sends the request "OPTIONS *", which has no path.
func TestOptionsOfTheServer(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	r, err := http.NewRequest("OPTIONS", p.publicURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = "*"
	resp, err := newBrowser(t).http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %s, want 404", resp.Status)
	}
	wantHeaders(t, response{header: resp.Header})
}

func TestPage(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	b := newBrowser(t)
	page := b.mustSend("GET", p.publicURL+"/", "")
	wantHeaders(t, page)
	policy := page.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("got policy %q, want default-src 'none' and nothing unsafe", policy)
	}
	for _, want := range []string{"Not affiliated with Asana", "not for production", p.asanaURL, url.QueryEscape(p.publicURL + "/")} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
	for _, asset := range []string{"/local/style.css", "/local/page.js", "/local/icon.svg"} {
		a := b.mustSend("GET", p.publicURL+asset, "")
		if a.status != http.StatusOK {
			t.Errorf("%s: got status %d, want 200", asset, a.status)
		}
		wantHeaders(t, a)
	}
	redirect := b.mustSend("GET", withHost(t, p.publicURL, "127.0.0.1")+"/", "")
	if redirect.location() != p.publicURL+"/" {
		t.Errorf("page at another host: got %d to %q, want a redirect to PUBLIC_URL", redirect.status, redirect.location())
	}
	if a := b.mustSend("GET", p.publicURL+"/nowhere", ""); a.status != http.StatusNotFound || a.problem() != "not-found" {
		t.Errorf("unknown route: got %d %s, want 404", a.status, a.body)
	}
}
