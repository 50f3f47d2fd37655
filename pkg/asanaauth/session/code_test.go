package session_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestASessionCodeIsRedeemedOnce(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		code, end, err := p.Sessions.Code(t.Context(), p.Session(cookie))
		if err != nil || !end.Equal(time.Now().Add(time.Minute)) {
			t.Fatalf("Code() = %v, %v", end, err)
		}
		results := make(chan error, 20)
		for range 20 {
			go func() {
				d, err := inst.Process().SessionCodes.Redeem(authtest.BackendContext(), code)
				if err == nil && (d.ID != authtest.ConnectionOf(cookie) || d.Owner != "asana:"+asanatest.Member || d.AttributedTo.GID != asanatest.Member) {
					err = fmt.Errorf("got %+v", d)
				}
				results <- err
			}()
		}
		won := 0
		for range 20 {
			if err := <-results; err == nil {
				won++
			} else {
				authtest.WantKind(t, err, asanaauth.LinkExpired)
			}
		}
		authtest.WantCount(t, "winners", won, 1)
		for _, row := range inst.Rows.All() {
			if authtest.Holds(row, code.Reveal()) {
				t.Errorf("a %T contains the code", row)
			}
			if x, ok := row.(*store.SessionCode); ok && (!x.Spent || len(x.Proof) > 0 || x.Connection != "") {
				t.Errorf("the marker contains more than the hash and the end: %+v", x)
			}
		}
	})
}

// Two backends redeem the same code, and both have found it valid before either of them
// writes. Only one may succeed.
func TestOverlappingRedeemersOfASessionCode(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		code, _, err := p.Sessions.Code(t.Context(), p.Session(cookie))
		if err != nil {
			t.Fatal(err)
		}
		const redeemers = 2
		var writes atomic.Int32
		all := make(chan struct{}) // closed when each redeemer has read the code and is about to write
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" && strings.HasPrefix(op.Keys[0].PK, "x#") {
				if writes.Add(1) == redeemers {
					close(all)
				}
				<-all
			}
			return true, nil
		}
		results := make(chan error, redeemers)
		for range redeemers {
			go func() {
				_, err := inst.Process().SessionCodes.Redeem(authtest.BackendContext(), code)
				results <- err
			}()
		}
		won := 0
		for range redeemers {
			if err := <-results; err == nil {
				won++
			} else {
				authtest.WantKind(t, err, asanaauth.LinkExpired)
			}
		}
		authtest.WantCount(t, "winners", won, 1)
	})
}

func TestWhenASessionCodeCanBeRedeemed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then  func(inst *authtest.Installation, p *authtest.Process, cookie secret.String)
		alive bool
	}{
		"at once":          {func(*authtest.Installation, *authtest.Process, secret.String) {}, true},
		"after 59 seconds": {func(*authtest.Installation, *authtest.Process, secret.String) { time.Sleep(59 * time.Second) }, true},
		"after a minute":   {func(*authtest.Installation, *authtest.Process, secret.String) { time.Sleep(time.Minute) }, false},
		"signed out": {func(inst *authtest.Installation, p *authtest.Process, cookie secret.String) {
			if err := p.Sessions.SignOut(inst.T.Context(), cookie); err != nil {
				inst.T.Fatal(err)
			}
		}, false},
		"disconnected": {func(inst *authtest.Installation, p *authtest.Process, cookie secret.String) {
			if _, err := p.Disconnect(cookie); err != nil {
				inst.T.Fatal(err)
			}
		}, false},
		"broken": {func(inst *authtest.Installation, p *authtest.Process, cookie secret.String) {
			inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Status = string(asanaauth.Broken) })
		}, true},
		"another epoch": {func(inst *authtest.Installation, p *authtest.Process, cookie secret.String) {
			inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Epoch = "another" })
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				code, _, err := p.Sessions.Code(t.Context(), p.Session(cookie))
				if err != nil {
					t.Fatal(err)
				}
				c.then(inst, p, cookie)
				_, err = p.SessionCodes.Redeem(authtest.BackendContext(), code)
				if c.alive && err != nil {
					t.Errorf("Redeem() = %v, want success", err)
				}
				if !c.alive {
					authtest.WantKind(t, err, asanaauth.LinkExpired)
				}
			})
		})
	}
	inst := authtest.New(t)
	for _, bad := range []string{"", "x", "con_a.b"} {
		_, err := inst.Process().SessionCodes.Redeem(authtest.BackendContext(), secret.New(bad))
		authtest.WantKind(t, err, asanaauth.LinkExpired)
	}
}

// An attacker who can write the table cannot make a session code for another person's
// session.
func TestForgedSessionCodes(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(code *store.SessionCode, session *store.Session){
		"another session": func(c *store.SessionCode, s *store.Session) {
			c.Session, c.Connection, c.Epoch = s.Cookie, s.Connection, s.Epoch
		},
		"a later end":        func(c *store.SessionCode, _ *store.Session) { c.End = c.End.Add(time.Hour) },
		"another connection": func(c *store.SessionCode, s *store.Session) { c.Connection = s.Connection },
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				victim := p.SignIn(asanatest.Admin)
				code, _, err := p.Sessions.Code(t.Context(), p.Session(p.SignIn(asanatest.Member)))
				if err != nil {
					t.Fatal(err)
				}
				row := authtest.Row[*store.SessionCode](inst.Rows, store.SessionCodeKey(store.HashText(code.Reveal())))
				forge(row, inst.Rows.SessionRow(victim))
				inst.Rows.Forge(row)
				_, err = p.SessionCodes.Redeem(authtest.BackendContext(), code)
				authtest.WantKind(t, err, asanaauth.LinkExpired)
			})
		})
	}
}

// If an attacker changes a session's row, the session's code can no longer be redeemed.
func TestASessionCodeOfAChangedSession(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		code, _, err := p.Sessions.Code(t.Context(), p.Session(cookie))
		if err != nil {
			t.Fatal(err)
		}
		row := inst.Rows.SessionRow(cookie)
		row.End = row.End.Add(time.Hour)
		inst.Rows.Forge(row)
		_, err = p.SessionCodes.Redeem(authtest.BackendContext(), code)
		authtest.WantKind(t, err, asanaauth.LinkExpired)
	})
}
