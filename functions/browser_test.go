package functions_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/internal/lambdatest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

type browser struct {
	cookies map[string]string
	seen    []string // secrets that the browser has received, for checkNoSecrets
}

func newBrowser() *browser { return &browser{cookies: map[string]string{}} }

type response struct {
	status int
	header http.Header
	body   string
}

// text returns a string member of the JSON body, or "" if the body has no such member.
func (a response) text(name string) string {
	var members map[string]any
	json.Unmarshal([]byte(a.body), &members)
	text, _ := members[name].(string)
	return text
}

// request returns a request with b's cookies. If frontend is true, the request has the
// headers of a fetch call from the app's frontend. Otherwise, the request has the headers
// of a navigation.
func (b *browser) request(t testing.TB, method, path, body string, frontend bool) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, public+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if frontend {
		r.Header.Set("Origin", origin)
		r.Header.Set("Content-Type", "application/json")
	}
	var pairs []string
	for name, value := range b.cookies {
		pairs = append(pairs, name+"="+value)
	}
	if len(pairs) > 0 {
		r.Header.Set("Cookie", strings.Join(pairs, "; "))
	}
	return r
}

func (b *browser) send(t testing.TB, f *lambdatest.Function, r *http.Request) response {
	t.Helper()
	resp, err := f.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	for _, c := range resp.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 || c.Value == "" {
			delete(b.cookies, c.Name)
		} else {
			b.seen = append(b.seen, c.Value)
		}
	}
	return readResponse(t, resp)
}

func readResponse(t testing.TB, resp *http.Response) response {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{resp.StatusCode, resp.Header, string(body)}
}

// mustSend sends a request from the app's frontend, and checks the status of the
// response.
func (b *browser) mustSend(t testing.TB, f *lambdatest.Function, method, path, body string, status int) response {
	t.Helper()
	a := b.send(t, f, b.request(t, method, path, body, true))
	if a.status != status {
		t.Fatalf("%s %s: got %d %s, want %d\nlog:\n%s", method, path, a.status, a.body, status, strings.Join(f.Logs(), "\n"))
	}
	return a
}

// startSignIn starts a sign-in, gives consent at Asana, and returns the URL to which
// Asana redirects the browser.
func (b *browser) startSignIn(t testing.TB, d *deployment, authorize *lambdatest.Function) *url.URL {
	t.Helper()
	a := b.send(t, authorize, b.request(t, http.MethodGet, "/authorize?app_state=abc", "", false))
	if a.status != http.StatusSeeOther {
		t.Fatalf("GET /authorize: got %d %s, want 303\nlog:\n%s", a.status, a.body, strings.Join(authorize.Logs(), "\n"))
	}
	back, err := d.asana.Authorize(t.Context(), a.header.Get("Location"), asanatest.Member)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(u.RawQuery + u.EscapedFragment())
	if err != nil || form.Get("state") == "" {
		t.Fatalf("Asana's redirect has no state: %v", err)
	}
	b.seen = append(b.seen, form.Get("state"))
	return u
}

// signIn supports only the OAuth response type "code".
func (b *browser) signIn(t testing.TB, d *deployment, authorize, callback *lambdatest.Function) {
	t.Helper()
	back := b.startSignIn(t, d, authorize)
	b.finishSignIn(t, callback, b.request(t, http.MethodGet, back.RequestURI(), "", false))
}

// finishSignIn sends r, which is a request to the callback with Asana's code and state,
// and checks that the response signs the browser in. It returns the response.
func (b *browser) finishSignIn(t testing.TB, callback *lambdatest.Function, r *http.Request) response {
	t.Helper()
	a := b.send(t, callback, r)
	to := a.header.Get("Location")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(to, home+"?") || !strings.Contains(to, "asana=connected") || !strings.Contains(to, "app_state=abc") {
		t.Fatalf("%s /callback: got %d to %q %s, want 303 to the return URL\nlog:\n%s", r.Method, a.status, to, a.body, strings.Join(callback.Logs(), "\n"))
	}
	if b.cookies["__Host-asana_session"] == "" || len(a.header["Set-Cookie"]) != 1 {
		t.Fatalf("got %d cookies from the callback, want only the session's", len(a.header["Set-Cookie"]))
	}
	return a
}
