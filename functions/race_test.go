package functions_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/internal/lambdatest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// Fifty callers of an expired token, in several processes that share nothing but
// the row, make one request to Asana and all get its answer.
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
	// Asana does not answer before the other processes have looked more than once.
	rows := d.gates["refresh"].rows
	rows.Forget()
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
			a := read(t, resp)
			if a.status != http.StatusOK {
				t.Errorf("POST /refresh: %d %s", a.status, a.body)
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
		t.Errorf("%d different tokens, want 1", len(different))
	}
	if got := d.asana.CountRequests("refresh_token") - before; got != 1 {
		t.Errorf("%d requests to Asana, want 1", got)
	}
}

// A function that is killed in the middle of a refresh loses nothing: another one
// goes on once the lease has run out. This waits for the lease, 15 s, by the wall
// clock.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for a lease to run out: 15 s")
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
		t.Fatal("the killed function has answered")
	}
	if hot := d.hot(t); hot.Lease == "" {
		t.Fatal("the killed function has left no lease")
	}

	// Who comes at once may wait for the lease and have no time left to ask Asana
	// itself: it is told to try again, and does.
	other, began := d.start(t, "refresh"), time.Now()
	after := b.send(t, other, b.request(t, http.MethodPost, "/refresh", "", true))
	if after.status == http.StatusServiceUnavailable && after.header.Get("Retry-After") != "" {
		after = b.send(t, other, b.request(t, http.MethodPost, "/refresh", "", true))
	}
	if after.status != http.StatusOK {
		t.Fatalf("POST /refresh: %d %s", after.status, after.body)
	}
	if waited := time.Since(began); waited < 10*time.Second || waited > 25*time.Second {
		t.Errorf("the next one waited %v, want the rest of the lease and the skew", waited)
	}
	token := after.text("access_token")
	if got := d.asana.CountRequests("refresh_token") - before; got != 2 {
		t.Errorf("%d requests to Asana, want 2: the one that was killed, and the next", got)
	}
	if !opens(t, d, token) {
		t.Error("Asana does not take the token")
	}
	if hot := d.hot(t); hot.Status != "active" || hot.Lease != "" {
		t.Errorf("the connection is %s with lease %q, want active without", hot.Status, hot.Lease)
	}
}
