package link_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A token in a stored consent expires an hour after Asana issued the token, no matter
// when the backend redeems the consent.
func TestAHeldTokenAges(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		code := p.Follow(p.Link(link.Request{Owner: "o"}), asanatest.Member)
		issued := time.Now()
		time.Sleep(9 * time.Minute)
		d, err := p.Redeem(code, "o", "")
		if err != nil {
			t.Fatal(err)
		}
		if want := issued.Add(time.Hour); !d.ExpiresAt.Equal(want) {
			t.Errorf("expires at %v, want %v", d.ExpiresAt, want)
		}
	})
}

// TestAForwardedLink simulates the attack that links must prevent. The attacker sends
// their own link to the victim, and the victim consents. Neither the attacker nor the
// victim can redeem the code.
func TestAForwardedLink(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ linkPerson, owner, person string }{
		// In this app, each owner is one person. The victim is signed in to the app with
		// their own account, and their browser brings the code to the app.
		"the victim's own app account": {"", "victim", ""},
		// In this app, an owner is a tenant. Both the attacker and the victim belong to
		// the tenant.
		"the same tenant, another person": {"attacker", "tenant", "victim"},
		"the same tenant, no person":      {"attacker", "tenant", ""},
		"a person the link does not name": {"", "tenant", "victim"},
		"another tenant, the same person": {"attacker", "victims tenant", "attacker"},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				request := link.Request{Owner: "attacker", Person: c.linkPerson}
				if strings.HasPrefix(name, "the same tenant") || strings.HasPrefix(name, "a person") {
					request.Owner = "tenant"
				}
				token := p.Link(request)
				code := p.Follow(token, asanatest.Member)
				_, err := p.Redeem(code, c.owner, c.person)
				authtest.WantKind(t, err, asanaauth.LinkExpired)
				_, unknown := p.Redeem(secret.New(strings.Repeat("0", 64)+".x"), c.owner, c.person)
				if a, b := detailOf(err), detailOf(unknown); a == "" || a != b {
					t.Errorf("the detail is %q for a wrong owner, %q for an unknown code", a, b)
				}
				// The attacker may have seen the code, but cannot redeem it, because the
				// failed request erased the code.
				_, err = p.Redeem(code, request.Owner, request.Person)
				authtest.WantKind(t, err, asanaauth.LinkExpired)
				if kept := inst.Rows.Kept(); kept["*store.Hot"] != 0 || kept["*store.Cold"] != 0 {
					t.Errorf("rows %v, want no connection", kept)
				}
				for _, row := range inst.Rows.All() {
					if l, ok := row.(*store.Link); ok && (len(l.Held) > 0 || !l.Code.IsZero() || l.Spent) {
						t.Errorf("the link still contains a consent, or is spent: %+v", l)
					}
				}
				authtest.WantCount(t, "denied", inst.Log.Says("audit", "denied"), 1)
				authtest.WantCount(t, "revocations", inst.Revocations(), 0)
				// The link stays valid, so the person for whom the backend made the link
				// can still use it.
				if _, err := p.Redeem(p.Follow(token, asanatest.Guest), request.Owner, request.Person); err != nil {
					t.Errorf("the link afterwards: %v", err)
				}
			})
		})
	}
}

func detailOf(err error) string {
	var e *asanaauth.Error
	errors.As(err, &e)
	return e.Detail
}

// A request with a malformed code, an unknown code or a malformed owner does not erase a
// consent.
func TestBadCodesAndOwners(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		code := p.Follow(p.Link(link.Request{Owner: "o"}), asanatest.Member).Reveal()
		name, half, _ := strings.Cut(code, ".")
		for _, bad := range []string{"", ".", name, name + ".", "." + half, name + "." + half + "x", strings.ToUpper(name) + "." + half,
			name[2:] + "." + half, strings.Repeat("0", 64) + "." + half, name + "." + strings.ToUpper(half), "x" + code} {
			_, err := p.Redeem(secret.New(bad), "somebody", "")
			authtest.WantKind(t, err, asanaauth.LinkExpired)
		}
		for _, owner := range []string{"", "asana:1", strings.Repeat("x", 300), "a\x00"} {
			_, err := p.Redeem(secret.New(code), owner, "")
			authtest.WantKind(t, err, asanaauth.InvalidRequest)
		}
		if _, err := p.Redeem(secret.New(code), "o", ""); err != nil {
			t.Errorf("the code afterwards: %v", err)
		}
	})
}

// If fifty callers redeem the same code at once, one of them makes the connection, and all
// of them get it.
func TestRacingForACode(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		code := p.Follow(p.Link(link.Request{Owner: "o"}), asanatest.Member)
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				time.Sleep(time.Second) // wait until all callers have read the link
			}
			return true, nil
		}
		type result struct {
			got link.Redeemed
			err error
		}
		results := make(chan result, 50)
		for range 50 {
			go func() {
				got, err := inst.Process().Redeem(code, "o", "")
				results <- result{got, err}
			}()
		}
		made, ids := 0, map[string]bool{}
		for range 50 {
			r := <-results
			if r.err != nil {
				t.Fatalf("Redeem() = %v", r.err)
			}
			ids[r.got.ID] = true
			if !r.got.Already {
				made++
			}
		}
		authtest.WantCount(t, "callers that made the connection", made, 1)
		authtest.WantCount(t, "connections", len(ids), 1)
		authtest.WantCount(t, "connected", inst.Log.Says("audit", "connected"), 1)
		for id := range ids {
			if hot := inst.Rows.Hot(id); hot.Generation != 1 {
				t.Errorf("%d consents were saved", hot.Generation)
			}
		}
	})
}

// A backend that got no response repeats its request, and gets the connection as it is
// now.
func TestRedeemingTwice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then   func(p *authtest.Process, id string)
		status asanaauth.Status
	}{
		"at once":            {func(*authtest.Process, string) {}, asanaauth.Active},
		"after nine minutes": {func(*authtest.Process, string) { time.Sleep(9 * time.Minute) }, asanaauth.Active},
		"broken since": {func(p *authtest.Process, id string) {
			p.Installation.Rows.Edit(id, func(hot *store.Hot) { hot.Status = string(asanaauth.Broken) })
		}, asanaauth.Broken},
		"disconnected since": {func(p *authtest.Process, id string) {
			if _, err := p.Connections.Disconnect(authtest.BackendContext(), p.Open(id)); err != nil {
				t.Error(err)
			}
		}, asanaauth.Disconnected},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				code := p.Follow(p.Link(link.Request{Owner: "tenant", Person: "sam"}), asanatest.Member)
				first, err := p.Redeem(code, "tenant", "sam")
				if err != nil || first.Already {
					t.Fatalf("Redeem() = %+v, %v", first, err)
				}
				c.then(p, first.ID)
				writes := inst.Table.Count("write")
				again, err := inst.Process().Redeem(code, "tenant", "sam")
				if err != nil || again.ID != first.ID || !again.Already || again.Status != c.status || again.Owner != "tenant" {
					t.Errorf("repeated: %+v, %v", again, err)
				}
				authtest.WantCount(t, "writes of the repeated request", inst.Table.Count("write")-writes, 0)
				authtest.WantCount(t, "connected", inst.Log.Says("audit", "connected"), 1)
			})
		})
	}
}

// If the connection no longer exists, its code has expired too. The backend gets the error
// of every code that cannot be redeemed.
func TestRedeemingTwiceAfterTheConnectionWasDeleted(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		code := p.Follow(p.Link(link.Request{Owner: "o"}), asanatest.Member)
		d, err := p.Redeem(code, "o", "")
		if err != nil {
			t.Fatal(err)
		}
		inst.Rows.Delete(store.HotKey(d.ID))
		inst.Rows.Delete(store.ColdKey(d.ID))
		_, err = p.Redeem(code, "o", "")
		authtest.WantKind(t, err, asanaauth.LinkExpired)
	})
}

// The table must delete the row of a redeemed link at the same time as before.
func TestARedeemedLinkKeepsItsTimes(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		token := p.Link(link.Request{Owner: "o"})
		key := store.LinkKey(store.HashText(token))
		code := p.Follow(token, asanatest.Member)
		before := authtest.Row[*store.Link](inst.Rows, key)
		if _, err := p.Redeem(code, "o", ""); err != nil {
			t.Fatal(err)
		}
		after := authtest.Row[*store.Link](inst.Rows, key)
		if !after.Keep.Equal(before.Keep) || !after.End.Equal(before.End) || !after.CodeEnd.Equal(before.CodeEnd) {
			t.Errorf("got keep %v, end %v, code end %v, want %v, %v, %v",
				after.Keep, after.End, after.CodeEnd, before.Keep, before.End, before.CodeEnd)
		}
	})
}

// If the table is unavailable, a request with a wrong owner cannot erase the consent. The
// caller must not be told that the code has expired.
func TestAWrongOwnerWhileTheTableIsDown(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		code := p.Follow(p.Link(link.Request{Owner: "o"}), asanatest.Member)
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				return false, authtest.ErrTableDown
			}
			return true, nil
		}
		_, err := p.Redeem(code, "other", "")
		authtest.WantKind(t, err, asanaauth.TryAgain)
		inst.Table.Hook = nil
		_, err = p.Redeem(code, "other", "")
		authtest.WantKind(t, err, asanaauth.LinkExpired)
		_, err = p.Redeem(code, "o", "")
		authtest.WantKind(t, err, asanaauth.LinkExpired)
	})
}

// A redeemed code reveals nothing to a wrong owner or person, or after its ten minutes. A
// request that names a wrong owner does not prevent the right owner from repeating theirs.
func TestWhoMayNotRedeemTwice(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		code := p.Follow(p.Link(link.Request{Owner: "tenant", Person: "sam"}), asanatest.Member)
		if _, err := p.Redeem(code, "tenant", "sam"); err != nil {
			t.Fatal(err)
		}
		_, unknown := p.Redeem(secret.New(strings.Repeat("0", 64)+".x"), "tenant", "sam")
		for _, wrong := range []struct{ owner, person string }{{"other", "sam"}, {"tenant", "eve"}, {"tenant", ""}} {
			got, err := p.Redeem(code, wrong.owner, wrong.person)
			authtest.WantKind(t, err, asanaauth.LinkExpired)
			if got.ID != "" || detailOf(err) != detailOf(unknown) {
				t.Errorf("%v: got %+v, detail %q", wrong, got, detailOf(err))
			}
		}
		authtest.WantCount(t, "denied", inst.Log.Says("audit", "denied"), 3)
		if again, err := p.Redeem(code, "tenant", "sam"); err != nil || !again.Already {
			t.Errorf("the right owner and person: %+v, %v", again, err)
		}
		time.Sleep(10 * time.Minute)
		_, err := p.Redeem(code, "tenant", "sam")
		authtest.WantKind(t, err, asanaauth.LinkExpired)
		if detailOf(err) != detailOf(unknown) {
			t.Errorf("after ten minutes: detail %q", detailOf(err))
		}
	})
}

// An attacker who can write the table cannot make a repeated request return another
// connection of the same owner, or redeem a consent again.
func TestForgedRedeemedLinks(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(mine, theirs *store.Link){
		"another connection": func(mine, theirs *store.Link) { mine.Held = theirs.Held },
		"not spent":          func(mine, _ *store.Link) { mine.Spent = false },
		"a longer code":      func(mine, _ *store.Link) { mine.CodeEnd = mine.CodeEnd.Add(time.Hour) },
		"nothing held":       func(mine, _ *store.Link) { mine.Held = nil },
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				theirs := p.Link(link.Request{Owner: "tenant", Person: "victim"})
				if _, err := p.Redeem(p.Follow(theirs, asanatest.Member), "tenant", "victim"); err != nil {
					t.Fatal(err)
				}
				mine := p.Link(link.Request{Owner: "tenant", Person: "attacker"})
				code := p.Follow(mine, asanatest.Guest)
				if _, err := p.Redeem(code, "tenant", "attacker"); err != nil {
					t.Fatal(err)
				}
				row := authtest.Row[*store.Link](inst.Rows, store.LinkKey(store.HashText(mine)))
				forge(row, authtest.Row[*store.Link](inst.Rows, store.LinkKey(store.HashText(theirs))))
				inst.Rows.Forge(row)
				got, err := p.Redeem(code, "tenant", "attacker")
				authtest.WantKind(t, err, asanaauth.LinkExpired)
				if got.ID != "" {
					t.Errorf("got connection %s", got.ID)
				}
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "unseal_failed"), 1)
				authtest.WantCount(t, "connected", inst.Log.Says("audit", "connected"), 2)
			})
		})
	}
}

// An attacker who can write the table cannot move a stored consent to another link of the
// same owner, which can be valid for longer.
func TestAStoredConsentInAnotherLink(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		code := p.Follow(p.Link(link.Request{Owner: "o"}), asanatest.Member)
		name, half, _ := strings.Cut(code.Reveal(), ".")
		from, err := store.ParseHash(name)
		if err != nil {
			t.Fatal(err)
		}
		moved := authtest.Row[*store.Link](inst.Rows, store.LinkKey(from))
		moved.Token = store.HashText(p.Link(link.Request{Owner: "o"}))
		inst.Rows.Forge(moved)
		_, err = p.Redeem(secret.New(moved.Token.String()+"."+half), "o", "")
		authtest.WantKind(t, err, asanaauth.LinkExpired)
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "unseal_failed"), 1)
	})
}

// An attacker who can write the table cannot use another person's stored consent. The
// consent can be opened only in the row that it was sealed for.
func TestForgedLinks(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(*store.Link){
		"another owner":  func(l *store.Link) { l.Owner = store.HashText("attacker") },
		"another person": func(l *store.Link) { l.Person = store.HashText("attacker") },
		"another code":   func(l *store.Link) { l.Code = store.HashText("mine") },
		"a longer code":  func(l *store.Link) { l.CodeEnd = l.CodeEnd.Add(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				code := p.Follow(p.Link(link.Request{Owner: "victim"}), asanatest.Member).Reveal()
				token, half, _ := strings.Cut(code, ".")
				owner, person := "victim", ""
				for _, row := range inst.Rows.All() {
					if l, ok := row.(*store.Link); ok {
						forge(l)
						inst.Rows.Forge(l)
						if l.Owner == store.HashText("attacker") {
							owner = "attacker"
						}
						if !l.Person.IsZero() {
							person = "attacker"
						}
						if l.Code == store.HashText("mine") {
							half = "mine"
						}
					}
				}
				_, err := p.Redeem(secret.New(token+"."+half), owner, person)
				authtest.WantKind(t, err, asanaauth.LinkExpired)
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "unseal_failed"), 1)
				if kept := inst.Rows.Kept(); kept["*store.Hot"] != 0 {
					t.Errorf("rows %v, want no connection", kept)
				}
			})
		})
	}
}
