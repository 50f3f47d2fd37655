package functions_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/asanaauth/asanaauth/internal/lambdatest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// blockingProxy is a proxy for DynamoDB that never responds to one call of an action: the
// first call, or a later one if pass was set. If after is true, the proxy forwards that
// call.
type blockingProxy struct {
	next    *url.URL      // of the server
	action  string        // the action to block
	after   bool          // block after forwarding the call
	pass    atomic.Int32  // how many calls of the action pass before the blocked one
	reached chan struct{} // closed when the call is blocked
	end     chan struct{} // closed by the test to end the blocked call
}

func newBlockingProxy(t *testing.T, next, action string, after bool) (h *blockingProxy, address string) {
	target, err := url.Parse(next)
	if err != nil {
		t.Fatal(err)
	}
	h = &blockingProxy{next: target, action: action, after: after, reached: make(chan struct{}), end: make(chan struct{})}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return h, server.URL
}

func (h *blockingProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	here := strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+h.action) && h.pass.Add(-1) == -1
	if here && !h.after {
		h.stop()
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) { pr.SetURL(h.next) },
		ModifyResponse: func(*http.Response) error {
			if here {
				h.stop()
			}
			return nil
		},
	}
	forward.ServeHTTP(w, r)
}

func (h *blockingProxy) stop() {
	close(h.reached)
	<-h.end
	panic(http.ErrAbortHandler)
}

// kill sends a request to a function that calls DynamoDB through h, and kills the function
// when h blocks the call.
func (h *blockingProxy) kill(t *testing.T, victim *lambdatest.Function, r *http.Request) {
	t.Helper()
	gone := make(chan error, 1)
	go func() {
		_, err := victim.Do(r)
		gone <- err
	}()
	<-h.reached
	victim.Kill()
	close(h.end)
	if err := <-gone; err == nil {
		t.Fatal("got a response from the killed function, want an error")
	}
}

// TestKilledWhileRedeeming kills a function that is redeeming a connect code. If the
// function is killed before the DynamoDB transaction, the test checks that the code is
// still redeemable. If the function is killed after the transaction, the test checks that
// the repeated request returns the connection.
func TestKilledWhileRedeeming(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after bool
		again int // status of the next request that redeems the code
	}{
		"before the transaction": {false, http.StatusCreated},
		"after the transaction":  {true, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t)
			f := d.startAll(t)
			s, b := saas{connections: f["connections"], arn: saasARN}, newBrowser()
			link := s.mustSend(t, http.MethodPost, "/links", `{"owner":"o","person":"p"}`, http.StatusCreated).text("url")
			body := `{"connect_code":` + quoted(b.followLink(t, d, f, link, asanatest.Member)) + `,"owner":"o","person":"p"}`

			rows := d.proxies["connections"].rows
			through := rows.URL
			var h *blockingProxy
			h, rows.URL = newBlockingProxy(t, through, "TransactWriteItems", c.after)
			victim := d.start(t, "connections")
			rows.URL = through
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, public+"/connections", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			h.kill(t, victim, lambdatest.As(r, lambdatest.Identity{UserARN: saasARN}))

			s.mustSend(t, http.MethodPost, "/connections", body, c.again)
			s.mustSend(t, http.MethodPost, "/connections", body, http.StatusOK)
			page := s.mustSend(t, http.MethodGet, "/connections?owner=o", "", http.StatusOK)
			if n := strings.Count(page.body, `"status":"active"`); n != 1 {
				t.Errorf("got %d active connections, want 1: %s", n, page.body)
			}
			token := s.mustSend(t, http.MethodPost, "/connections/"+d.hot(t).Connection+"/token", "", http.StatusOK).text("access_token")
			if b.seen = append(b.seen, token); !accepted(t, d, token) {
				t.Error("Asana does not accept the token")
			}
			checkNoSecrets(t, d, b)
		})
	}
}
