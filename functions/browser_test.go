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

// browser keeps the cookies of PUBLIC_URL's host.
type browser struct {
	cookies map[string]string
	seen    []string // values of all cookies and states it ever had
}

func newBrowser() *browser { return &browser{cookies: map[string]string{}} }

// answer is what came back, read.
type answer struct {
	status int
	header http.Header
	body   string
}

// text is a member of the JSON body, "" where there is none.
func (a answer) text(name string) string {
	var members map[string]any
	json.Unmarshal([]byte(a.body), &members)
	text, _ := members[name].(string)
	return text
}

// request is what a browser sends, for the app's frontend or when it navigates.
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

// send sends a request through a function and takes the cookies of its answer.
func (b *browser) send(t testing.TB, f *lambdatest.Function, r *http.Request) answer {
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
	return read(t, resp)
}

func read(t testing.TB, resp *http.Response) answer {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// ask is a request of the app's frontend, which must be answered with that status.
func (b *browser) ask(t testing.TB, f *lambdatest.Function, method, path, body string, status int) answer {
	t.Helper()
	a := b.send(t, f, b.request(t, method, path, body, true))
	if a.status != status {
		t.Fatalf("%s %s: %d %s, want %d\nlog:\n%s", method, path, a.status, a.body, status, strings.Join(f.Logs(), "\n"))
	}
	return a
}

// consent goes to Asana and says yes there, and returns the URL that Asana sends
// the browser back to.
func (b *browser) consent(t testing.TB, d *deployment, authorize *lambdatest.Function) *url.URL {
	t.Helper()
	a := b.send(t, authorize, b.request(t, http.MethodGet, "/authorize?app_state=abc", "", false))
	if a.status != http.StatusSeeOther {
		t.Fatalf("GET /authorize: %d %s\nlog:\n%s", a.status, a.body, strings.Join(authorize.Logs(), "\n"))
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
		t.Fatalf("Asana sends the browser back without a state: %v", err)
	}
	b.seen = append(b.seen, form.Get("state"))
	return u
}

// signIn makes the whole trip in the response type "code".
func (b *browser) signIn(t testing.TB, d *deployment, authorize, callback *lambdatest.Function) {
	t.Helper()
	back := b.consent(t, d, authorize)
	b.arrive(t, callback, b.request(t, http.MethodGet, back.RequestURI(), "", false))
}

// arrive sends what comes back from Asana to the callback, which has to send the
// browser on, signed in.
func (b *browser) arrive(t testing.TB, callback *lambdatest.Function, r *http.Request) {
	t.Helper()
	a := b.send(t, callback, r)
	to := a.header.Get("Location")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(to, home+"?") || !strings.Contains(to, "asana=connected") || !strings.Contains(to, "app_state=abc") {
		t.Fatalf("%s /callback: %d to %q %s\nlog:\n%s", r.Method, a.status, to, a.body, strings.Join(callback.Logs(), "\n"))
	}
	if b.cookies["__Host-asana_session"] == "" || len(b.cookies) != 1 {
		t.Fatalf("cookies after the callback: %d, want the session's alone", len(b.cookies))
	}
}
