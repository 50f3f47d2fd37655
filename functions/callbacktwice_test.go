package functions_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/internal/lambdatest"
)

// TestCallbacksAtOnce sends the callback of each sign-in to four processes at once. It
// checks that all responses are equal, and that each code is exchanged once.
func TestCallbacksAtOnce(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	authorize := d.start(t, "authorize")
	var callbacks [4]*lambdatest.Function
	for i := range callbacks {
		callbacks[i] = d.start(t, "callback")
	}
	const signIns = 10
	for range signIns {
		b := newBrowser()
		back := b.startSignIn(t, d, authorize).RequestURI()
		var wg sync.WaitGroup
		var responses [4]response
		for i, f := range callbacks {
			r := b.request(t, http.MethodGet, back, "", false)
			wg.Go(func() {
				resp, err := f.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				responses[i] = readResponse(t, resp)
			})
		}
		wg.Wait()
		for _, a := range responses {
			if a.status != http.StatusSeeOther || !strings.Contains(a.header.Get("Location"), "asana=connected") {
				t.Fatalf("got %d to %q, want a sign-in", a.status, a.header.Get("Location"))
			}
			if diff := cmp.Diff(responses[0].header["Set-Cookie"], a.header["Set-Cookie"]); diff != "" {
				t.Errorf("cookies of two callbacks (-first +other):\n%s", diff)
			}
		}
	}
	if got := d.asana.CountRequests("authorization_code"); got != signIns {
		t.Errorf("got %d exchanged codes, want %d", got, signIns)
	}
}

// TestKilledWhileSigningIn kills the function "callback" before or after its final
// transaction. The browser then reloads the page. If the sign-in was saved, the reload
// completes it. Otherwise, the app gets an error, and must start again.
func TestKilledWhileSigningIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after bool
		want  url.Values
	}{
		"before the transaction": {false, url.Values{"app_state": {"abc"}, "asana_error": {"try-again"}}},
		"after the transaction":  {true, url.Values{"app_state": {"abc"}, "asana": {"connected"}}},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t)
			f, b := d.startAll(t), newBrowser()
			back := b.startSignIn(t, d, f["authorize"]).RequestURI()
			rows := d.proxies["callback"].rows
			through := rows.URL
			var h *blockingProxy
			h, rows.URL = newBlockingProxy(t, through, "TransactWriteItems", c.after)
			victim := d.start(t, "callback")
			rows.URL = through
			h.kill(t, victim, b.request(t, http.MethodGet, back, "", false))

			a := b.send(t, f["callback"], b.request(t, http.MethodGet, back, "", false))
			to, err := url.Parse(a.header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, to.Query()); diff != "" {
				t.Errorf("the reload's redirect (-want +got):\n%s", diff)
			}
			if a := b.send(t, f["session"], b.request(t, http.MethodGet, "/session", "", true)); (a.status == http.StatusOK) != c.after {
				t.Errorf("GET /session: got %d, signed in: %t", a.status, c.after)
			}
			if got := d.asana.CountRequests("authorization_code"); got != 1 {
				t.Errorf("got %d exchanged codes, want 1", got)
			}
			if c.after { // otherwise, there is no connection with secrets
				checkNoSecrets(t, d, b)
			}
		})
	}
}
