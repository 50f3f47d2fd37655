// The tests drive the refresher as its callers do: a person signs in, and asks for
// tokens with the session, or disconnects. [bubble] and [expired] begin most of them.
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
	refreshGrant = "refresh_token" // the grant type of a refresh, for faults
	someTTL      = 300 * time.Second
)

// bubble runs a test in a synctest bubble, in parallel with the other tests.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	authtest.Bubble(t, f)
}

// expired runs a test in which a person has signed in, and the access token has expired.
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

// leasedUntil returns a change that writes another holder's lease into a row.
func leasedUntil(d time.Duration) func(*store.Hot) {
	return func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = "another", time.Now().Add(d) }
}

// withStore is a change for Process: the process uses this store.
func withStore(s store.Store) func(*authtest.Settings) {
	return func(settings *authtest.Settings) { settings.Store = s }
}

// joined is a change for Process: callers in the process share one refresh.
func joined(s *authtest.Settings) { s.Joined = true }

// isWrite reports whether the operation is a write.
func isWrite(op storetest.Op) bool { return op.Name == "write" }

func wantDisconnection(t *testing.T, got connection.Disconnection, err error, want connection.Disconnection) {
	t.Helper()
	if err != nil || got != want {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
}
