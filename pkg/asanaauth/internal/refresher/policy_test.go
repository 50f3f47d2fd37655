package refresher_test

import (
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestAFreshTokenCostsOneRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Table.Reset()
		if got := p.MustToken(cookie, someTTL).ExpiresIn; got != time.Hour {
			t.Errorf("ExpiresIn = %v, want 1h", got)
		}
		authtest.WantCount(t, "reads", inst.Table.Count("read"), 1)
		authtest.WantCount(t, "writes", inst.Table.Count("write"), 0)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
	})
}

func TestMinTTL(t *testing.T) {
	for _, c := range []struct {
		name           string
		lifetime, used time.Duration
		minTTL         time.Duration
		refreshed      bool
	}{
		{"enough left", time.Hour, 54 * time.Minute, 300 * time.Second, false},
		{"exactly enough, but nothing for the response", time.Hour, 55 * time.Minute, 300 * time.Second, true},
		{"not enough left", time.Hour, 56 * time.Minute, 300 * time.Second, true},
		{"more than half of the lifetime asked, half left", time.Hour, 29 * time.Minute, 3000 * time.Second, false},
		{"more than half of the lifetime asked, less left", time.Hour, 31 * time.Minute, 3000 * time.Second, true},
		{"short-lived, half left", 20 * time.Second, 9 * time.Second, 300 * time.Second, false},
		{"short-lived, less left", 20 * time.Second, 11 * time.Second, 300 * time.Second, true},
		{"none asked, valid", time.Hour, 59*time.Minute + 50*time.Second, 0, false},
		{"none asked, about to expire", time.Hour, 59*time.Minute + 56*time.Second, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.Switches(func(s *asanatest.Switches) { s.AccessTokenSeconds = int(c.lifetime.Seconds()) })
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				time.Sleep(c.used)
				p.MustToken(cookie, c.minTTL)
				if got := inst.Refreshes() == 1; got != c.refreshed {
					t.Errorf("refreshed: %v, want %v", got, c.refreshed)
				}
			})
		})
	}
}

// A row can contain times that are too far in the future, written by an attacker or by a
// process with a wrong clock. Such times must not delay or prevent a refresh.
func TestTimesInTheFutureAreIgnored(t *testing.T) {
	const years = 10 * 365 * 24 * time.Hour
	for name, change := range map[string]func(*store.Hot){
		"cool-down": func(hot *store.Hot) { hot.CoolUntil, hot.Expires = time.Now().Add(years), time.Now() },
		"cool-down of six minutes": func(hot *store.Hot) {
			hot.CoolUntil, hot.Expires = time.Now().Add(6*time.Minute), time.Now()
		},
		"token": func(hot *store.Hot) {
			hot.Issued, hot.Expires = time.Now().Add(years), time.Now().Add(years+time.Hour)
		},
		"report": func(hot *store.Hot) { hot.RefusedAt = time.Now().Add(years) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				old := p.MustToken(cookie, 0)
				inst.Rows.Edit(cookie.Reveal(), change)
				got, err := p.Refused(cookie, old)
				if err != nil || got.Access.Equal(old.Access) || got.ExpiresIn > time.Hour {
					t.Errorf("got a token that expires in %v, %v", got.ExpiresIn, err)
				}
			})
		})
	}
}

func TestATokenFromTheFutureIsNotServed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) {
			hot.Issued, hot.Expires = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		})
		if got := p.MustToken(cookie, 0).ExpiresIn; got != time.Hour {
			t.Errorf("got a token that expires in %v, want a refreshed token", got)
		}
		// A token that was issued 2 seconds in the future must be returned, because the
		// clocks of two machines may differ by up to 3 seconds.
		inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Issued = time.Now().Add(2 * time.Second) })
		p.MustToken(cookie, 0)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
	})
}
