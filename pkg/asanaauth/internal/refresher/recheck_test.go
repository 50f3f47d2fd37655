package refresher_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// In these tests, a caller reports a token again within 30 seconds, so that the token is
// introspected instead of refreshed.

func introspections(inst *authtest.Installation) int {
	return inst.Asana.CountRequests(authtest.IntrospectPath)
}

// reportedOnce is like reported, but a token was reported one second ago, and current is
// the token that replaced it.
func reportedOnce(t *testing.T, f func(t *testing.T, inst *authtest.Installation, cookie secret.String, current token.Token)) {
	t.Helper()
	reported(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, old token.Token) {
		current := mustReport(t, inst.Process(), cookie, old)
		time.Sleep(time.Second)
		f(t, inst, cookie, current)
	})
}

// wantSame reports the token again, and fails the test unless the caller gets it again.
func wantSame(t *testing.T, p *authtest.Process, cookie secret.String, current token.Token) {
	t.Helper()
	got, err := p.Refused(cookie, current)
	if err != nil || !got.Access.Equal(current.Access) {
		t.Errorf("got another token than the reported one, or the error %v", err)
	}
}

// wantServed fails the test unless a caller that reports nothing gets the token at once.
func wantServed(t *testing.T, inst *authtest.Installation, cookie secret.String, current token.Token) {
	t.Helper()
	began := time.Now()
	got, err := inst.Process().Token(cookie, 0)
	if took := time.Since(began); err != nil || took > 0 || !current.Access.IsZero() && !got.Access.Equal(current.Access) {
		t.Errorf("another caller got the error %v, or another token, or waited %v", err, took)
	}
}

func wantTryAgain(t *testing.T, err error, after time.Duration) {
	t.Helper()
	authtest.WantKind(t, err, asanaauth.TryAgain)
	var e *asanaauth.Error
	if errors.As(err, &e) && e.RetryAfter != after {
		t.Errorf("RetryAfter = %v, want %v", e.RetryAfter, after)
	}
}

// A workspace blocks the app, so one caller reports a token every five seconds. For 50
// minutes, both this caller and a caller that reports nothing must always get a token.
func TestACallerThatGoesOnReportingStarvesNoOther(t *testing.T) {
	reported(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, last token.Token) {
		reporter, other := inst.Process(), inst.Process()
		const calls, every = 600, 5 * time.Second
		served := 0
		for range calls {
			got, err := reporter.Refused(cookie, last)
			if err != nil {
				t.Fatalf("the reporter got %v", err)
			}
			last = got
			if _, err := other.Token(cookie, 0); err == nil {
				served++
			}
			time.Sleep(every)
		}
		authtest.WantCount(t, "calls of the other caller that were served", served, calls)
		const most = int(calls * every / (30 * time.Second))
		if n := inst.Refreshes(); n > most {
			t.Errorf("%d refreshes, want at most %d: one in 30 seconds", n, most)
		}
		if n := introspections(inst); n > most || n == 0 {
			t.Errorf("%d introspections, want 1 to %d: at most one in 30 seconds", n, most)
		}
	})
}

func TestATokenThatIsActiveIsReturnedAgain(t *testing.T) {
	reportedOnce(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, current token.Token) {
		for range 14 { // until 29 seconds after the first report
			wantSame(t, inst.Process(), cookie, current)
			wantServed(t, inst, cookie, current)
			time.Sleep(2 * time.Second)
		}
		authtest.WantCount(t, "introspections", introspections(inst), 1)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
		time.Sleep(time.Second)
		// 30 seconds after the first report, a report counts as the first one again. But
		// Asana said less than 30 seconds ago that this token is active.
		wantSame(t, inst.Process(), cookie, current)
		time.Sleep(time.Second)
		next := mustReport(t, inst.Process(), cookie, current)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 2)
		time.Sleep(time.Second)
		wantSame(t, inst.Process(), cookie, next)
		authtest.WantCount(t, "introspections", introspections(inst), 2)
	})
}

func TestATokenThatIsNotActiveIsRefreshedAtOnce(t *testing.T) {
	reportedOnce(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, current token.Token) {
		if err := inst.Asana.RevokeToken(current.Access.Reveal()); err != nil {
			t.Fatal(err)
		}
		next := mustReport(t, inst.Process(), cookie, current)
		wantServed(t, inst, cookie, next)
		authtest.WantCount(t, "introspections", introspections(inst), 1)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 2)
		// The last refresh and the last introspection were less than 30 seconds ago, so a
		// report can cause neither of them now.
		time.Sleep(time.Second)
		_, err := inst.Process().Refused(cookie, next)
		wantTryAgain(t, err, 29*time.Second)
		wantServed(t, inst, cookie, next)
	})
}

// If the introspection fails, only the caller that reports the token may get an error.
func TestAFailedCheckConcernsOnlyTheReporter(t *testing.T) {
	for name, c := range map[string]struct {
		fault asanatest.Fault
		kind  asanaauth.ErrorKind
	}{
		"outage":           {asanatest.Fault{Status: 503}, asanaauth.AsanaUnavailable},
		"no response":      {asanatest.Fault{Cut: true}, asanaauth.AsanaUnavailable},
		"nonsense":         {asanatest.Fault{Body: "nonsense"}, asanaauth.AsanaUnavailable},
		"an error for 400": {asanatest.Fault{Status: 400, Body: `{"error":"invalid_token"}`}, asanaauth.AsanaUnavailable},
		"rate limit":       {asanatest.Fault{Status: 429, Header: http.Header{"Retry-After": {"3"}}}, asanaauth.TryAgain},
	} {
		t.Run(name, func(t *testing.T) {
			reportedOnce(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, current token.Token) {
				c.fault.Path = authtest.IntrospectPath
				inst.Asana.Inject(c.fault)
				_, err := inst.Process().Refused(cookie, current)
				authtest.WantKind(t, err, c.kind)
				wantServed(t, inst, cookie, current)
				time.Sleep(10 * time.Second)
				_, err = inst.Process().Refused(cookie, current)
				wantTryAgain(t, err, 19*time.Second) // then, a report causes a refresh
				wantServed(t, inst, cookie, current)
				authtest.WantCount(t, "introspections", introspections(inst), 1)
				time.Sleep(19 * time.Second)
				mustReport(t, inst.Process(), cookie, current)
			})
		})
	}
}

// While the introspection is in progress, callers that report the token must wait for its
// result, and other callers must get the token at once.
func TestConcurrentReportsCauseOneIntrospection(t *testing.T) {
	reportedOnce(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, current token.Token) {
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Delay: 2 * time.Second})
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if isWrite(op) {
				time.Sleep(10 * time.Millisecond) // all callers read the row before one of them writes
			}
			return true, nil
		}
		var wg sync.WaitGroup
		for i := range 20 {
			p := inst.Process(func(s *authtest.Settings) { s.Joined = i%2 == 0 })
			wg.Go(func() { wantSame(t, p, cookie, current) })
		}
		time.Sleep(time.Second)
		wantServed(t, inst, cookie, current)
		wg.Wait()
		authtest.WantCount(t, "introspections", introspections(inst), 1)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
	})
}

// The caller that introspects the token cancels. The result must not be lost, because
// other callers wait for it.
func TestACheckContinuesWithoutItsCaller(t *testing.T) {
	reportedOnce(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, current token.Token) {
		ctx, cancel := context.WithCancel(t.Context())
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Before: func(*http.Request) { cancel() }})
		inst.Process().Ask(ctx, cookie, token.Request{Refused: current.Access})
		wantSame(t, inst.Process(), cookie, current)
		authtest.WantCount(t, "introspections", introspections(inst), 1)
	})
}

// A caller has too little time left for an introspection and the write of its result.
func TestACallerWithoutTimeDoesNotIntrospect(t *testing.T) {
	reportedOnce(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, current token.Token) {
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		_, err := inst.Process().Ask(ctx, cookie, token.Request{Refused: current.Access})
		wantTryAgain(t, err, time.Second)
		authtest.WantCount(t, "introspections", introspections(inst), 0)
	})
}

// A token was introspected more than 30 seconds ago, and is introspected again. Callers that
// report it must wait for the new result.
func TestAnOlderCheckDoesNotCountDuringTheNextOne(t *testing.T) {
	reportedOnce(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, current token.Token) {
		wantSame(t, inst.Process(), cookie, current)
		time.Sleep(time.Minute)
		inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.CoolUntil = time.Now().Add(time.Minute) })
		var answered atomic.Bool
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Delay: 2 * time.Second})
		var wg sync.WaitGroup
		wg.Go(func() {
			wantSame(t, inst.Process(), cookie, current)
			answered.Store(true)
		})
		time.Sleep(time.Second)
		wantSame(t, inst.Process(), cookie, current)
		if !answered.Load() {
			t.Error("a caller got the token before Asana's response")
		}
		wg.Wait()
		authtest.WantCount(t, "introspections", introspections(inst), 2)
	})
}

// The process that introspects the token stops. A caller that reports the token waits for
// ten seconds after the start of the introspection, and no other caller waits.
func TestAProcessThatStopsDuringACheckBlocksNoOther(t *testing.T) {
	reportedOnce(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, current token.Token) {
		stopped := false
		stops := &storetest.Faulty{Store: inst.Rows, Hook: func(context.Context, storetest.Op) (bool, error) {
			return !stopped, authtest.FailIf(stopped, authtest.ErrTableDown)
		}}
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Before: func(*http.Request) { stopped = true }})
		_, err := inst.Process(withStore(stops)).Refused(cookie, current) // tries to write for two seconds
		authtest.WantKind(t, err, asanaauth.TryAgain)
		wantServed(t, inst, cookie, current)
		_, err = inst.Process().Refused(cookie, current)
		wantTryAgain(t, err, 19*time.Second)
		wantServed(t, inst, cookie, current)
		authtest.WantCount(t, "introspections", introspections(inst), 1)
	})
}

// During a cool-down, no refresh may be sent. Even then, a report of a token that is
// active must not take the token away from other callers.
func TestAReportDuringACoolDownIsChecked(t *testing.T) {
	coolDown := func(hot *store.Hot) { hot.CoolUntil = time.Now().Add(time.Minute) }
	t.Run("active", func(t *testing.T) {
		reported(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, old token.Token) {
			inst.Rows.Edit(cookie.Reveal(), coolDown)
			wantSame(t, inst.Process(), cookie, old)
			wantServed(t, inst, cookie, old)
			time.Sleep(time.Minute)
			mustReport(t, inst.Process(), cookie, old)
		})
	})
	t.Run("not active", func(t *testing.T) {
		reported(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, old token.Token) {
			if err := inst.Asana.RevokeToken(old.Access.Reveal()); err != nil {
				t.Fatal(err)
			}
			inst.Rows.Edit(cookie.Reveal(), coolDown)
			_, err := inst.Process().Refused(cookie, old)
			wantTryAgain(t, err, time.Minute)
			_, err = inst.Process().Token(cookie, 0)
			wantTryAgain(t, err, time.Minute)
			authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
			time.Sleep(time.Minute)
			if got := inst.Process().MustToken(cookie, 0); got.Access.Equal(old.Access) {
				t.Error("after the cool-down: the reported token")
			}
		})
	})
	t.Run("after a failed refresh", func(t *testing.T) {
		reported(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, old token.Token) {
			inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Status: 503})
			_, err := inst.Process().Refused(cookie, old)
			authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
			_, err = inst.Process().Token(cookie, 0)
			authtest.WantKind(t, err, asanaauth.TryAgain)
			wantSame(t, inst.Process(), cookie, old)
			wantServed(t, inst, cookie, old)
		})
	})
}

// In one process, a caller that reports a token that expires in a few seconds gets an
// error. A caller that reports nothing must not get this error.
func TestACallerDoesNotJoinAReport(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process(joined)
		cookie := p.SignIn(asanatest.Member)
		inst.Expire()
		current := p.MustToken(cookie, 0)
		inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) {
			hot.Issued, hot.Expires, hot.RefusedAt = time.Now().Add(-time.Hour), time.Now().Add(4*time.Second), time.Now()
		})
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Delay: time.Second, Status: 503})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := p.Refused(cookie, current)
			authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		})
		time.Sleep(time.Millisecond)
		p.MustToken(cookie, 0)
		wg.Wait()
	})
}

// If the refresh that the first report caused fails, the next report after the cool-down
// must cause a refresh and no introspection, even within 30 seconds.
func TestAReportAfterAFailedRefreshRefreshes(t *testing.T) {
	reported(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, old token.Token) {
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Status: 503})
		_, err := inst.Process().Refused(cookie, old)
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		time.Sleep(8 * time.Second)
		mustReport(t, inst.Process(), cookie, old)
		authtest.WantCount(t, "introspections", introspections(inst), 0)
	})
}

// While Asana introspects a token, another caller refreshes it. The result must not count
// for the new token.
func TestACheckDoesNotCountForANewToken(t *testing.T) {
	reportedOnce(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String, current token.Token) {
		if err := inst.Asana.RevokeToken(current.Access.Reveal()); err != nil {
			t.Fatal(err)
		}
		var next token.Token
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Before: func(*http.Request) {
			inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Expires = time.Now() })
			next = inst.Process().MustToken(cookie, 0)
		}})
		got := mustReport(t, inst.Process(), cookie, current)
		if !got.Access.Equal(next.Access) {
			t.Error("the reporter got another token than the new one")
		}
		wantServed(t, inst, cookie, next)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 2)
	})
}
