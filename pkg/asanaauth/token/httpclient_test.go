package token_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestHTTPClient(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		l := newLibrary(inst, asanatest.Member)
		lower := strings.ToLower("Authorization") // http.Header.Set would not write this spelling
		for range 2 {
			r := request(t, "GET", "HTTPS://Asana.example:443/api/1.0/users/me", nil)
			r.Header.Set("Authorization", callersToken)
			r.Header[lower] = []string{callersToken}
			r.Header.Set("Asana-Enable", "something")
			status, body, err := l.do(r)
			if err != nil || status != http.StatusOK || !strings.Contains(body, asanatest.Member) {
				t.Fatalf("got %d %s, %v; want 200 and the person", status, body, err)
			}
			sent := l.wire.sent[len(l.wire.sent)-1]
			if len(sent.Header[lower]) > 0 || len(sent.Header["Authorization"]) != 1 || sent.Header.Get("Asana-Enable") == "" {
				t.Error("the header that was sent is not the caller's with our token")
			}
			if r.Header.Get("Authorization") != callersToken || r.Header[lower] == nil {
				t.Error("the caller's request was changed")
			}
			time.Sleep(2 * time.Hour) // the first token expires, so the client must get a new one
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
		for _, sent := range l.wire.sent {
			if token := strings.TrimPrefix(sent.Header.Get("Authorization"), "Bearer "); strings.Contains(inst.Log.String(), token) {
				t.Error("a token is in the log")
			}
		}
	})
}

// If a program calls the RoundTripper directly, the request's Header can be nil.
func TestHTTPClientAcceptsARequestWithoutHeader(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		l := newLibrary(authtest.New(t), asanatest.Member)
		r := request(t, "GET", me, nil)
		r.Header = nil
		resp, err := l.client.Transport.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusOK || r.Header != nil {
			t.Errorf("RoundTrip() = %v, %v; want 200", resp, err)
		}
	})
}

type contextKey struct{}

func TestHTTPClientUsesTheContextOfEachRequest(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		l := newLibrary(inst, asanatest.Member)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := l.do(request(t, "GET", me, nil).WithContext(canceled))
		if !errors.Is(err, context.Canceled) || len(l.wire.sent) > 0 {
			t.Errorf("with a canceled context: %v, %d requests", err, len(l.wire.sent))
		}
		ctx := context.WithValue(t.Context(), contextKey{}, "mine")
		if status, _, err := l.do(request(t, "GET", me, nil).WithContext(ctx)); err != nil || status != http.StatusOK {
			t.Errorf("the next request: %d, %v", status, err)
		}
		if got := l.wire.sent[0].Context().Value(contextKey{}); got != "mine" {
			t.Errorf("the context that was sent has %v", got)
		}

		// The refresh takes seven seconds. A caller with a deadline of five seconds gets
		// an error after five seconds.
		time.Sleep(2 * time.Hour)
		inst.Asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: 7 * time.Second})
		brief, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		_, _, err = l.do(request(t, "GET", me, nil).WithContext(brief))
		if asanaauth.KindOf(err) != asanaauth.TryAgain || time.Since(began) > 5*time.Second {
			t.Errorf("got error %v after %v, want try-again within 5s", err, time.Since(began))
		}
	})
}

func TestHTTPClientReportsARefusedTokenOnce(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]func() io.Reader{
		"no body":         func() io.Reader { return nil },
		"NoBody":          func() io.Reader { return http.NoBody },
		"with GetBody":    func() io.Reader { return strings.NewReader(`{"data":{}}`) },
		"without GetBody": func() io.Reader { return io.MultiReader(strings.NewReader(`{"data":{}}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				l := newLibrary(inst, asanatest.Member)
				l.wire.respond(http.StatusUnauthorized, http.StatusNoContent)
				status, _, err := l.do(request(t, "PUT", authtest.AsanaURL+"/api/1.0/tasks/1", body()))
				if err != nil {
					t.Fatal(err)
				}
				authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
				if name == "without GetBody" {
					if status != http.StatusUnauthorized || len(l.wire.sent) != 1 {
						t.Errorf("%d after %d requests, want the 401 unchanged", status, len(l.wire.sent))
					}
					l.wire.hooks = nil
					if status, _, err := l.get(me); status != http.StatusOK || err != nil {
						t.Errorf("the next request: %d, %v", status, err)
					}
					authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
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
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		l := newLibrary(inst, asanatest.Member)
		l.wire.respond(http.StatusUnauthorized, http.StatusUnauthorized)
		status, _, err := l.get(me)
		if err != nil || status != http.StatusUnauthorized || len(l.wire.sent) != 2 {
			t.Errorf("%d, %v after %d requests", status, err, len(l.wire.sent))
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
	})
}

// The client closes the body of each response that it does not return to the caller, and
// the body of each request, even if the request is not sent.
func TestHTTPClientClosesBodies(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		l := newLibrary(inst, asanatest.Member)
		refused := &closer{Reader: strings.NewReader("{}")}
		l.wire.hooks = append(l.wire.hooks, responding(http.StatusUnauthorized, "", refused))
		if status, _, err := l.get(me); err != nil || status != http.StatusOK || refused.closed != 1 {
			t.Errorf("%d, %v; the 401 was closed %d times", status, err, refused.closed)
		}
		body := &closer{Reader: strings.NewReader("{}")}
		_, err := l.client.Transport.RoundTrip(request(t, "POST", "https://elsewhere.example/", body))
		authtest.WantKind(t, err, asanaauth.InvalidRequest)
		if body.closed != 1 {
			t.Errorf("the body was closed %d times", body.closed)
		}
	})
}

// If a workspace blocks a long-lived token, Asana responds with 401 although introspection
// reports the token as active. The client then returns the 401.
func TestHTTPClientReturnsThe401OfAnActiveToken(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		l := newLibrary(inst, asanatest.Bot)
		inst.Switches(func(s *asanatest.Switches) { s.BlockedWorkspace = asanatest.Acme })
		time.Sleep(time.Minute) // longer than the minimum of 30 seconds between two introspections
		before := inst.Asana.CountRequests(authtest.IntrospectPath)
		for range 2 {
			status, _, err := l.get(authtest.AsanaURL + "/api/1.0/workspaces/" + asanatest.Acme)
			if err != nil || status != http.StatusUnauthorized {
				t.Errorf("%d, %v; want Asana's 401", status, err)
			}
		}
		authtest.WantCount(t, "requests", len(l.wire.sent), 2)
		authtest.WantCount(t, "introspections", inst.Asana.CountRequests(authtest.IntrospectPath)-before, 1)
	})
}

// If a workspace blocks the app, Asana responds to every token with 401. Callers that use
// other workspaces can still use the connection, in this process and in other processes.
func TestHTTPClientIsNotStoppedByABlockedWorkspace(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		l := newLibrary(inst, asanatest.Several)
		other := inst.Process().Tokens.HTTPClient(l.id)
		inst.Switches(func(s *asanatest.Switches) { s.BlockedWorkspace = asanatest.Acme })
		for range 20 {
			for _, client := range []*http.Client{l.client, other} {
				for url, want := range map[string]int{"/workspaces/" + asanatest.Acme: 401, "/workspaces/" + asanatest.Globex: 200} {
					resp, err := client.Get(authtest.AsanaURL + "/api/1.0" + url)
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
					if resp.StatusCode != want {
						t.Errorf("%s: %d, want %d", url, resp.StatusCode, want)
					}
				}
			}
			time.Sleep(2 * time.Second)
		}
		authtest.WantCount(t, "refreshes in 40 seconds", inst.Refreshes(), 2)
	})
}

func TestHTTPClientReportsThatAPersonMustReconnect(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		l := newLibrary(inst, asanatest.Member)
		if err := inst.Asana.RevokeGrants(asanatest.Member); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, _, err := l.get(me)
			authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		}
		authtest.WantCount(t, "requests", len(l.wire.sent), 1)
		if hot := inst.Rows.Hot(l.id); hot.Status != row.Broken {
			t.Errorf("got status %s", hot.Status)
		}
	})
}

func TestHTTPClientSendsTokensOnlyToAsana(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		l := newLibrary(inst, asanatest.Member)
		inst.Table.Reset()
		elsewhere := func(url string) *http.Request { return request(t, "GET", url, nil) }
		withHost := elsewhere(me)
		withHost.Host = "elsewhere.example"
		opaque := elsewhere(me)
		opaque.URL.Opaque = "//elsewhere.example/api/1.0/users/me"
		for name, r := range map[string]*http.Request{
			"another host":  elsewhere("https://elsewhere.example/api/1.0/users/me"),
			"a subdomain":   elsewhere("https://x.asana.example/api/1.0/users/me"),
			"a longer host": elsewhere("https://asana.example.elsewhere.example/api/1.0/users/me"),
			"another port":  elsewhere("https://asana.example:8443/api/1.0/users/me"),
			"plain http":    elsewhere("http://asana.example/api/1.0/users/me"),
			"http at 443":   elsewhere("http://asana.example:443/api/1.0/users/me"),
			"user info":     elsewhere("https://asana.example@elsewhere.example/api/1.0/users/me"),
			"a Host header": withHost,
			"an opaque URL": opaque,
		} {
			_, _, err := l.do(r)
			if asanaauth.KindOf(err) != asanaauth.InvalidRequest {
				t.Errorf("%s: got error %v, want invalid-request", name, err)
			}
		}
		if len(l.wire.sent) > 0 || inst.Table.Count("read") > 0 {
			t.Errorf("%d requests were sent, %d rows read", len(l.wire.sent), inst.Table.Count("read"))
		}
	})
}

func TestHTTPClientFollowsRedirectsOnlyWithinAsana(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		l := newLibrary(authtest.New(t), asanatest.Member)
		l.wire.hooks = append(l.wire.hooks, responding(http.StatusFound, "https://elsewhere.example/api/1.0/users/me", http.NoBody))
		_, _, err := l.get(me)
		authtest.WantKind(t, err, asanaauth.InvalidRequest)
		authtest.WantCount(t, "requests", len(l.wire.sent), 1)

		l.wire.hooks = append(l.wire.hooks, responding(http.StatusTemporaryRedirect, authtest.MePath, http.NoBody))
		if status, body, err := l.get(authtest.AsanaURL + "/api/1.0/moved"); err != nil || status != http.StatusOK || !strings.Contains(body, asanatest.Member) {
			t.Errorf("within Asana: %d %s, %v", status, body, err)
		}
	})
}

func TestHTTPClientReportsThatAsanaIsUnavailable(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		l := newLibrary(inst, asanatest.Member)
		for name, c := range map[string]struct {
			err     error
			timeout bool
		}{
			"cut":      {io.ErrUnexpectedEOF, false},
			"deadline": {fmt.Errorf("waiting: %w", context.DeadlineExceeded), true},
			"timeout":  {timedOut{}, true},
		} {
			l.wire.hooks = append(l.wire.hooks, func(*http.Request) (*http.Response, error) { return nil, c.err })
			_, _, err := l.do(request(t, "POST", authtest.AsanaURL+"/api/1.0/tasks", strings.NewReader("{}")))
			var e *asanaauth.Error
			if !errors.As(err, &e) || e.Kind != asanaauth.AsanaUnavailable || e.Timeout != c.timeout || !errors.Is(err, c.err) {
				t.Errorf("%s: got error %v, want asana-unavailable, timeout %v", name, err, c.timeout)
			}
		}
		authtest.WantCount(t, "requests", len(l.wire.sent), 3)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
	})
}

// timedOut is a [net.Error] that is not context.DeadlineExceeded.
type timedOut struct{}

func (timedOut) Error() string { return "timed out" }

func (timedOut) Timeout() bool { return true }

func (timedOut) Temporary() bool { return true }

// If the connection is disconnected between two requests, the client sends no token with
// the second request.
func TestHTTPClientKeepsNoToken(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		l := newLibrary(inst, asanatest.Member)
		if status, _, err := l.get(me); err != nil || status != http.StatusOK {
			t.Fatalf("got %d, %v; want 200", status, err)
		}
		if _, err := l.Connections.Disconnect(t.Context(), l.Open(l.id)); err != nil {
			t.Fatal(err)
		}
		_, _, err := l.get(me)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		authtest.WantCount(t, "requests", len(l.wire.sent), 1)
	})
}

// If the table does not respond, a request without a deadline fails after 25 seconds.
func TestHTTPClientWaitsForTheTableFor25Seconds(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		l := newLibrary(inst, asanatest.Member)
		inst.Table.Hook = func(ctx context.Context, _ storetest.Op) (bool, error) {
			<-ctx.Done()
			return false, authtest.ErrTableDown
		}
		began := time.Now()
		_, _, err := l.get(me)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		if took := time.Since(began); took > 25*time.Second {
			t.Errorf("took %v, want 25s at most", took)
		}
	})
}
