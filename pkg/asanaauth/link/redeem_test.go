package link_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
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

// If fifty callers redeem the same code at once, exactly one gets the connection.
func TestRacingForACode(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		code := p.Follow(p.Link(link.Request{Owner: "o"}), asanatest.Member)
		results := make(chan error, 50)
		for range 50 {
			go func() {
				_, err := inst.Process().Redeem(code, "o", "")
				results <- err
			}()
		}
		won := 0
		for range 50 {
			if err := <-results; err == nil {
				won++
			} else if kind := asanaauth.KindOf(err); kind != asanaauth.LinkExpired && kind != asanaauth.TryAgain {
				t.Errorf("got error %v, want link-expired or try-again", err)
			}
		}
		authtest.WantCount(t, "winners", won, 1)
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
