package functions_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/functions/internal/functest/awsproxy"
	"github.com/asanaauth/asanaauth/internal/lambdatest"
)

// TestOutage checks that POST /refresh responds with the problem "try-again" while an AWS
// service is unavailable, and that the same process works after the outage.
func TestOutage(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	b := newBrowser()
	b.signIn(t, d, d.start(t, "authorize"), d.start(t, "callback"))
	g := d.proxies["refresh"]
	tests := []struct {
		name  string
		proxy *awsproxy.Proxy
	}{
		{"DynamoDB", g.rows},
		{"KMS", g.keys},
		{"Secrets Manager", g.secrets},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d.expire(t)
			before := d.asana.CountRequests("refresh_token")
			test.proxy.SetDown(true)
			refresh := d.start(t, "refresh") // a new process, so its caches are empty
			a := b.mustSend(t, refresh, http.MethodPost, "/refresh", "", http.StatusServiceUnavailable)
			if a.text("type") != "urn:asanaauth:problem:try-again" || a.header.Get("Retry-After") == "" || a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("got response %s with Retry-After %q, want try-again and a Retry-After", a.body, a.header.Get("Retry-After"))
			}
			if a.header.Get("Access-Control-Allow-Origin") != origin {
				t.Error("the response has no Access-Control-Allow-Origin, so the frontend cannot read it")
			}
			if got := d.asana.CountRequests("refresh_token") - before; got != 0 {
				t.Errorf("got %d requests to Asana during the outage, want 0", got)
			}
			test.proxy.SetDown(false)
			b.mustSend(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK)
			if got := d.asana.CountRequests("refresh_token") - before; got != 1 {
				t.Errorf("got %d requests to Asana afterwards, want 1", got)
			}
		})
	}
}

// TestWarmFunctionDuringOutage checks that a function works during an outage of KMS and
// Secrets Manager, because the function has cached the keyring and the client secret.
func TestWarmFunctionDuringOutage(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	b := newBrowser()
	b.signIn(t, d, d.start(t, "authorize"), d.start(t, "callback"))
	refresh := d.start(t, "refresh")
	d.expire(t)
	b.mustSend(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK)
	d.proxies["refresh"].keys.SetDown(true)
	d.proxies["refresh"].secrets.SetDown(true)
	d.expire(t)
	b.mustSend(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK)
}

// TestCallbackDuringOutage checks that the callback responds with an HTML page while KMS
// is unavailable, and that reloading the page after the outage completes the sign-in.
func TestCallbackDuringOutage(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	b, authorize := newBrowser(), d.start(t, "authorize")
	back := b.startSignIn(t, d, authorize)
	d.proxies["callback"].keys.SetDown(true)
	callback := d.start(t, "callback")
	a := b.send(t, callback, b.request(t, http.MethodGet, back.RequestURI(), "", false))
	if a.status != http.StatusServiceUnavailable || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("GET /callback: got %d %s, want 503 and a page", a.status, a.header.Get("Content-Type"))
	}
	d.proxies["callback"].keys.SetDown(false)
	b.finishSignIn(t, callback, b.request(t, http.MethodGet, back.RequestURI(), "", false))
}

// TestBadEvents checks that every function responds with 400 to an event that is not an
// HTTP request, and serves requests after such events.
func TestBadEvents(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	for name, f := range d.startAll(t) {
		for _, event := range []string{`null`, `{}`, `"x"`, `[]`, `{"version":"1.0","path":"/x"}`, `{"Records":[]}`} {
			resp := invoke(t, f, event)
			if resp.status != http.StatusBadRequest || resp.text("type") != "urn:asanaauth:problem:invalid-request" ||
				resp.text("instance") == "" || resp.header.Get("X-Request-Id") != resp.text("instance") ||
				resp.header.Get("Cache-Control") != "no-store" || resp.header.Get("Strict-Transport-Security") == "" {
				t.Errorf("%s: event %s: got %d %v %s, want 400 and an invalid-request problem", name, event, resp.status, resp.header, resp.body)
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, public+"/"+name+"/foo", nil)
		if err != nil {
			t.Fatal(err)
		}
		r = lambdatest.As(r, lambdatest.Identity{UserARN: saasARN})
		if resp, err := f.Do(r); err != nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: GET /%s/foo: got %v, %v; want 404", name, name, resp, err)
		}
	}
}

func invoke(t *testing.T, f *lambdatest.Function, event string) response {
	t.Helper()
	payload, err := f.Invoke([]byte(event))
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	resp, err := lambdatest.Response(payload, nil)
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	return readResponse(t, resp)
}
