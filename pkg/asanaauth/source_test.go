package asanaauth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestTokenSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		id := p.connect("o", asanatest.Member).ID
		source := p.conns.TokenSource(t.Context(), id)
		for _, after := range []time.Duration{0, 50 * time.Minute, 6 * time.Minute, 3 * time.Hour} {
			time.Sleep(after)
			h.table.Reset()
			token, err := source.Token()
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(token.Expiry); left < asanaauth.DefaultMinTTL || !token.Valid() || token.RefreshToken != "" {
				t.Errorf("after %v: %v left, type %s", after, left, token.Type())
			}
			if h.whose(secret.New(token.AccessToken)) != asanatest.Member || h.table.Count("read") == 0 {
				t.Errorf("after %v: somebody else's token, or the row was not read", after)
			}
		}
		wantCount(t, "refreshes", h.refreshes(), 2)

		// A token is no longer given once the connection has ended, however long it lives.
		if _, err := p.conns.End(t.Context(), p.opened(id)); err != nil {
			t.Fatal(err)
		}
		_, err := source.Token()
		wantKind(t, err, asanaauth.ReconnectRequired)
		_, err = p.conns.TokenSource(t.Context(), "con_x").Token()
		wantKind(t, err, asanaauth.NotFound)
		if h.log.says("caller", "library") == 0 {
			t.Error("no audit line names the library")
		}
	})
}

func TestTokenSourceOfLongLivedTokens(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d, value := p.importToken("o", asanatest.Bot)
		h.editOf(d.ID, func(hot *store.Hot) { hot.Expires = time.Time{} }) // as where Asana told none
		time.Sleep(1000 * time.Hour)
		token, err := p.conns.TokenSource(t.Context(), d.ID).Token()
		if err != nil || token.AccessToken != value.Reveal() || !token.Expiry.IsZero() || token.ExpiresIn != 0 {
			t.Errorf("expires %v, %v", token.Expiry, err)
		}
	})
}

// apiWire sees what goes to Asana's API.
type apiWire struct {
	next http.RoundTripper

	mu    sync.Mutex
	hooks []func(*http.Request) (*http.Response, error) // of requests to come, each once
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
	var hook func(*http.Request) (*http.Response, error)
	if len(w.hooks) > 0 {
		hook, w.hooks = w.hooks[0], w.hooks[1:]
	}
	w.mu.Unlock()
	if hook == nil {
		return w.next.RoundTrip(r)
	}
	answer, err := hook(r)
	if answer == nil && err == nil {
		return w.next.RoundTrip(r)
	}
	return answer, err
}

func answering(status int, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		a := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}
		for i := 0; i < len(header); i += 2 {
			a.Header.Set(header[i], header[i+1])
		}
		return a, nil
	}
}

// library is a process with a connection, as a Go backend has it.
type library struct {
	*process
	id     string
	wire   *apiWire
	client *http.Client
}

func newLibrary(h *house, person string) *library {
	h.t.Helper()
	wire := &apiWire{next: h.wire}
	p := h.process(func(s *settings) { s.transport = wire })
	l := &library{process: p, wire: wire}
	if person == asanatest.Bot {
		d, _ := p.importToken("o", person)
		l.id = d.ID
	} else {
		l.id = p.connect("o", person).ID
	}
	wire.sent, wire.body = nil, nil
	l.client = p.conns.HTTPClient(l.id)
	return l
}

const me = asanaURL + "/api/1.0/users/me"

func (l *library) do(r *http.Request) (int, string, error) {
	answer, err := l.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	if answer.Request.Header.Get("Authorization") != "" && answer.Request.Header.Get("Authorization") != "Bearer the-callers" {
		l.h.t.Error("the answer's request shows the token")
	}
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

func (l *library) get(url string) (int, string, error) {
	l.h.t.Helper()
	return l.do(request(l.h.t, "GET", url, nil))
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHTTPClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		l := newLibrary(h, asanatest.Member)
		lower := strings.ToLower("Authorization") // a name that http.Header.Set never writes
		for range 2 {
			r := request(t, "GET", "HTTPS://Asana.example:443/api/1.0/users/me", nil)
			r.Header.Set("Authorization", "Bearer the-callers")
			r.Header[lower] = []string{"Bearer the-callers"}
			r.Header.Set("Asana-Enable", "something")
			status, body, err := l.do(r)
			if err != nil || status != http.StatusOK || !strings.Contains(body, asanatest.Member) {
				t.Fatalf("%d %s, %v", status, body, err)
			}
			sent := l.wire.sent[len(l.wire.sent)-1]
			if len(sent.Header[lower]) > 0 || len(sent.Header["Authorization"]) != 1 || sent.Header.Get("Asana-Enable") == "" {
				t.Error("the header that was sent is not the caller's with our token")
			}
			if r.Header.Get("Authorization") != "Bearer the-callers" || r.Header[lower] == nil {
				t.Error("the caller's request was changed")
			}
			time.Sleep(2 * time.Hour) // the client keeps no token
		}
		wantCount(t, "refreshes", h.refreshes(), 1)
		for _, sent := range l.wire.sent {
			if token := strings.TrimPrefix(sent.Header.Get("Authorization"), "Bearer "); strings.Contains(h.log.String(), token) {
				t.Error("a token is in the log")
			}
		}
	})
}

// A RoundTripper may be called without an http.Client, which fills in the header.
func TestHTTPClientTakesARequestWithoutHeader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLibrary(newHouse(t), asanatest.Member)
		r := request(t, "GET", me, nil)
		r.Header = nil
		answer, err := l.client.Transport.RoundTrip(r)
		if err != nil || answer.StatusCode != http.StatusOK || r.Header != nil {
			t.Errorf("%v, %v", answer, err)
		}
	})
}

type contextKey struct{}

func TestHTTPClientUsesTheContextOfEachRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		l := newLibrary(h, asanatest.Member)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := l.do(request(t, "GET", me, nil).WithContext(over))
		if !errors.Is(err, context.Canceled) || len(l.wire.sent) > 0 {
			t.Errorf("with an ended context: %v, %d requests", err, len(l.wire.sent))
		}
		ctx := context.WithValue(t.Context(), contextKey{}, "mine")
		if status, _, err := l.do(request(t, "GET", me, nil).WithContext(ctx)); err != nil || status != http.StatusOK {
			t.Errorf("the next request: %d, %v", status, err)
		}
		if got := l.wire.sent[0].Context().Value(contextKey{}); got != "mine" {
			t.Errorf("the context that was sent has %v", got)
		}

		// A caller with five seconds waits no longer for a refresh, though that goes on.
		time.Sleep(2 * time.Hour)
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: 7 * time.Second})
		brief, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		_, _, err = l.do(request(t, "GET", me, nil).WithContext(brief))
		if asanaauth.KindOf(err) != asanaauth.TryAgain || time.Since(began) > 5*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestHTTPClientReportsARefusedTokenOnce(t *testing.T) {
	for name, body := range map[string]func() io.Reader{
		"no body":       func() io.Reader { return nil },
		"NoBody":        func() io.Reader { return http.NoBody },
		"a body anew":   func() io.Reader { return strings.NewReader(`{"data":{}}`) },
		"a body's once": func() io.Reader { return io.MultiReader(strings.NewReader(`{"data":{}}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				l := newLibrary(h, asanatest.Member)
				l.wire.hooks = append(l.wire.hooks, answering(http.StatusUnauthorized), answering(http.StatusNoContent))
				status, _, err := l.do(request(t, "PUT", asanaURL+"/api/1.0/tasks/1", body()))
				if err != nil {
					t.Fatal(err)
				}
				wantCount(t, "refreshes", h.refreshes(), 1)
				if name == "a body's once" {
					if status != http.StatusUnauthorized || len(l.wire.sent) != 1 {
						t.Errorf("%d after %d requests, want the 401 as it is", status, len(l.wire.sent))
					}
					l.wire.hooks = nil
					if status, _, err := l.get(me); status != http.StatusOK || err != nil {
						t.Errorf("the next request: %d, %v", status, err)
					}
					wantCount(t, "refreshes", h.refreshes(), 1)
					return
				}
				if status != http.StatusNoContent || len(l.wire.sent) != 2 {
					t.Fatalf("%d after %d requests", status, len(l.wire.sent))
				}
				if l.wire.body[0] != l.wire.body[1] || l.wire.sent[0].ContentLength != l.wire.sent[1].ContentLength {
					t.Errorf("sent %q, then %q", l.wire.body[0], l.wire.body[1])
				}
				if l.wire.sent[0].Header.Get("Authorization") == l.wire.sent[1].Header.Get("Authorization") {
					t.Error("the refused token was sent again")
				}
			})
		})
	}
}

func TestHTTPClientGivesUpAfterASecond401(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		l := newLibrary(h, asanatest.Member)
		l.wire.hooks = append(l.wire.hooks, answering(http.StatusUnauthorized), answering(http.StatusUnauthorized))
		status, _, err := l.get(me)
		if err != nil || status != http.StatusUnauthorized || len(l.wire.sent) != 2 {
			t.Errorf("%d, %v after %d requests", status, err, len(l.wire.sent))
		}
		wantCount(t, "refreshes", h.refreshes(), 1)
	})
}

// The body of an answer that is given to nobody is closed, and that of a request too,
// whatever becomes of it.
func TestHTTPClientClosesBodies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		l := newLibrary(h, asanatest.Member)
		refused := &closer{Reader: strings.NewReader("{}")}
		l.wire.hooks = append(l.wire.hooks, func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{}, Body: refused, Request: r}, nil
		})
		if status, _, err := l.get(me); err != nil || status != http.StatusOK || refused.closed != 1 {
			t.Errorf("%d, %v; the 401 was closed %d times", status, err, refused.closed)
		}
		body := &closer{Reader: strings.NewReader("{}")}
		_, err := l.client.Transport.RoundTrip(request(t, "POST", "https://elsewhere.example/", body))
		wantKind(t, err, asanaauth.InvalidRequest)
		if body.closed != 1 {
			t.Errorf("the body was closed %d times", body.closed)
		}
	})
}

type closer struct {
	io.Reader
	closed int
}

func (c *closer) Close() error { c.closed++; return nil }

// Asana stands by a token: a 401 is how it answers in a workspace that blocks it.
func TestHTTPClientKeepsA401OfATokenThatLives(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		l := newLibrary(h, asanatest.Bot)
		h.switches(func(s *asanatest.Switches) { s.BlockedWorkspace = asanatest.Acme })
		time.Sleep(time.Minute) // what Asana said at the import is old
		before := h.asana.CountRequests("/-/token_info")
		for range 2 {
			status, _, err := l.get(asanaURL + "/api/1.0/workspaces/" + asanatest.Acme)
			if err != nil || status != http.StatusUnauthorized {
				t.Errorf("%d, %v; want Asana's 401", status, err)
			}
		}
		wantCount(t, "requests", len(l.wire.sent), 2)
		wantCount(t, "introspections", h.asana.CountRequests("/-/token_info")-before, 1)
	})
}

// A workspace that blocks the app answers each token with 401. That must not take the
// connection from those who use it elsewhere, in this process or another.
func TestHTTPClientIsNotStoppedByABlockedWorkspace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		l := newLibrary(h, asanatest.Several)
		other := h.process().conns.HTTPClient(l.id)
		h.switches(func(s *asanatest.Switches) { s.BlockedWorkspace = asanatest.Acme })
		for range 20 {
			for _, client := range []*http.Client{l.client, other} {
				for url, want := range map[string]int{"/workspaces/" + asanatest.Acme: 401, "/workspaces/" + asanatest.Globex: 200} {
					answer, err := client.Get(asanaURL + "/api/1.0" + url)
					if err != nil {
						t.Fatal(err)
					}
					answer.Body.Close()
					if answer.StatusCode != want {
						t.Errorf("%s: %d, want %d", url, answer.StatusCode, want)
					}
				}
			}
			time.Sleep(2 * time.Second)
		}
		wantCount(t, "refreshes in 40 seconds", h.refreshes(), 2)
	})
}

func TestHTTPClientSaysThatAPersonHasToReconnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		l := newLibrary(h, asanatest.Member)
		if err := h.asana.RevokeGrants(asanatest.Member); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, _, err := l.get(me)
			wantKind(t, err, asanaauth.ReconnectRequired)
		}
		wantCount(t, "requests", len(l.wire.sent), 1)
		if hot := h.hotOf(l.id); hot.Status != store.Broken {
			t.Errorf("the connection is %s", hot.Status)
		}
	})
}

func TestHTTPClientSpeaksToAsanaAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		l := newLibrary(h, asanatest.Member)
		h.table.Reset()
		elsewhere := func(url string) *http.Request { return request(t, "GET", url, nil) }
		withHost := elsewhere(me)
		withHost.Host = "elsewhere.example"
		opaque := elsewhere(me)
		opaque.URL.Opaque = "//elsewhere.example/api/1.0/users/me"
		for name, r := range map[string]*http.Request{
			"another host":  elsewhere("https://elsewhere.example/api/1.0/users/me"),
			"a host below":  elsewhere("https://x.asana.example/api/1.0/users/me"),
			"a host behind": elsewhere("https://asana.example.elsewhere.example/api/1.0/users/me"),
			"another port":  elsewhere("https://asana.example:8443/api/1.0/users/me"),
			"plain http":    elsewhere("http://asana.example/api/1.0/users/me"),
			"http at 443":   elsewhere("http://asana.example:443/api/1.0/users/me"),
			"another user":  elsewhere("https://asana.example@elsewhere.example/api/1.0/users/me"),
			"a Host header": withHost,
			"an opaque URL": opaque,
		} {
			_, _, err := l.do(r)
			if asanaauth.KindOf(err) != asanaauth.InvalidRequest {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(l.wire.sent) > 0 || h.table.Count("read") > 0 {
			t.Errorf("%d requests were sent, %d rows read", len(l.wire.sent), h.table.Count("read"))
		}
	})
}

func TestHTTPClientFollowsNoRedirectElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLibrary(newHouse(t), asanatest.Member)
		l.wire.hooks = append(l.wire.hooks, answering(http.StatusFound, "Location", "https://elsewhere.example/api/1.0/users/me"))
		_, _, err := l.get(me)
		wantKind(t, err, asanaauth.InvalidRequest)
		wantCount(t, "requests", len(l.wire.sent), 1)

		l.wire.hooks = append(l.wire.hooks, answering(http.StatusTemporaryRedirect, "Location", "/api/1.0/users/me"))
		if status, body, err := l.get(asanaURL + "/api/1.0/moved"); err != nil || status != http.StatusOK || !strings.Contains(body, asanatest.Member) {
			t.Errorf("within Asana: %d %s, %v", status, body, err)
		}
	})
}

func TestHTTPClientSaysThatAsanaIsAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		l := newLibrary(h, asanatest.Member)
		for name, c := range map[string]struct {
			err     error
			timeout bool
		}{
			"cut":      {io.ErrUnexpectedEOF, false},
			"deadline": {fmt.Errorf("waiting: %w", context.DeadlineExceeded), true},
			"timeout":  {timedOut{}, true},
		} {
			l.wire.hooks = append(l.wire.hooks, func(*http.Request) (*http.Response, error) { return nil, c.err })
			_, _, err := l.do(request(t, "POST", asanaURL+"/api/1.0/tasks", strings.NewReader("{}")))
			var e *asanaauth.Error
			if !errors.As(err, &e) || e.Kind != asanaauth.AsanaUnavailable || e.Timeout != c.timeout || !errors.Is(err, c.err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		wantCount(t, "requests", len(l.wire.sent), 3)
		wantCount(t, "refreshes", h.refreshes(), 0)
	})
}

type timedOut struct{}

func (timedOut) Error() string   { return "timed out" }
func (timedOut) Timeout() bool   { return true }
func (timedOut) Temporary() bool { return true }

func TestHTTPClientNeedsAsana(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newHouse(t).process()
		parts := p.conns.Parts
		parts.Asana = nil
		conns, err := asanaauth.NewConnections(parts, asanaauth.ConnectionsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = conns.HTTPClient("con_x").Get(me)
		wantKind(t, err, asanaauth.Internal)
	})
}

// When the table is away nobody is asked with an old token.
func TestHTTPClientKeepsNoToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		l := newLibrary(h, asanatest.Member)
		if status, _, err := l.get(me); err != nil || status != http.StatusOK {
			t.Fatalf("%d, %v", status, err)
		}
		if _, err := l.conns.End(t.Context(), l.opened(l.id)); err != nil {
			t.Fatal(err)
		}
		_, _, err := l.get(me)
		wantKind(t, err, asanaauth.ReconnectRequired)
		wantCount(t, "requests", len(l.wire.sent), 1)
	})
}

// A request without a deadline does not wait for ever for a table that hangs.
func TestHTTPClientWaitsForTheTableForALimitedTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		l := newLibrary(h, asanatest.Member)
		h.table.Hook = func(ctx context.Context, _ storetest.Op) (bool, error) {
			<-ctx.Done()
			return false, errAway
		}
		began := time.Now()
		_, _, err := l.get(me)
		wantKind(t, err, asanaauth.TryAgain)
		if took := time.Since(began); took > 25*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
