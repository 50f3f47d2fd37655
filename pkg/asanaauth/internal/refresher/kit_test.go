// Most tests reach the refresher through its callers: they sign a person in, request a
// token with the session, or disconnect. They usually run in [bubble] or [expired].
package refresher_test

import (
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

const (
	refreshGrant = "refresh_token" // the grant type of a refresh request
	someTTL      = 300 * time.Second
)

// bubble runs a test in a synctest bubble, in parallel with the other tests.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	authtest.Bubble(t, f)
}

// expired runs a test that begins with a person who has signed in and whose access token
// has expired.
func expired(t *testing.T, f func(t *testing.T, inst *authtest.Installation, cookie secret.String)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		inst.Expire()
		f(t, inst, cookie)
	})
}

// rotate makes Asana rotate refresh tokens.
func rotate(s *asanatest.Switches) { s.RotateRefreshTokens = true }

// leasedUntil returns a function that writes another holder's lease into a row. The lease
// ends d after the write.
func leasedUntil(d time.Duration) func(*store.Hot) {
	return func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = "another", time.Now().Add(d) }
}

// withStore makes a process use s as its store. Pass the result to
// authtest.Installation.Process.
func withStore(s store.Store) func(*authtest.Settings) {
	return func(settings *authtest.Settings) { settings.Store = s }
}

// joined makes callers in a process share one refresh. Pass joined to
// authtest.Installation.Process.
func joined(s *authtest.Settings) { s.Joined = true }

// isWrite reports whether the operation is a write.
func isWrite(op storetest.Op) bool { return op.Name == "write" }

func wantDisconnection(t *testing.T, got connection.Disconnection, err error, want connection.Disconnection) {
	t.Helper()
	if err != nil || got != want {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
}
