package functions_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/functions/internal/functest/gate"
	"github.com/asanaauth/asanaauth/internal/lambdatest"
)

// A service that is away costs answers, and no process.
func TestServicesAway(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	b := newBrowser()
	b.signIn(t, d, d.start(t, "authorize"), d.start(t, "callback"))
	g := d.gates["refresh"]
	tests := []struct {
		name string
		gate *gate.Gate
		left int // 200 where what is kept is enough
	}{
		{"DynamoDB", g.rows, http.StatusServiceUnavailable},
		{"KMS", g.keys, http.StatusServiceUnavailable},
		{"Secrets Manager", g.secrets, http.StatusServiceUnavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d.expire(t)
			before := d.asana.CountRequests("refresh_token")
			test.gate.Away(true)
			refresh := d.start(t, "refresh") // cold: nothing is kept yet
			a := b.ask(t, refresh, http.MethodPost, "/refresh", "", http.StatusServiceUnavailable)
			if a.text("type") != "urn:asanaauth:problem:try-again" || a.header.Get("Retry-After") == "" || a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("answer %s, Retry-After %q", a.body, a.header.Get("Retry-After"))
			}
			if a.header.Get("Access-Control-Allow-Origin") != origin {
				t.Error("the frontend cannot read the answer")
			}
			if got := d.asana.CountRequests("refresh_token") - before; got != 0 {
				t.Errorf("%d requests to Asana, want none", got)
			}
			test.gate.Away(false)
			b.ask(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK)
			if got := d.asana.CountRequests("refresh_token") - before; got != 1 {
				t.Errorf("%d requests to Asana afterwards, want 1", got)
			}
		})
	}
}

// What a warm function has at hand serves on while KMS and Secrets Manager are away.
func TestWarmFunctionServesOn(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	b := newBrowser()
	b.signIn(t, d, d.start(t, "authorize"), d.start(t, "callback"))
	refresh := d.start(t, "refresh")
	d.expire(t)
	b.ask(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK)
	d.gates["refresh"].keys.Away(true)
	d.gates["refresh"].secrets.Away(true)
	d.expire(t)
	b.ask(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK)
}

// Before the attempt is taken, trouble is a page, and a reload works.
func TestCallbackWhileKMSIsAway(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	b, authorize := newBrowser(), d.start(t, "authorize")
	back := b.consent(t, d, authorize)
	d.gates["callback"].keys.Away(true)
	callback := d.start(t, "callback")
	a := b.send(t, callback, b.request(t, http.MethodGet, back.RequestURI(), "", false))
	if a.status != http.StatusServiceUnavailable || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("GET /callback: %d %s, want 503 and a page", a.status, a.header.Get("Content-Type"))
	}
	d.gates["callback"].keys.Away(false)
	b.arrive(t, callback, b.request(t, http.MethodGet, back.RequestURI(), "", false))
}

// What is no HTTP request is answered, and the next event too. What has a path of
// no route is not found.
func TestBadEvents(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	for name, f := range d.startAll(t) {
		for _, event := range []string{`null`, `{}`, `"x"`, `[]`, `{"version":"1.0","path":"/x"}`, `{"Records":[]}`} {
			resp := invoke(t, f, event)
			if resp.status != http.StatusBadRequest || resp.text("type") != "urn:asanaauth:problem:invalid-request" ||
				resp.text("instance") == "" || resp.header.Get("X-Request-Id") != resp.text("instance") ||
				resp.header.Get("Cache-Control") != "no-store" || resp.header.Get("Strict-Transport-Security") == "" {
				t.Errorf("%s: %s: %d %v %s", name, event, resp.status, resp.header, resp.body)
			}
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, public+"/"+name+"/foo", nil)
		if err != nil {
			t.Fatal(err)
		}
		r = lambdatest.As(r, lambdatest.Identity{UserARN: saasARN})
		if resp, err := f.Do(r); err != nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: GET /%s/foo: %v, %v; want 404", name, name, resp, err)
		}
	}
}

func invoke(t *testing.T, f *lambdatest.Function, event string) answer {
	t.Helper()
	payload, err := f.Invoke([]byte(event))
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	resp, err := lambdatest.Response(payload, nil)
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	return read(t, resp)
}
