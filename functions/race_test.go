package functions_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/internal/lambdatest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestParallelRefreshes sends fifty concurrent refresh requests to five processes, which
// share only the table. It checks that all responses contain the same new token, and that
// Asana receives only one refresh request.
func TestParallelRefreshes(t *testing.T) {
	t.Parallel()
	const callers, processes = 50, 5
	d := deploy(t)
	b := newBrowser()
	b.signIn(t, d, d.start(t, "authorize"), d.start(t, "callback"))
	d.expire(t)
	before := d.asana.CountRequests("refresh_token")
	var running [processes]*lambdatest.Function
	for i := range running {
		running[i] = d.start(t, "refresh")
	}
	// Delay Asana's response, so that the other processes read the connection during the
	// refresh.
	rows := d.proxies["refresh"].rows
	rows.ClearCalls()
	d.asana.Inject(asanatest.Fault{Path: "/-/oauth_token", Before: func(*http.Request) {
		for deadline := time.Now().Add(5 * time.Second); len(rows.Actions()) < 3*processes && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}})

	tokens := make(chan string, callers)
	var wg sync.WaitGroup
	for i := range callers {
		refresh, r := running[i%processes], b.request(t, http.MethodPost, "/refresh", "", true)
		wg.Go(func() {
			resp, err := refresh.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			a := readResponse(t, resp)
			if a.status != http.StatusOK {
				t.Errorf("POST /refresh: got %d %s, want 200", a.status, a.body)
			}
			tokens <- a.text("access_token")
		})
	}
	wg.Wait()
	close(tokens)
	different := map[string]bool{}
	for token := range tokens {
		different[token] = true
	}
	if len(different) != 1 {
		t.Errorf("got %d different tokens, want 1", len(different))
	}
	if got := d.asana.CountRequests("refresh_token") - before; got != 1 {
		t.Errorf("got %d requests to Asana, want 1", got)
	}
}

// TestKilledDuringRefresh kills a process that is waiting for Asana's response to a
// refresh request. It checks that a different process refreshes the token after the lease
// of the killed process has expired.
func TestKilledDuringRefresh(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits 15 s for a lease to expire")
	}
	d := deploy(t)
	b := newBrowser()
	b.signIn(t, d, d.start(t, "authorize"), d.start(t, "callback"))
	d.expire(t)
	before := d.asana.CountRequests("refresh_token")
	asked, killed := make(chan struct{}), make(chan struct{})
	d.asana.Inject(asanatest.Fault{Path: "/-/oauth_token", Before: func(*http.Request) {
		close(asked)
		<-killed
	}, Cut: true})

	victim := d.start(t, "refresh")
	gone := make(chan error, 1)
	r := b.request(t, http.MethodPost, "/refresh", "", true)
	go func() {
		_, err := victim.Do(r)
		gone <- err
	}()
	<-asked
	victim.Kill()
	close(killed)
	if err := <-gone; err == nil {
		t.Fatal("got a response from the killed function, want an error")
	}
	if hot := d.hot(t); hot.Lease == "" {
		t.Fatal("the row has no lease, want the killed function's lease")
	}

	// The next request waits for the lease to expire. If the wait exceeds the time limit
	// of a request, the response is a 503 with Retry-After.
	other, began := d.start(t, "refresh"), time.Now()
	after := b.send(t, other, b.request(t, http.MethodPost, "/refresh", "", true))
	if after.status == http.StatusServiceUnavailable && after.header.Get("Retry-After") != "" {
		after = b.send(t, other, b.request(t, http.MethodPost, "/refresh", "", true))
	}
	if after.status != http.StatusOK {
		t.Fatalf("POST /refresh: got %d %s, want 200", after.status, after.body)
	}
	if waited := time.Since(began); waited < 10*time.Second || waited > 25*time.Second {
		t.Errorf("the next refresh took %v, want the rest of the lease and the clock skew", waited)
	}
	token := after.text("access_token")
	if got := d.asana.CountRequests("refresh_token") - before; got != 2 {
		t.Errorf("got %d requests to Asana, want 2: one from the killed function and one from the next", got)
	}
	if !accepted(t, d, token) {
		t.Error("Asana does not accept the token")
	}
	if hot := d.hot(t); hot.Status != "active" || hot.Lease != "" {
		t.Errorf("got status %s and lease %q, want active and no lease", hot.Status, hot.Lease)
	}
}
