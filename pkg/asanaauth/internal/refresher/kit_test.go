// Most tests do not call the refresher directly: they sign a person in, request a token
// with the session, or disconnect.
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

func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	authtest.Bubble(t, f)
}

// expired runs f after a person has signed in and the access token has expired.
func expired(t *testing.T, f func(t *testing.T, inst *authtest.Installation, cookie secret.String)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		inst.Expire()
		f(t, inst, cookie)
	})
}

func rotate(s *asanatest.Switches) { s.RotateRefreshTokens = true }

func leasedFor(d time.Duration) func(*store.Hot) {
	return func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = "another", time.Now().Add(d) }
}

func withStore(s store.Store) func(*authtest.Settings) {
	return func(settings *authtest.Settings) { settings.Store = s }
}

func joined(s *authtest.Settings) { s.Joined = true }

func isWrite(op storetest.Op) bool { return op.Name == "write" }

func wantDisconnection(t *testing.T, got connection.Disconnection, err error, want connection.Disconnection) {
	t.Helper()
	if err != nil || got != want {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
}
