package token_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// If backends and frontends use the same connection, all of them wait for the same
// refresh.
func TestBackendsAndFrontendsShareALease(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		id := authtest.ConnectionOf(cookie)
		inst.Asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: time.Second, Times: -1})
		time.Sleep(2 * time.Hour)
		results := make(chan error, 50)
		for i := range 50 {
			go func() {
				p, r := inst.Process(), token.Request{MinTTL: 5 * time.Minute}
				ask := func() (token.Token, error) { return p.TokenOf(id, r) }
				if i%2 == 0 {
					ask = func() (token.Token, error) { return p.Ask(context.Background(), cookie, r) }
				}
				got, err := ask()
				if err == nil && inst.Whose(got.Access) != asanatest.Member {
					err = errors.New("got another user's token")
				}
				results <- err
			}()
		}
		for range 50 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
	})
}

// While a caller waits for a token, a backend disconnects the connection and the person
// connects again. A backend that waits gets a token from the new consent. A frontend that
// waits gets an error, because its session has ended.
func TestCallersWaitThroughANewConsent(t *testing.T) {
	t.Parallel()
	for _, isFrontend := range []bool{false, true} {
		t.Run(fmt.Sprintf("frontend %v", isFrontend), func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				id := authtest.ConnectionOf(cookie)
				time.Sleep(2 * time.Hour)
				inst.InRequest("refresh_token", func() {
					q := inst.Process()
					if _, err := q.Connections.Disconnect(context.Background(), q.Open(id)); err != nil {
						t.Error(err)
					}
					q.SignIn(asanatest.Member)
				})
				if isFrontend {
					_, err := p.Token(cookie, 0)
					authtest.WantKind(t, err, asanaauth.Unauthenticated)
					return
				}
				got, err := p.TokenOf(id, token.Request{})
				if err != nil || inst.Whose(got.Access) != asanatest.Member {
					t.Errorf("TokenOf() = %v", err)
				}
			})
		})
	}
}
