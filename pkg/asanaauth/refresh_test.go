package asanaauth_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The tests of this file follow "Refreshing" line by line.

func TestTokenWithTimeLeftIsServedWithOneRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.table.Reset()
		token := p.mustToken(cookie, asanaauth.DefaultMinTTL)
		if token.ExpiresIn != time.Hour {
			t.Errorf("ExpiresIn = %v, want 1h", token.ExpiresIn)
		}
		wantCount(t, "reads", h.table.Count("read"), 1)
		wantCount(t, "writes", h.table.Count("write"), 0)
		wantCount(t, "refreshes", h.refreshes(), 0)
	})
}

func TestRefreshIsReadLeaseAsanaSave(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		time.Sleep(50 * time.Minute)
		h.process() // a warm sandbox has the keyring in hand already:
		if _, err := p.keys.Ring(context.Background()); err != nil {
			t.Fatal(err)
		}
		h.table.Reset()
		token := p.mustToken(cookie, 3000*time.Second)
		if token.ExpiresIn != time.Hour {
			t.Errorf("ExpiresIn = %v, want 1h", token.ExpiresIn)
		}
		wantCount(t, "reads", h.table.Count("read"), 1)
		wantCount(t, "writes", h.table.Count("write"), 2)
		for _, op := range h.table.Calls() {
			if op.Name == "write" {
				wantCount(t, "rows in a write", len(op.Changes), 1)
			}
		}
		wantCount(t, "refreshes", h.refreshes(), 1)
		if hot := h.hot(cookie); hot.Lease != "" || !hot.LeaseEnd.IsZero() {
			t.Errorf("the lease %q is still on", hot.Lease)
		}
	})
}

func TestMinTTL(t *testing.T) {
	for _, c := range []struct {
		name       string
		life, used time.Duration
		minTTL     time.Duration
		refreshed  bool
	}{
		{"enough left", time.Hour, 54 * time.Minute, 300 * time.Second, false},
		{"just enough, and none for the answer", time.Hour, 55 * time.Minute, 300 * time.Second, true},
		{"not enough left", time.Hour, 56 * time.Minute, 300 * time.Second, true},
		{"more than half of the life asked, half left", time.Hour, 29 * time.Minute, 3000 * time.Second, false},
		{"more than half of the life asked, less left", time.Hour, 31 * time.Minute, 3000 * time.Second, true},
		{"short-lived, half left", 20 * time.Second, 9 * time.Second, 300 * time.Second, false},
		{"short-lived, less left", 20 * time.Second, 11 * time.Second, 300 * time.Second, true},
		{"none asked, living", time.Hour, 59*time.Minute + 50*time.Second, 0, false},
		{"none asked, about to end", time.Hour, 59*time.Minute + 56*time.Second, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				h.switches(func(s *asanatest.Switches) { s.AccessTokenSeconds = int(c.life.Seconds()) })
				p := h.process()
				cookie := p.signIn(asanatest.Member)
				time.Sleep(c.used)
				p.mustToken(cookie, c.minTTL)
				if got := h.refreshes() == 1; got != c.refreshed {
					t.Errorf("refreshed: %v, want %v", got, c.refreshed)
				}
			})
		})
	}
}

// The lease keeps others out, so all that could take long comes before it.
func TestNothingIsLeasedBeforeAllIsReady(t *testing.T) {
	for name, away := range map[string]func(*house){
		"keys":           func(h *house) { h.kms.Hook = func(string) error { return seal.ErrUnavailable } },
		"client secrets": func(h *house) { h.secrets.set(errors.New("away")) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				cookie := h.process().signIn(asanatest.Member)
				h.expire()
				away(h)
				h.table.Reset()
				_, err := h.process().token(cookie, 0)
				wantKind(t, err, asanaauth.TryAgain)
				wantCount(t, "writes", h.table.Count("write"), 0)
				wantCount(t, "refreshes", h.refreshes(), 0)
			})
		})
	}
}

func TestOneRequestForFiftyCallers(t *testing.T) {
	for name, processes := range map[string]int{"one process, joined": 1, "ten processes": 10, "fifty processes": 50} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				cookie := h.process().signIn(asanatest.Member)
				h.expire()
				h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: 3 * time.Second})
				tokens := h.fifty(cookie, processes)
				for _, token := range tokens {
					if !token.Access.Equal(tokens[0].Access) {
						t.Error("callers hold different tokens")
					}
				}
				wantCount(t, "refreshes", h.refreshes(), 1)
			})
		})
	}
}

// fifty lets fifty callers ask at once, spread over so many processes.
func (h *house) fifty(cookie secret.String, processes int) []asanaauth.Token {
	h.t.Helper()
	var ps []*process
	for range processes {
		ps = append(ps, h.process(func(s *settings) { s.joined = true }))
	}
	tokens := make([]asanaauth.Token, 50)
	errs := make([]error, 50)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() { tokens[i], errs[i] = ps[i%len(ps)].token(cookie, 0) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		h.t.Fatal(err)
	}
	return tokens
}

// Joined callers wait in memory: none of them polls the table.
func TestJoinedCallersReadOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: 3 * time.Second})
		h.table.Reset()
		h.fifty(cookie, 1)
		wantCount(t, "reads (fifty sessions, one keyring)", h.table.Count("read"), 51)
		wantCount(t, "writes", h.table.Count("write"), 2)
	})
}

// The caller that happens to be first takes nobody down with it.
func TestAJoinedCallerThatGoesAwayTakesNobodyWithIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process(func(s *settings) { s.joined = true })
		cookie := p.signIn(asanatest.Member)
		h.expire()
		h.edit(cookie, func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = "another", time.Now().Add(5*time.Second) })
		ctx, cancel := context.WithCancel(t.Context())
		go p.ask(ctx, cookie, asanaauth.TokenRequest{})
		time.Sleep(time.Second)
		second := make(chan error, 1)
		go func() {
			_, err := p.token(cookie, 0)
			second <- err
		}()
		time.Sleep(time.Second)
		cancel()
		if err := <-second; err != nil {
			t.Errorf("the second caller: %v", err)
		}
	})
}

func TestACallerThatIsGoneBeforeTheRequestAsksNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		ctx, cancel := context.WithCancel(t.Context())
		p := h.process(func(s *settings) { s.store = afterWrite{h.rows, cancel} })
		s := p.session(cookie)
		_, err := p.conns.Token(ctx, s, asanaauth.TokenRequest{})
		wantKind(t, err, asanaauth.TryAgain)
		wantCount(t, "refreshes", h.refreshes(), 0)
		if hot := h.hot(cookie); hot.Lease != "" {
			t.Errorf("the lease %q is still on", hot.Lease)
		}
	})
}

// afterWrite calls then after each write.
type afterWrite struct {
	store.Store
	then func()
}

func (a afterWrite) Write(ctx context.Context, changes ...store.Change) error {
	defer a.then()
	return a.Store.Write(ctx, changes...)
}

func TestAnOldSessionWaitsForNoNewConsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		h.edit(cookie, func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = "another", time.Now().Add(5*time.Second) })
		go func() {
			time.Sleep(time.Second)
			h.edit(cookie, func(hot *store.Hot) {
				hot.Epoch, hot.Generation, hot.Expires = "another", 2, time.Now().Add(time.Hour)
			})
		}()
		_, err := h.process().token(cookie, 0)
		wantKind(t, err, asanaauth.Unauthenticated)
	})
}

func TestAnotherLeaseIsWatchedAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		p := h.process()
		for _, name := range []string{"one", "two"} {
			h.edit(cookie, func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = name, time.Now().Add(time.Hour) })
			ctx, cancel := context.WithTimeout(t.Context(), 14*time.Second)
			_, err := p.ask(ctx, cookie, asanaauth.TokenRequest{})
			cancel()
			wantKind(t, err, asanaauth.TryAgain)
		}
		wantCount(t, "refreshes", h.refreshes(), 0)
	})
}

func TestALongLivedTokenGoesToNoFrontend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		s := asanaauth.SessionOfKind(p.session(cookie), store.PersonalAccessToken)
		_, err := p.conns.Token(context.Background(), s, asanaauth.TokenRequest{})
		wantKind(t, err, asanaauth.NotAllowedForKind)
	})
}

func TestJoinedCallersKeepTheirOwnDeadlines(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process(func(s *settings) { s.joined = true })
		cookie := p.signIn(asanatest.Member)
		h.expire()
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: 5 * time.Second})
		first := make(chan error, 1)
		go func() {
			_, err := p.token(cookie, 0)
			first <- err
		}()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		_, err := p.ask(ctx, cookie, asanaauth.TokenRequest{})
		wantKind(t, err, asanaauth.TryAgain)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("the second caller waited %v, want its own 2s", took)
		}
		if err := <-first; err != nil {
			t.Errorf("the first caller: %v", err)
		}
	})
}

func TestLosersAreServedWithTheTokenThatLives(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		old := h.process().mustToken(cookie, 0)
		time.Sleep(58 * time.Minute)
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: 7 * time.Second})
		holder := make(chan asanaauth.Token, 1)
		go func() { holder <- h.process().mustToken(cookie, 300*time.Second) }()
		time.Sleep(time.Second)
		began := time.Now()
		loser := h.process().mustToken(cookie, 300*time.Second)
		if took := time.Since(began); took != 0 {
			t.Errorf("the loser waited %v although its token lives", took)
		}
		if !loser.Access.Equal(old.Access) || loser.ExpiresIn != 119*time.Second {
			t.Errorf("the loser got another token, or one with %v left", loser.ExpiresIn)
		}
		if (<-holder).Access.Equal(old.Access) {
			t.Error("the holder got the old token")
		}
	})
}

func TestALeaseIsDeadAtItsEndAndTheSkew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		h.edit(cookie, func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = "dead", time.Now().Add(5*time.Second) })
		began := time.Now()
		h.process().mustToken(cookie, 0)
		if took := time.Since(began); took < 8*time.Second || took > 9*time.Second {
			t.Errorf("waited %v for a lease of 5s and a skew of 3s", took)
		}
		wantCount(t, "refreshes", h.refreshes(), 1)
	})
}

// A holder whose clock is an hour ahead leaves a lease that ends in an hour.
func TestALeaseThatWasWatchedLongEnoughIsDead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		h.edit(cookie, func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = "dead", time.Now().Add(time.Hour) })
		p := h.process()
		s := p.session(cookie)
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Second)
		defer cancel()
		if _, err := p.conns.Token(ctx, s, asanaauth.TokenRequest{}); err == nil {
			t.Fatal("a caller of 24 seconds outwaited the lease, and has no time to ask")
		}
		began := time.Now()
		h.process().mustToken(cookie, 0)
		if took := time.Since(began); took < 14*time.Second || took > 16*time.Second {
			t.Errorf("waited %v, want 15s", took)
		}
	})
}

// A holder that dies right after the lease blocks others until its end, and
// loses nothing.
func TestAHolderThatDiesLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		dies := &storetest.Faulty{Store: h.rows, Hook: func(_ context.Context, op storetest.Op) (bool, error) {
			return true, failIf(op.Name == "write", errAway) // saved, and the process is gone
		}}
		_, err := h.process(func(s *settings) { s.store = dies }).token(cookie, 0)
		wantKind(t, err, asanaauth.TryAgain)
		wantCount(t, "refreshes", h.refreshes(), 0)
		h.process().mustToken(cookie, 0)
		wantCount(t, "refreshes", h.refreshes(), 1)
	})
}

func failIf(fails bool, err error) error {
	if fails {
		return err
	}
	return nil
}

func TestNothingIsSentWithoutTimeForTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		slow := &storetest.Faulty{Store: h.rows, Hook: func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				time.Sleep(3 * time.Second)
			}
			return true, nil
		}}
		_, err := h.process(func(s *settings) { s.store = slow }).token(cookie, 0)
		wantKind(t, err, asanaauth.TryAgain)
		wantCount(t, "refreshes", h.refreshes(), 0)

		p := h.process()
		s := p.session(cookie)
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		h.table.Reset()
		_, err = p.conns.Token(ctx, s, asanaauth.TokenRequest{})
		wantKind(t, err, asanaauth.TryAgain)
		wantCount(t, "writes of a caller with 9 seconds", h.table.Count("write"), 0)
	})
}

func TestALeaseGivenUpIsFree(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		writes := 0
		slow := &storetest.Faulty{Store: h.rows, Hook: func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				if writes++; writes == 1 {
					time.Sleep(3 * time.Second)
				}
			}
			return true, nil
		}}
		_, err := h.process(func(s *settings) { s.store = slow }).token(cookie, 0)
		wantKind(t, err, asanaauth.TryAgain)
		if hot := h.hot(cookie); hot.Lease != "" || !hot.CoolUntil.IsZero() {
			t.Errorf("the lease is %q, cooling until %v", hot.Lease, hot.CoolUntil)
		}
	})
}

func TestTheCallersCancellationDoesNotCountOnceSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		ctx, cancel := context.WithCancel(t.Context())
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: time.Second, Before: func(*http.Request) { cancel() }})
		p := h.process()
		if _, err := p.ask(ctx, cookie, asanaauth.TokenRequest{}); err != nil {
			t.Logf("the caller that is gone: %v", err)
		}
		if got := h.hot(cookie).Grant; got != 2 {
			t.Errorf("grant = %d, want 2: what Asana answered was not kept", got)
		}
		h.expire()
		h.process().mustToken(cookie, 0)
	})
}

func TestATokenRequestHasEightSeconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: time.Minute})
		began := time.Now()
		_, err := h.process().token(cookie, 0)
		wantKind(t, err, asanaauth.AsanaUnavailable)
		var e *asanaauth.Error
		if !errors.As(err, &e) || !e.Timeout {
			t.Errorf("%v does not say that Asana took too long", err)
		}
		if took := time.Since(began); took != 8*time.Second {
			t.Errorf("gave up after %v, want 8s", took)
		}
	})
}

func TestTransientFailuresNeverBreak(t *testing.T) {
	for name, fault := range map[string]asanatest.Fault{
		"500":                            {Status: 500},
		"503":                            {Status: 503},
		"429":                            {Status: 429},
		"302":                            {Status: 302, Header: http.Header{"Location": {"https://elsewhere.example/"}}},
		"cut":                            {Cut: true},
		"nonsense":                       {Body: "<html>", ContentType: "text/html"},
		"empty object":                   {Body: "{}"},
		"empty refresh token":            {Body: `{"access_token":"a","refresh_token":"","token_type":"bearer","expires_in":3600}`},
		"another error":                  {Status: 400, Body: `{"error":"invalid_request"}`},
		"invalid_grant with status 500":  {Status: 500, Body: `{"error":"invalid_grant"}`},
		"invalid_grant with status 200":  {Status: 200, Body: `{"error":"invalid_grant"}`},
		"lost after it had taken effect": {CutAfterApply: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				cookie := h.process().signIn(asanatest.Member)
				h.expire()
				fault.GrantType = "refresh_token"
				h.asana.Inject(fault)
				_, err := h.process().token(cookie, 0)
				wantKind(t, err, asanaauth.AsanaUnavailable)
				_, err = h.process().token(cookie, 0)
				wantKind(t, err, asanaauth.TryAgain)
				wantCount(t, "requests while it cools down", h.refreshes(), 1)
				if hot := h.hot(cookie); hot.Status != store.Active || hot.Lease != "" {
					t.Errorf("status %s, lease %q", hot.Status, hot.Lease)
				}
				time.Sleep(8 * time.Second)
				h.process().mustToken(cookie, 0)
			})
		})
	}
}

func TestCoolDown(t *testing.T) {
	for name, c := range map[string]struct {
		retryAfter string
		low, high  time.Duration
	}{
		"jitter":               {"", 2 * time.Second, 8 * time.Second},
		"Retry-After":          {"60", time.Minute, time.Minute},
		"Retry-After too long": {"86400", 5 * time.Minute, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				cookie := h.process().signIn(asanatest.Member)
				h.expire()
				h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Status: 429, Header: http.Header{"Retry-After": {c.retryAfter}}})
				h.table.Reset()
				_, err := h.process().token(cookie, 0)
				wantKind(t, err, asanaauth.AsanaUnavailable)
				wantCount(t, "writes (lease, then cool-down and lease off in one)", h.table.Count("write"), 2)
				left := time.Until(h.hot(cookie).CoolUntil)
				if left < c.low || left > c.high {
					t.Errorf("cooling for %v, want %v to %v", left, c.low, c.high)
				}
				_, err = h.process().token(cookie, 0)
				var e *asanaauth.Error
				if !errors.As(err, &e) || e.RetryAfter < left {
					t.Errorf("%v: RetryAfter less than the %v that it cools", err, left)
				}
			})
		})
	}
}

func TestATokenThatLivesIsServedThroughTrouble(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		time.Sleep(58 * time.Minute)
		h.switches(func(s *asanatest.Switches) { s.Down = true })
		for range 3 {
			if token := h.process().mustToken(cookie, 300*time.Second); token.ExpiresIn != 2*time.Minute {
				t.Errorf("%v left, want 2m", token.ExpiresIn)
			}
		}
		wantCount(t, "requests", h.refreshes(), 1)
	})
}

func TestInvalidGrantBreaks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		h.switches(func(s *asanatest.Switches) { s.RefuseRefresh = true })
		_, err := h.process().token(cookie, 0)
		wantKind(t, err, asanaauth.ReconnectRequired)
		hot := h.hot(cookie)
		if hot.Status != store.Broken || hot.Reason != "invalid-grant" || hot.Lease != "" || !hot.BrokenAt.Equal(time.Now()) {
			t.Errorf("row: %s, %s, lease %q, broken at %v", hot.Status, hot.Reason, hot.Lease, hot.BrokenAt)
		}
		if len(hot.Refresh) == 0 || !hot.NextTry.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("the refresh token is not kept for a try in an hour: %v, %v", hot.Refresh, hot.NextTry)
		}
		if len(hot.Access) > 0 {
			t.Error("the access token is still there")
		}
		_, err = h.process().token(cookie, 0)
		wantKind(t, err, asanaauth.ReconnectRequired)
		wantCount(t, "requests", h.refreshes(), 1)
		wantCount(t, "audit lines", h.log.says("audit", "reconnect_required"), 1)
	})
}

// Asana refused a token that is no longer the row's: that says nothing of the
// row's.
func TestInvalidGrantOfAnOldGrantBreaksNothing(t *testing.T) {
	for name, change := range map[string]func(*store.Hot){
		"another grant":      func(hot *store.Hot) { hot.Grant++; hot.Expires = time.Now().Add(time.Hour) },
		"another generation": func(hot *store.Hot) { hot.Generation++; hot.Expires = time.Now().Add(time.Hour) },
		"another lease":      func(hot *store.Hot) { hot.Lease = "another"; hot.LeaseEnd = time.Now().Add(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				cookie := h.process().signIn(asanatest.Member)
				h.expire()
				h.asana.Inject(asanatest.Fault{
					GrantType: "refresh_token", Status: 400, Body: `{"error":"invalid_grant"}`,
					Before: func(*http.Request) { h.edit(cookie, change) },
				})
				h.process().token(cookie, 0)
				if got := h.hot(cookie).Status; got != store.Active {
					t.Errorf("status = %s, want active", got)
				}
			})
		})
	}
}

func TestARotatedTokenLostWithItsHolderIsSaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		gone := false
		dies := &storetest.Faulty{Store: h.rows, Hook: func(_ context.Context, op storetest.Op) (bool, error) {
			return !gone, failIf(gone, errAway)
		}}
		h.inRequest("refresh_token", func() { gone = true })
		_, err := h.process(func(s *settings) { s.store = dies }).token(cookie, 0)
		if err == nil {
			t.Fatal("a rotated token that was not kept was handed out")
		}
		wantCount(t, "alarms", h.log.says("alarm", "rotated_token_unsaved"), 1)
		_, err = h.process().token(cookie, 0)
		wantKind(t, err, asanaauth.ReconnectRequired)
		if got := h.hot(cookie).Reason; got != "lost-rotated-token" {
			t.Errorf("reason = %q", got)
		}
		wantCount(t, "alarms", h.log.says("alarm", "rotated_token_lost"), 1)
	})
}

func TestSaveAsksForGrantAndGenerationAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		h.inRequest("refresh_token", func() {
			h.edit(cookie, func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = "thief", time.Now().Add(12*time.Second) })
		})
		h.process().mustToken(cookie, 0)
		hot := h.hot(cookie)
		if hot.Grant != 2 || hot.Lease != "thief" {
			t.Errorf("grant %d, lease %q: want the save, and the other's lease as it was", hot.Grant, hot.Lease)
		}
	})
}

func TestASaveThatIsRefusedIsNotAnsweredWith(t *testing.T) {
	for name, change := range map[string]func(*store.Hot){
		"grant":      func(hot *store.Hot) { hot.Grant++ },
		"generation": func(hot *store.Hot) { hot.Generation++ },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				cookie := h.process().signIn(asanatest.Member)
				old := h.process().mustToken(cookie, 0)
				h.expire()
				h.inRequest("refresh_token", func() {
					h.edit(cookie, func(hot *store.Hot) { change(hot); hot.Expires = time.Now().Add(time.Hour) })
				})
				token, err := h.process().token(cookie, 0)
				if err != nil || !token.Access.Equal(old.Access) {
					t.Errorf("got another token than the row's (err %v)", err)
				}
			})
		})
	}
}

func TestASaveMakesABrokenConnectionActive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		h.inRequest("refresh_token", func() {
			h.edit(cookie, func(hot *store.Hot) { hot.Status, hot.Reason, hot.Tries = store.Broken, "invalid-grant", 2 })
		})
		h.process().mustToken(cookie, 0)
		if hot := h.hot(cookie); hot.Status != store.Active || hot.Reason != "" || hot.Tries != 0 {
			t.Errorf("row: %s %q, tries %d", hot.Status, hot.Reason, hot.Tries)
		}
		wantCount(t, "audit lines", h.log.says("audit", "refreshed"), 1)
	})
}

func TestASaveLeavesARevokingConnectionItsRefreshTokenAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		before := h.hot(cookie)
		h.inRequest("refresh_token", func() {
			h.edit(cookie, func(hot *store.Hot) { hot.Status, hot.Access = store.Revoking, nil })
		})
		_, err := h.process().token(cookie, 0)
		wantKind(t, err, asanaauth.ReconnectRequired)
		hot := h.hot(cookie)
		if hot.Status != store.Revoking || len(hot.Access) > 0 || hot.Grant != 2 || string(hot.Refresh) == string(before.Refresh) {
			t.Errorf("row: %s, access %v, grant %d", hot.Status, hot.Access, hot.Grant)
		}
	})
}

func TestALostAnswerOfTheSaveKnowsItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		writes := 0
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				writes++
			}
			return true, failIf(op.Name == "write" && writes == 2, errAway)
		}
		h.process().mustToken(cookie, 0)
		wantCount(t, "grant", int(h.hot(cookie).Grant), 2)
		wantCount(t, "refreshes", h.refreshes(), 1)
		wantCount(t, "audit lines", h.log.says("audit", "refreshed"), 1)
		wantCount(t, "alarms", h.log.says("alarm", "rotated_token_unsaved"), 0)
	})
}

func TestATokenThatCouldNotBeSaved(t *testing.T) {
	for name, rotates := range map[string]bool{"not rotated": false, "rotated": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = rotates })
				cookie := h.process().signIn(asanatest.Member)
				h.expire()
				before := h.hot(cookie)
				away := false
				h.table.Hook = func(context.Context, storetest.Op) (bool, error) { return !away, failIf(away, errAway) }
				h.inRequest("refresh_token", func() { away = true })
				began := time.Now()
				token, err := h.process().token(cookie, 0)
				if took := time.Since(began); took != 2*time.Second {
					t.Errorf("tried to save for %v, want the reserve of 2s", took)
				}
				hot := h.hot(cookie)
				if string(hot.Refresh) != string(before.Refresh) || hot.Grant != 1 {
					t.Error("the old row did not stay")
				}
				if !rotates {
					if err != nil || token.ExpiresIn < 59*time.Minute {
						t.Errorf("got %v, %v: want the new token all the same", token.ExpiresIn, err)
					}
					wantCount(t, "alarms", h.log.says("level", "ERROR"), 0)
					return
				}
				wantKind(t, err, asanaauth.TryAgain)
				wantCount(t, "alarms", h.log.says("alarm", "rotated_token_unsaved"), 1)
			})
		})
	}
}

func TestAnotherClientIDAsksAndChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		before := h.hot(cookie)
		_, err := h.process(func(s *settings) { s.clientID = "999" }).token(cookie, 0)
		wantKind(t, err, asanaauth.Misconfigured)
		wantCount(t, "requests", h.refreshes(), 0)
		if h.hot(cookie).Rev != before.Rev {
			t.Error("the row was written")
		}
		wantCount(t, "alarms", h.log.says("alarm", "wrong_client_id"), 1)
		h.process().mustToken(cookie, 0)
	})
}

func TestRefreshTokens(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*asanatest.Switches)
		rotated bool
	}{
		"absent keeps the old one": {func(s *asanatest.Switches) { s.RefreshTokenOnRefresh = "absent" }, false},
		"the same one":             {func(s *asanatest.Switches) { s.RefreshTokenOnRefresh = "same" }, true},
		"a new one replaces it":    {func(s *asanatest.Switches) { s.RotateRefreshTokens = true }, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				h.switches(c.change)
				cookie := h.process().signIn(asanatest.Member)
				for range 3 {
					before := h.hot(cookie)
					h.expire()
					h.process().mustToken(cookie, 0)
					if got := string(before.Refresh) != string(h.hot(cookie).Refresh); got != c.rotated {
						t.Errorf("the sealed refresh token moved: %v, want %v", got, c.rotated)
					}
				}
				wantCount(t, "refreshes", h.refreshes(), 3)
			})
		})
	}
}

func TestAKeptRefreshTokenMovesToThePrimaryKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		primary := h.rotateKey()
		h.process().mustToken(cookie, 0)
		hot := h.hot(cookie)
		for name, sealed := range map[string]secret.Sealed{"access": hot.Access, "refresh": hot.Refresh} {
			if id, _ := seal.KeyOf(sealed); id != primary {
				t.Errorf("the %s token is sealed with key %d, want the primary %d", name, id, primary)
			}
		}
		h.expire()
		h.process().mustToken(cookie, 0)
	})
}

// The kept secret is refused: it is fetched again, and the new one tried in the
// same refresh.
func TestASecretThatIsReplacedIsFetchedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.AccessTokenSeconds = 60 })
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.app(func(a *asanatest.App) { a.ClientSecret, a.NextClientSecret = "second secret", "" })
		h.secrets.set(nil, "second secret")
		time.Sleep(58 * time.Second)
		p.mustToken(cookie, 0)
		wantCount(t, "fetches", h.secrets.calls, 2)
		wantCount(t, "requests", h.refreshes(), 2)
		wantCount(t, "alarms", h.log.says("alarm", "client_secret_rejected"), 0)
	})
}

func TestAKnownSecretServesWhileItsSourceIsAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.expire()
		h.secrets.set(errors.New("away"))
		p.mustToken(cookie, 0)
		wantCount(t, "fetches", h.secrets.calls, 2)
	})
}

func TestTheSecretThatWorkedIsTriedFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.app(func(a *asanatest.App) { a.ClientSecret, a.NextClientSecret = "second secret", "" })
		h.secrets.set(nil, "first secret", "second secret")
		h.expire()
		p.mustToken(cookie, 0)
		wantCount(t, "requests of the first refresh", h.refreshes(), 2)
		h.expire()
		p.mustToken(cookie, 0)
		wantCount(t, "requests of both", h.refreshes(), 3)
	})
}

func TestNoSecretWorks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.app(func(a *asanatest.App) { a.ClientSecret, a.NextClientSecret = "a third one", "" })
		h.expire()
		fetched := h.secrets.calls
		_, err := p.token(cookie, 0)
		wantKind(t, err, asanaauth.Misconfigured)
		wantCount(t, "alarms", h.log.says("alarm", "client_secret_rejected"), 1)
		hot := h.hot(cookie)
		if hot.Status != store.Active || hot.Lease != "" || !hot.CoolUntil.After(time.Now()) {
			t.Errorf("row: %s, lease %q, cooling until %v", hot.Status, hot.Lease, hot.CoolUntil)
		}
		for range 5 {
			time.Sleep(9 * time.Second)
			_, err := p.token(cookie, 0)
			wantKind(t, err, asanaauth.Misconfigured)
		}
		if got := h.secrets.calls - fetched; got > 3 {
			t.Errorf("the secret was fetched %d times in 45 seconds, want one in 30", got)
		}
	})
}

func TestTwoSecretsShareEightSeconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.app(func(a *asanatest.App) { a.ClientSecret, a.NextClientSecret = "second secret", "" })
		h.secrets.set(nil, "first secret", "second secret")
		h.expire()
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Times: 2, Delay: 6 * time.Second})
		began := time.Now()
		_, err := p.token(cookie, 0)
		wantKind(t, err, asanaauth.AsanaUnavailable)
		if took := time.Since(began); took != 8*time.Second {
			t.Errorf("took %v, want 8s together", took)
		}
	})
}

func (h *house) app(change func(*asanatest.App)) {
	h.t.Helper()
	if err := h.asana.UpdateApp(clientID, change); err != nil {
		h.t.Fatal(err)
	}
}

func TestAnAnswerWithoutExpiryLivesTheDocumentedHour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Body: `{"access_token":"new","token_type":"bearer"}`})
		if got := h.process().mustToken(cookie, 0).ExpiresIn; got != time.Hour {
			t.Errorf("ExpiresIn = %v, want 1h", got)
		}
	})
}
