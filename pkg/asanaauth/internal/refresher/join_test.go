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
