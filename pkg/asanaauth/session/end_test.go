package session_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestASessionEndsAtItsAbsoluteEnd(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process(func(s *authtest.Settings) { s.SessionTTL, s.IdleTTL = 5*time.Hour, 2*time.Hour })
		cookie := p.SignIn(asanatest.Member)
		end := time.Now().Add(5 * time.Hour)
		for time.Until(end) > 30*time.Minute {
			time.Sleep(30 * time.Minute)
			if time.Until(end) == 0 {
				break
			}
			p.Session(cookie)
			if row := inst.Rows.SessionRow(cookie); row.IdleEnd.After(row.End) || !row.End.Equal(end) {
				t.Errorf("idle end %v, end %v, want %v", row.IdleEnd, row.End, end)
			}
		}
		time.Sleep(time.Until(end) - time.Millisecond)
		p.Session(cookie)
		time.Sleep(time.Millisecond)
		authtest.WantKind(t, open(p, cookie), asanaauth.Unauthenticated)
	})
}

// If the idle timeout is longer than the session's lifetime, the idle timeout has no
// effect.
func TestTheAbsoluteEndBoundsTheIdleEnd(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process(func(s *authtest.Settings) { s.SessionTTL, s.IdleTTL = time.Minute, 168*time.Hour })
		cookie := p.SignIn(asanatest.Member)
		if row := inst.Rows.SessionRow(cookie); !row.IdleEnd.Equal(row.End) {
			t.Errorf("idle end %v, end %v", row.IdleEnd, row.End)
		}
		time.Sleep(time.Minute)
		authtest.WantKind(t, open(p, cookie), asanaauth.Unauthenticated)
	})
}

func TestASessionEndsWhenItIsIdle(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process(func(s *authtest.Settings) { s.IdleTTL = 2 * time.Hour })
		cookie, early := p.SignIn(asanatest.Member), p.SignIn(asanatest.Member)
		time.Sleep(time.Hour - time.Millisecond)
		p.Session(early) // less than an hour after the start, so the idle timeout is not extended
		time.Sleep(time.Hour)
		p.Session(cookie)
		time.Sleep(time.Millisecond)
		authtest.WantKind(t, open(p, early), asanaauth.Unauthenticated)
		p.Session(cookie)
	})
}

func TestTheIdleTimeoutIsExtendedAtMostHourly(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process(func(s *authtest.Settings) { s.IdleTTL = 2 * time.Hour })
		cookie := p.SignIn(asanatest.Member)
		first := inst.Rows.SessionRow(cookie)
		inst.Table.Reset()
		time.Sleep(time.Hour - time.Millisecond)
		p.Session(cookie)
		authtest.WantCount(t, "writes before an hour", inst.Table.Count("write"), 0)
		time.Sleep(time.Millisecond)
		// Open uses the timeouts in the session's row, and not the settings of the
		// process that opens the session.
		p = inst.Process(func(s *authtest.Settings) { s.IdleTTL, s.SessionTTL = 50*time.Hour, 10*time.Hour })
		p.Session(cookie)
		authtest.WantCount(t, "writes at an hour", inst.Table.Count("write"), 1)
		row := inst.Rows.SessionRow(cookie)
		if !row.IdleEnd.Equal(time.Now().Add(2*time.Hour)) || row.IdleTTL != 2*time.Hour || !row.End.Equal(first.End) {
			t.Errorf("moved to %v: %+v", row.IdleEnd, row)
		}
		if slices.Equal(row.Proof, first.Proof) {
			t.Error("the proof did not change")
		}
		for range 10 {
			inst.Process().Session(cookie)
			time.Sleep(6*time.Minute - time.Millisecond)
		}
		authtest.WantCount(t, "writes in the next hour", inst.Table.Count("write"), 1)
		time.Sleep(time.Second)
		inst.Process().Session(cookie)
		authtest.WantCount(t, "writes after that hour", inst.Table.Count("write"), 2)
	})
}

// A session that is used often enough lasts until its absolute end. The last extension of
// the idle timeout goes up to the absolute end, even if that adds less than an hour.
func TestTheLastExtensionReachesTheAbsoluteEnd(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process(func(s *authtest.Settings) { s.SessionTTL, s.IdleTTL = 150*time.Minute, 2*time.Hour })
		cookie := p.SignIn(asanatest.Member)
		inst.Table.Reset()
		time.Sleep(59 * time.Minute)
		p.Session(cookie)
		authtest.WantCount(t, "writes before an hour", inst.Table.Count("write"), 0)
		time.Sleep(31 * time.Minute)
		p.Session(cookie)
		time.Sleep(60*time.Minute - time.Millisecond)
		p.Session(cookie)
		authtest.WantCount(t, "writes", inst.Table.Count("write"), 1)
	})
}

// If extending the idle timeout fails, Open returns no error, and the next request
// extends the timeout.
func TestAFailedExtensionIsIgnored(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(*authtest.Installation, secret.String) (bool, error){
		"the table is down":    func(*authtest.Installation, secret.String) (bool, error) { return false, authtest.ErrTableDown },
		"its response is lost": func(*authtest.Installation, secret.String) (bool, error) { return true, authtest.ErrTableDown },
		"another process moved it": func(inst *authtest.Installation, cookie secret.String) (bool, error) {
			inst.Table.Hook = nil
			inst.Process().Session(cookie)
			return true, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				cookie := inst.Process().SignIn(asanatest.Member)
				time.Sleep(2 * time.Hour)
				inst.Table.Reset()
				inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
					if op.Name == "write" {
						return hook(inst, cookie)
					}
					return true, nil
				}
				p := inst.Process()
				s := p.Session(cookie)
				inst.Table.Hook = nil
				if _, err := p.Sessions.Profile(t.Context(), s); err != nil {
					t.Errorf("Profile() = %v", err)
				}
				inst.Process().Session(cookie)
				if err := p.Sessions.SignOut(t.Context(), s); err != nil {
					t.Errorf("SignOut() = %v", err)
				}
				authtest.WantKind(t, open(p, cookie), asanaauth.Unauthenticated)
			})
		})
	}
}

func TestSigningOutEndsOnlyThisBrowsersSession(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		here, elsewhere := p.SignIn(asanatest.Member), p.SignIn(asanatest.Member)
		s, again := p.Session(here), p.Session(here)
		if err := p.Sessions.SignOut(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		authtest.WantKind(t, open(p, here), asanaauth.Unauthenticated)
		p.MustToken(elsewhere, 0)
		if err := p.Sessions.SignOut(t.Context(), again); err != nil {
			t.Errorf("signing out twice: %v", err)
		}
		inst.Rows.WantOneConnection(1)
		authtest.WantCount(t, "revocations", inst.Revocations(), 0)
	})
}

func TestSigningOutWithTheTableDown(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		s := p.Session(cookie)
		inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, authtest.ErrTableDown }
		authtest.WantKind(t, p.Sessions.SignOut(t.Context(), s), asanaauth.TryAgain)
		inst.Table.Hook = nil
		p.Session(cookie)
	})
}

func TestASessionEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		here, elsewhere, other := p.SignIn(asanatest.Member), p.SignIn(asanatest.Member), p.SignIn(asanatest.Guest)
		if _, err := p.Disconnect(here); err != nil {
			t.Fatal(err)
		}
		authtest.WantKind(t, open(p, here), asanaauth.Unauthenticated)
		authtest.WantKind(t, open(p, elsewhere), asanaauth.Unauthenticated)
		p.MustToken(other, 0)
		again := p.SignIn(asanatest.Member)
		p.MustToken(again, 0)
		authtest.WantKind(t, open(p, elsewhere), asanaauth.Unauthenticated)
	})
}
