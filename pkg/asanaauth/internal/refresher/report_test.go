package refresher_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// In these tests, "to report a token" means to request a new token because Asana rejected
// the old one with a 401 response.

// reported runs f after a person has signed in. The argument old is the access token that
// Asana issued at the sign-in.
func reported(t *testing.T, f func(t *testing.T, inst *authtest.Installation, cookie secret.String, old token.Token)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		f(t, inst, cookie, inst.Process().MustToken(cookie, 0))
	})
}

func mustReport(t *testing.T, p *authtest.Process, cookie secret.String, old token.Token) token.Token {
	t.Helper()
	got, err := p.Refused(cookie, old)
	if err != nil || got.Access.Equal(old.Access) {
		t.Fatalf("got the reported token or the error %v, want a new token", err)
	}
	return got
}

func TestAReportedTokenIsRefreshedAtOnce(t *testing.T) {
	reported(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, old token.Token) {
		inst.Table.Reset()
		mustReport(t, inst.Process(), cookie, old)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
		authtest.WantCount(t, "writes", inst.Table.Count("write"), 2)
	})
}

func TestAReportOfAnOldTokenGetsTheNewOne(t *testing.T) {
	reported(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, old token.Token) {
		p := inst.Process()
		newer := mustReport(t, p, cookie, old)
		for range 3 {
			if got := mustReport(t, p, cookie, old); !got.Access.Equal(newer.Access) {
				t.Error("got another token than the row's")
			}
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
	})
}

func TestFiftyReportsMakeOneRequest(t *testing.T) {
	reported(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, old token.Token) {
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Delay: 2 * time.Second})
		tokens := make(chan token.Token, 50)
		for i := range 50 {
			p := inst.Process(func(s *authtest.Settings) { s.Joined = i%2 == 0 })
			go func() {
				got, err := p.Refused(cookie, old)
				if err != nil {
					t.Errorf("reporting: %v", err)
				}
				tokens <- got
			}()
		}
		for range 50 {
			if got := <-tokens; got.Access.Equal(old.Access) {
				t.Error("a caller got the reported token")
			}
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
	})
}

// No caller may get a reported token, neither during the refresh nor after a failed
// refresh.
func TestAReportedTokenIsHandedOutToNoCaller(t *testing.T) {
	reported(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, old token.Token) {
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Status: 503, Before: func(*http.Request) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := inst.Process().Ask(ctx, cookie, token.Request{})
			authtest.WantKind(t, err, asanaauth.TryAgain)
		}})
		_, err := inst.Process().Refused(cookie, old)
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		_, err = inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		time.Sleep(8 * time.Second)
		if got := inst.Process().MustToken(cookie, 0); got.Access.Equal(old.Access) {
			t.Error("the reported token was returned")
		}
	})
}

// If a caller reports a token during a different caller's refresh, it must wait for the
// new token, even if the reported token has not expired.
func TestAReportDuringARefreshWaits(t *testing.T) {
	reported(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, old token.Token) {
		time.Sleep(58 * time.Minute)
		var got token.Token
		done := make(chan struct{})
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Delay: 2 * time.Second, Before: func(*http.Request) {
			go func() {
				defer close(done)
				var err error
				if got, err = inst.Process().Refused(cookie, old); err != nil {
					t.Errorf("reporting: %v", err)
				}
			}()
		}})
		holder := inst.Process().MustToken(cookie, someTTL)
		<-done
		if !got.Access.Equal(holder.Access) {
			t.Error("the reporter did not get the holder's token")
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
	})
}
