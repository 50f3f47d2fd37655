package asanaauth_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func (p *process) refused(cookie secret.String, of asanaauth.Token) (asanaauth.Token, error) {
	return p.ask(context.Background(), cookie, asanaauth.TokenRequest{Refused: refusedHash(of)})
}

func TestARefusedTokenIsRefreshedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		old := p.mustToken(cookie, 0)
		h.table.Reset()
		token, err := p.refused(cookie, old)
		if err != nil || token.Access.Equal(old.Access) {
			t.Fatalf("got the refused token, or %v", err)
		}
		wantCount(t, "refreshes", h.refreshes(), 1)
		wantCount(t, "writes", h.table.Count("write"), 2)
	})
}

func TestAReportOfAnotherTokenGetsTheNewerOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		old := p.mustToken(cookie, 0)
		newer, err := p.refused(cookie, old)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			got, err := p.refused(cookie, old)
			if err != nil || !got.Access.Equal(newer.Access) {
				t.Errorf("got another token than the row's, or %v", err)
			}
		}
		wantCount(t, "refreshes", h.refreshes(), 1)
	})
}

func TestRefusedIsTakenOnceInThirtySeconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		first, err := p.refused(cookie, p.mustToken(cookie, 0))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		_, err = p.refused(cookie, first)
		wantKind(t, err, asanaauth.TryAgain)
		var e *asanaauth.Error
		if !errors.As(err, &e) || e.RetryAfter != 20*time.Second {
			t.Errorf("RetryAfter of %v, want 20s", err)
		}
		// It is handed out to nobody, and nobody makes the refresh come earlier.
		_, err = h.process().token(cookie, 0)
		wantKind(t, err, asanaauth.TryAgain)
		_, err = p.refused(cookie, first)
		wantKind(t, err, asanaauth.TryAgain)
		wantCount(t, "refreshes", h.refreshes(), 1)
		time.Sleep(20 * time.Second)
		if second := h.process().mustToken(cookie, 0); second.Access.Equal(first.Access) {
			t.Error("after 30 seconds: the refused token")
		}
		wantCount(t, "refreshes", h.refreshes(), 2)
	})
}

func TestFiftyReportsMakeOneRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		old := h.process().mustToken(cookie, 0)
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: 2 * time.Second})
		tokens := make(chan asanaauth.Token, 50)
		for i := range 50 {
			p := h.process(func(s *settings) { s.joined = i%2 == 0 })
			go func() {
				token, err := p.refused(cookie, old)
				if err != nil {
					t.Errorf("reporting: %v", err)
				}
				tokens <- token
			}()
		}
		for range 50 {
			if token := <-tokens; token.Access.Equal(old.Access) {
				t.Error("somebody was served the refused token")
			}
		}
		wantCount(t, "refreshes", h.refreshes(), 1)
	})
}

// A caller who reported nothing is not served what another one reported,
// neither while the refresh is under way nor after it failed.
func TestARefusedTokenIsHandedOutToNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		old := h.process().mustToken(cookie, 0)
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Status: 503, Before: func(*http.Request) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := h.process().ask(ctx, cookie, asanaauth.TokenRequest{})
			wantKind(t, err, asanaauth.TryAgain)
		}})
		_, err := h.process().refused(cookie, old)
		wantKind(t, err, asanaauth.AsanaUnavailable)
		_, err = h.process().token(cookie, 0)
		wantKind(t, err, asanaauth.TryAgain)
		time.Sleep(8 * time.Second)
		if token := h.process().mustToken(cookie, 0); token.Access.Equal(old.Access) {
			t.Error("the refused token was handed out")
		}
	})
}

// A report that meets somebody else's refresh waits for it, and is not served
// the reported token although that still has time left.
func TestAReportDuringARefreshWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		old := h.process().mustToken(cookie, 0)
		time.Sleep(58 * time.Minute)
		var reported asanaauth.Token
		done := make(chan struct{})
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: 2 * time.Second, Before: func(*http.Request) {
			go func() {
				defer close(done)
				var err error
				if reported, err = h.process().refused(cookie, old); err != nil {
					t.Errorf("reporting: %v", err)
				}
			}()
		}})
		holder := h.process().mustToken(cookie, 300*time.Second)
		<-done
		if !reported.Access.Equal(holder.Access) {
			t.Error("the reporter was not served the holder's token")
		}
		wantCount(t, "refreshes", h.refreshes(), 1)
	})
}

func TestAReportDoesNotBreakTheCoolDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		old := h.process().mustToken(cookie, 0)
		h.edit(cookie, func(hot *store.Hot) { hot.CoolUntil = time.Now().Add(time.Minute) })
		_, err := h.process().refused(cookie, old)
		wantKind(t, err, asanaauth.TryAgain)
		_, err = h.process().token(cookie, 0)
		wantKind(t, err, asanaauth.TryAgain)
		wantCount(t, "refreshes", h.refreshes(), 0)
		time.Sleep(time.Minute)
		if token := h.process().mustToken(cookie, 0); token.Access.Equal(old.Access) {
			t.Error("after the cool-down: the refused token")
		}
	})
}
