package token_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

const me = authtest.AsanaURL + authtest.MePath

// apiWire records the requests to Asana's API, and can respond in place of Asana.
type apiWire struct {
	next http.RoundTripper

	mu    sync.Mutex
	hooks []func(*http.Request) (*http.Response, error) // each hook handles one of the next requests
	sent  []*http.Request
	body  []string
}

func (w *apiWire) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Path, "/api/1.0/") {
		return w.next.RoundTrip(r)
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body.Close()
		again := *r
		again.Body = io.NopCloser(bytes.NewReader(body))
		r = &again
	}
	w.mu.Lock()
	w.sent, w.body = append(w.sent, r), append(w.body, string(body))
	hook := w.next.RoundTrip
	if len(w.hooks) > 0 {
		hook, w.hooks = w.hooks[0], w.hooks[1:]
	}
	w.mu.Unlock()
	return hook(r)
}

func (w *apiWire) respond(statuses ...int) {
	for _, status := range statuses {
		w.hooks = append(w.hooks, responding(status, "", http.NoBody))
	}
}

func responding(status int, location string, body io.ReadCloser) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: body, Request: r}
		if location != "" {
			resp.Header.Set("Location", location)
		}
		return resp, nil
	}
}

// library is a Go backend that uses the packages directly. It has one connection and an
// HTTP client for that connection.
type library struct {
	*authtest.Process
	id     string
	wire   *apiWire
	client *http.Client
}

func newLibrary(inst *authtest.Installation, person string) *library {
	inst.T.Helper()
	wire := &apiWire{next: inst.Wire}
	p := inst.Process(func(s *authtest.Settings) { s.Transport = wire })
	l := &library{Process: p, wire: wire}
	if person == asanatest.Bot {
		d, _ := p.ImportToken("o", person)
		l.id = d.ID
	} else {
		l.id = p.Connect("o", person).ID
	}
	wire.sent, wire.body = nil, nil
	l.client = p.Tokens.HTTPClient(l.id)
	return l
}

// do returns the response's status and body.
func (l *library) do(r *http.Request) (int, string, error) {
	l.Installation.T.Helper()
	resp, err := l.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	if got := resp.Request.Header.Get("Authorization"); got != "" && got != callersToken {
		l.Installation.T.Error("the response's Request has the token")
	}
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func (l *library) get(url string) (int, string, error) {
	l.Installation.T.Helper()
	return l.do(request(l.Installation.T, "GET", url, nil))
}

// callersToken is the Authorization header that a caller sets on its request.
const callersToken = "Bearer the-callers"

func request(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// closer is a body that counts the calls of Close.
type closer struct {
	io.Reader
	closed int
}

func (c *closer) Close() error { c.closed++; return nil }
