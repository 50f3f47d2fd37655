package refresher_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// fiftyTokens starts fifty callers in the given number of processes, and returns the
// token that each caller gets. All callers start at the same time, and the refresh takes
// 3 seconds.
func fiftyTokens(t *testing.T, inst *authtest.Installation, cookie secret.String, processes int) []token.Token {
	t.Helper()
	inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Delay: 3 * time.Second})
	var ps []*authtest.Process
	for range processes {
		ps = append(ps, inst.Process(joined))
	}
	tokens, errs := make([]token.Token, 50), make([]error, 50)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() { tokens[i], errs[i] = ps[i%len(ps)].Token(cookie, 0) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestFiftyCallersMakeOneRequest(t *testing.T) {
	for name, processes := range map[string]int{"one process": 1, "ten processes": 10, "fifty processes": 50} {
		t.Run(name, func(t *testing.T) {
			expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
				tokens := fiftyTokens(t, inst, cookie, processes)
				for _, got := range tokens {
					if !got.Access.Equal(tokens[0].Access) {
						t.Error("got different tokens, want the same for all callers")
					}
				}
				authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
			})
		})
	}
}

// Callers that share a refresh must not poll the table while they wait.
func TestJoinedCallersReadOnce(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Table.Reset()
		fiftyTokens(t, inst, cookie, 1)
		authtest.WantCount(t, "reads (fifty sessions, one keyring)", inst.Table.Count("read"), 51)
		authtest.WantCount(t, "writes", inst.Table.Count("write"), 2)
	})
}

func TestTheFirstOfJoinedCallersMayLeave(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		p := inst.Process(joined)
		inst.Rows.Edit(cookie.Reveal(), leasedFor(5*time.Second))
		ctx, cancel := context.WithCancel(t.Context())
		go p.Ask(ctx, cookie, token.Request{})
		time.Sleep(time.Second)
		second := make(chan error, 1)
		go func() {
			_, err := p.Token(cookie, 0)
			second <- err
		}()
		time.Sleep(time.Second)
		cancel()
		if err := <-second; err != nil {
			t.Errorf("the second caller: %v", err)
		}
	})
}

func TestJoinedCallersKeepTheirOwnDeadlines(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		p := inst.Process(joined)
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Delay: 5 * time.Second})
		first := make(chan error, 1)
		go func() {
			_, err := p.Token(cookie, 0)
			first <- err
		}()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		_, err := p.Ask(ctx, cookie, token.Request{})
		authtest.WantKind(t, err, asanaauth.TryAgain)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("the second caller waited %v, want its own 2s", took)
		}
		if err := <-first; err != nil {
			t.Errorf("the first caller: %v", err)
		}
	})
}

func TestWaitWaitsForRefreshes(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		p := inst.Process(joined)
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, AnswerDelay: 5 * time.Second})
		asking, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		_, err := p.Ask(asking, cookie, token.Request{})
		authtest.WantKind(t, err, asanaauth.TryAgain)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Tokens.Wait(ctx); err == nil {
			t.Error("Wait did not wait")
		}
		if err := p.Tokens.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		authtest.WantCount(t, "grant", int(inst.Rows.Hot(cookie.Reveal()).Grant), 2)
	})
}

// Two callers share a refresh. The refresh returns a token that another process has saved.
// The token is valid long enough for the first caller only.
func TestAJoinedCallerGetsItsOwnMinTTL(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		p := inst.Process(joined)
		inst.Rows.Edit(cookie.Reveal(), leasedFor(5*time.Second))
		first, second := make(chan token.Token, 1), make(chan token.Token, 1)
		ask := func(minTTL time.Duration, got chan<- token.Token) {
			result, err := p.Token(cookie, minTTL)
			if err != nil {
				t.Error(err)
			}
			got <- result
		}
		go ask(0, first)
		time.Sleep(time.Second / 2)
		go ask(someTTL, second)
		time.Sleep(time.Second / 2)
		inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) {
			hot.Lease, hot.LeaseEnd, hot.Expires = "", time.Time{}, time.Now().Add(time.Minute)
			hot.Grant++
		})
		if got := <-first; got.ExpiresIn > time.Minute {
			t.Errorf("the first caller's token is valid for %v, want the saved one", got.ExpiresIn)
		}
		if got := <-second; got.ExpiresIn < someTTL {
			t.Errorf("the second caller's token is valid for %v, want at least %v", got.ExpiresIn, someTTL)
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
	})
}

// A caller whose row has another Grant must not wait for a refresh of the old one.
func TestACallerDoesNotJoinARefreshOfAnotherGrant(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		p := inst.Process(joined)
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, AnswerDelay: 7 * time.Second})
		first := make(chan error, 1)
		go func() {
			_, err := p.Token(cookie, 0)
			first <- err
		}()
		time.Sleep(time.Second)
		inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { // a consent whose token has expired
			hot.Lease, hot.LeaseEnd = "", time.Time{}
			hot.Grant++
			hot.Generation++
		})
		inst.Rows.EditCold(cookie.Reveal(), func(cold *store.Cold) { cold.Generation++ })
		began := time.Now()
		p.MustToken(cookie, 0)
		if took := time.Since(began); took > time.Second {
			t.Errorf("the second caller waited %v for the first one's refresh", took)
		}
		if err := <-first; err != nil {
			t.Errorf("the first caller: %v", err)
		}
	})
}
