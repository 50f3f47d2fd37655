package session_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
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
				if err := p.Sessions.SignOut(t.Context(), cookie); err != nil {
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
		for range 2 { // signing out again does nothing
			if err := p.Sessions.SignOut(t.Context(), here); err != nil {
				t.Fatal(err)
			}
			authtest.WantKind(t, open(p, here), asanaauth.Unauthenticated)
		}
		p.MustToken(elsewhere, 0)
		inst.Rows.WantOneConnection(1)
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditSignedOut), 1)
		authtest.WantCount(t, "revocations", inst.Revocations(), 0)
	})
}

// Signing out succeeds with every value of the cookie, so that a page can always delete
// the cookie. The end of a session that has already ended has no audit line.
func TestSigningOutWithoutAValidSession(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		id := authtest.ConnectionOf(cookie)
		p.SignIn(asanatest.Member)
		signOut := map[string]func(context.Context, secret.String) error{"": p.Sessions.SignOut, " everywhere": p.Sessions.SignOutEverywhere}
		epoch := inst.Rows.Hot(id).Epoch
		for _, value := range []string{"", "x", ".", id, id + ".", id + ".x", "con_" + strings.Repeat("a", 32) + ".x"} {
			for name, end := range signOut {
				if err := end(t.Context(), secret.New(value)); err != nil {
					t.Errorf("signing out%s with %q: %v", name, value, err)
				}
			}
		}
		time.Sleep(168 * time.Hour) // both sessions end
		for name, end := range signOut {
			if err := end(t.Context(), cookie); err != nil {
				t.Errorf("signing out%s after the idle timeout: %v", name, err)
			}
		}
		if now := inst.Rows.Hot(id).Epoch; now != epoch {
			t.Errorf("the epoch is %s, want %s: no valid session asked for a new one", now, epoch)
		}
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditSignedOut)+inst.Log.Says("audit", row.AuditSessionsEnded), 0)
	})
}

// A forged session row must not end the sessions of its connection. Signing out only
// deletes the row itself.
func TestAForgedSessionEndsNoOtherSession(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		victim := p.SignIn(asanatest.Admin)
		mine := secret.New(authtest.ConnectionOf(victim) + ".mine")
		forged := inst.Rows.SessionRow(victim)
		forged.Cookie = store.HashText(mine.Reveal())
		inst.Rows.Forge(forged)
		if err := p.Sessions.SignOutEverywhere(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		if err := p.Sessions.SignOut(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		p.Session(victim)
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditSessionsEnded), 0)
	})
}

// While KMS is unavailable, a person can still sign out of this browser.
func TestSigningOutWithoutKeys(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		p := inst.Process()
		inst.KMS.Hook = func(string) error { return seal.ErrUnavailable }
		authtest.WantKind(t, open(p, cookie), asanaauth.TryAgain)
		if err := p.Sessions.SignOut(t.Context(), cookie); err != nil {
			t.Fatal(err)
		}
		inst.KMS.Hook = nil
		authtest.WantKind(t, open(inst.Process(), cookie), asanaauth.Unauthenticated)
	})
}

func TestAllSessionsOfAConnectionEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    func(p *authtest.Process, cookie secret.String) error
		caller func(cookie secret.String) string
	}{
		"by a browser": {func(p *authtest.Process, cookie secret.String) error {
			return p.Sessions.SignOutEverywhere(context.Background(), cookie)
		}, session.CallerOf},
		"by a backend": {func(p *authtest.Process, cookie secret.String) error {
			conn, err := p.Connections.Open(authtest.BackendContext(), connection.Ref{ID: authtest.ConnectionOf(cookie)})
			if err != nil {
				return err
			}
			return p.Connections.EndSessions(authtest.BackendContext(), conn)
		}, func(secret.String) string { return authtest.Backend }},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				here, there, other := p.SignIn(asanatest.Member), p.SignIn(asanatest.Member), p.SignIn(asanatest.Guest)
				code, _, err := p.Sessions.Code(t.Context(), p.Session(there))
				if err != nil {
					t.Fatal(err)
				}
				before := inst.Rows.Hot(authtest.ConnectionOf(here))
				if err := c.end(p, here); err != nil {
					t.Fatal(err)
				}
				for _, cookie := range []secret.String{here, there} {
					authtest.WantKind(t, open(p, cookie), asanaauth.Unauthenticated)
				}
				_, err = p.SessionCodes.Redeem(authtest.BackendContext(), code)
				authtest.WantKind(t, err, asanaauth.LinkExpired)
				p.Session(other)
				lines := inst.Log.Lines("audit")
				want := map[string]any{
					"msg": "audit", "audit": row.AuditSessionsEnded, "connection": before.Connection, "owner_hash": before.Owner.String(), "caller": c.caller(here),
				}
				if diff := cmp.Diff(want, lines[len(lines)-1]); diff != "" {
					t.Errorf("audit line (-want +got):\n%s", diff)
				}
				authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditSessionsEnded), 1)
				// The connection stays, and a new session works.
				kept, now := *before, inst.Rows.Hot(before.Connection)
				kept.Epoch, kept.Head = now.Epoch, now.Head
				if diff := cmp.Diff(&kept, now); diff != "" || now.Epoch == before.Epoch {
					t.Errorf("the row (-want +got):\n%s", diff)
				}
				p.MustToken(p.SignIn(asanatest.Member), 0)
			})
		})
	}
}

// A refresh that is running when all sessions end must still save its tokens. If Asana
// rotates, they would otherwise be lost. The session that asked gets no token.
func TestSessionsEndDuringARefresh(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		p := inst.Process()
		asking, ending := p.SignIn(asanatest.Member), p.SignIn(asanatest.Member)
		inst.Expire()
		grant := inst.Rows.Hot(asking.Reveal()).Grant
		inst.InRequest("refresh_token", func() {
			if err := inst.Process().Sessions.SignOutEverywhere(context.Background(), ending); err != nil {
				t.Error(err)
			}
		})
		_, err := p.Token(asking, 0)
		authtest.WantKind(t, err, asanaauth.Unauthenticated)
		if hot := inst.Rows.Hot(asking.Reveal()); hot.Grant != grant+1 || hot.Lease != "" || hot.Status != string(asanaauth.Active) {
			t.Errorf("the row after the refresh: %+v", hot)
		}
		inst.Expire()
		p.MustToken(p.SignIn(asanatest.Member), 0)
	})
}

// A connection that is revoking or disconnected has no sessions, so ending them changes
// nothing.
func TestEndingTheSessionsOfAnEndedConnection(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]bool{"revoking": true, "disconnected": false} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				inst.Switches(func(s *asanatest.Switches) { s.Down = down })
				if _, err := p.Disconnect(cookie); err != nil {
					t.Fatal(err)
				}
				before := inst.Rows.Hot(cookie.Reveal())
				conn, err := p.Connections.Open(t.Context(), connection.Ref{ID: before.Connection})
				if err != nil {
					t.Fatal(err)
				}
				if err := p.Connections.EndSessions(t.Context(), conn); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, inst.Rows.Hot(cookie.Reveal())); diff != "" {
					t.Errorf("the row (-want +got):\n%s", diff)
				}
				authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditSessionsEnded), 0)
			})
		})
	}
}

// A connection changes between the read of its rows and the write that ends its sessions.
func TestEndingTheSessionsOfAConnectionThatHasChanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change   func(inst *authtest.Installation, id string)
		browser  asanaauth.ErrorKind
		backend  asanaauth.ErrorKind
		byOthers bool // whether a backend still ends the sessions
	}{
		"deleted": {func(inst *authtest.Installation, id string) { inst.Rows.Delete(store.HotKey(id)) }, "", asanaauth.NotFound, false},
		"forged": {func(inst *authtest.Installation, id string) {
			inst.Rows.Edit(id, func(hot *store.Hot) { hot.Owner = store.HashText("evil") })
		}, asanaauth.Internal, asanaauth.Internal, false},
		"the session has ended": {func(inst *authtest.Installation, id string) {
			inst.Rows.Edit(id, func(hot *store.Hot) { hot.Epoch = "fedcba9876543210" })
		}, "", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			for byBackend, want := range map[bool]asanaauth.ErrorKind{false: c.browser, true: c.backend} {
				authtest.Bubble(t, func(t *testing.T) {
					inst := authtest.New(t)
					p := inst.Process()
					cookie := p.SignIn(asanatest.Member)
					id := authtest.ConnectionOf(cookie)
					conn := p.Open(id)
					changed := false
					inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
						if op.Name == "write" && !changed {
							changed = true
							c.change(inst, id)
						}
						return true, nil
					}
					var err error
					if byBackend {
						err = p.Connections.EndSessions(t.Context(), conn)
					} else {
						err = p.Sessions.SignOutEverywhere(t.Context(), cookie)
					}
					authtest.WantKind(t, err, want)
					lines := 0
					if byBackend && c.byOthers {
						lines = 1
					}
					authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditSessionsEnded), lines)
				})
			}
		})
	}
}

// An attacker changes a connection's row. The audit line of a sign-out would contain the
// attacker's values, so none is written.
func TestSigningOutOfAForgedConnection(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Owner = store.HashText("evil") })
		if err := p.Sessions.SignOut(t.Context(), cookie); err != nil {
			t.Fatal(err)
		}
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditSignedOut), 0)
		if kept := inst.Rows.Kept(); kept["*store.Session"] != 0 {
			t.Errorf("rows %v, want no session", kept)
		}
	})
}

func TestSigningOutWithTheTableDown(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, authtest.ErrTableDown }
		authtest.WantKind(t, p.Sessions.SignOut(t.Context(), cookie), asanaauth.TryAgain)
		authtest.WantKind(t, p.Sessions.SignOutEverywhere(t.Context(), cookie), asanaauth.TryAgain)
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditSignedOut)+inst.Log.Says("audit", row.AuditSessionsEnded), 0)
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
