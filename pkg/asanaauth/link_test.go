package asanaauth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The tests of this file follow "Connecting" 4: what begins with a link.

func TestALinkFromMakingToToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		code := p.follow(p.link(asanaauth.LinkRequest{Owner: "customer-1", Person: "ann"}), asanatest.Member)
		if kept := h.kept(); kept["*store.Link"] != 1 || len(kept) != 1 {
			t.Errorf("kept before redeeming: %v", kept)
		}
		d, err := p.redeem(code, "customer-1", "ann")
		if err != nil {
			t.Fatal(err)
		}
		want := asanaauth.Details{
			ID: store.ConnectionID(store.HashText("customer-1"), asanatest.Member, store.OAuth), Kind: store.OAuth,
			Owner: "customer-1", Status: store.Active, ScopeRequested: "default",
		}
		if d.ID != want.ID || d.Kind != want.Kind || d.Owner != want.Owner || d.Status != want.Status || d.ScopeRequested != want.ScopeRequested ||
			d.AttributedTo.GID != asanatest.Member || d.AttributedTo.Name.Reveal() != "Mia Member" || d.AttributedTo.Email.Reveal() != "mia@acme.example" {
			t.Errorf("got %+v", d)
		}
		again, err := p.conns.Describe(t.Context(), p.opened(d.ID))
		if err != nil || fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", d) || again.AttributedTo.Name.Reveal() != "Mia Member" {
			t.Errorf("Describe() = %+v, %v, want %+v", again, err, d)
		}
		if token, err := p.tokenOf(d.ID, asanaauth.TokenRequest{}); err != nil || h.whose(token.Access) != asanatest.Member {
			t.Errorf("the token is not the person's: %v", err)
		}
		if got := h.log.says("audit", "connected"); got != 1 || h.log.says("caller", backend) != 2 {
			t.Errorf("audit lines: %s", h.log)
		}
		for _, row := range h.all() {
			for _, text := range append(h.wire.tokens, code.Reveal(), "Mia Member", "mia@acme.example", "customer-1", "ann") {
				if holds(row, text) {
					t.Errorf("a %T holds %q", row, text)
				}
			}
		}
	})
}

// What a link holds keeps the time at which Asana issued it.
func TestAHeldTokenAges(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		code := p.follow(p.link(asanaauth.LinkRequest{Owner: "o"}), asanatest.Member)
		issued := time.Now()
		time.Sleep(9 * time.Minute)
		d, err := p.redeem(code, "o", "")
		if err != nil {
			t.Fatal(err)
		}
		if want := issued.Add(time.Hour); !d.ExpiresAt.Equal(want) {
			t.Errorf("expires at %v, want %v", d.ExpiresAt, want)
		}
	})
}

func TestLinksRefuse(t *testing.T) {
	for name, r := range map[string]asanaauth.LinkRequest{
		"no owner":                {},
		"300 bytes":               {Owner: strings.Repeat("o", 300)},
		"257 bytes":               {Owner: strings.Repeat("o", 257)},
		"a control character":     {Owner: "a\x7fb"},
		"another one":             {Owner: "a\u0085b"},
		"no UTF-8":                {Owner: "a\xffb"},
		"an owner of sign-in":     {Owner: "asana:1200000000000001"},
		"a person of 257 bytes":   {Owner: "o", Person: strings.Repeat("p", 257)},
		"a person with a newline": {Owner: "o", Person: "a\nb"},
		"another address":         {Owner: "o", ReturnTo: "https://evil.example/"},
		"a scope of others":       {Owner: "o", Scopes: "tasks:write"},
		"a scope twice":           {Owner: "o", Scopes: "openid openid"},
		"two spaces":              {Owner: "o", Scopes: "openid  email"},
		"no gid":                  {Owner: "o", AsanaUser: "me"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			_, err := h.process().links("default openid email").Create(t.Context(), r)
			wantKind(t, err, asanaauth.InvalidRequest)
			wantCount(t, "rows", len(h.all()), 0)
		})
	}
	h := newHouse(t)
	for _, owner := range []string{"o", strings.Repeat("ö", 128), "asana", "Asana:1", "a b", "\u202e"} {
		if _, err := h.process().links("default").Create(t.Context(), asanaauth.LinkRequest{Owner: owner}); err != nil {
			t.Errorf("owner %q: %v", owner, err)
		}
	}
}

func TestALinkSaysWhereAndWhat(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process(func(s *settings) { s.scopes, s.returnURLs = openID, []string{returnURL, otherReturn} })
		l, err := p.links(openID).Create(t.Context(), asanaauth.LinkRequest{Owner: "o", ReturnTo: otherReturn, Scopes: "openid email"})
		if err != nil {
			t.Fatal(err)
		}
		if want := time.Now().Add(30 * time.Minute); !l.End.Equal(want) {
			t.Errorf("ends at %v, want %v", l.End, want)
		}
		if !strings.HasPrefix(l.URL.Reveal(), "https://auth.example.com/authorize?link=") {
			t.Errorf("the URL is %s", l.URL.Reveal())
		}
		link := linkOf(t, l)
		_, err = p.login.Begin(t.Context(), asanaauth.BeginRequest{Link: link, ReturnTo: returnURL})
		wantKind(t, err, asanaauth.InvalidRequest)
		begun, err := p.login.Begin(t.Context(), asanaauth.BeginRequest{Link: link, ReturnTo: otherReturn, AppState: "s"})
		if err != nil {
			t.Fatal(err)
		}
		if got := query(t, begun.URL).Get("scope"); got != "openid email" {
			t.Errorf("asks for %q", got)
		}
		finished, err := p.finish(p.answer(begun, asanatest.Member))
		if err != nil || finished.ReturnURL != otherReturn || finished.AppState != "s" {
			t.Fatalf("Finish() = %+v, %v", finished, err)
		}
		d, err := p.redeem(finished.ConnectCode, "o", "")
		if err != nil || d.ScopeRequested != "openid email" {
			t.Errorf("Redeem() = %+v, %v", d, err)
		}
	})
}

// What a link says was allowed when it was made; the list of today counts.
func TestALinkToAnAddressThatIsNoLongerAllowed(t *testing.T) {
	h := newHouse(t)
	link := h.process().link(asanaauth.LinkRequest{Owner: "o", ReturnTo: otherReturn})
	_, err := h.process().login.Begin(t.Context(), asanaauth.BeginRequest{Link: link})
	wantKind(t, err, asanaauth.LinkExpired)
	allowed := h.process(func(s *settings) { s.returnURLs = []string{returnURL, otherReturn} })
	if _, err := allowed.login.Begin(t.Context(), asanaauth.BeginRequest{Link: link}); err != nil {
		t.Errorf("where it is allowed: %v", err)
	}
}

// With "code id_token" Asana sends an ID token for openid alone.
func TestALinkWithoutTheIDToken(t *testing.T) {
	h := newHouse(t)
	p := h.process(func(s *settings) { s.scopes, s.responseType = openID, "code id_token" })
	for scopes, ok := range map[string]bool{"openid": true, "email": false} {
		l, err := p.links(openID).Create(t.Context(), asanaauth.LinkRequest{Owner: "o", Scopes: scopes})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.login.Begin(t.Context(), asanaauth.BeginRequest{Link: linkOf(t, l)})
		if ok && err != nil {
			t.Errorf("%s: %v", scopes, err)
		}
		if !ok {
			wantKind(t, err, asanaauth.InvalidRequest)
		}
	}
}

// A link that a prefetcher opened, or that was opened twice, works until one
// success; then it is over for everybody.
func TestALinkServesUntilOneSuccess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		link := p.link(asanaauth.LinkRequest{Owner: "o"})
		p.beginAt(link)
		late := p.beginAt(link)
		first := p.follow(link, asanatest.Member)
		second := p.follow(link, asanatest.Guest) // replaces what the first held
		_, err := p.redeem(first, "o", "")
		wantKind(t, err, asanaauth.LinkExpired)
		d, err := p.redeem(second, "o", "")
		if err != nil || d.AttributedTo.GID != asanatest.Guest {
			t.Fatalf("Redeem() = %+v, %v", d, err)
		}
		_, err = p.redeem(second, "o", "")
		wantKind(t, err, asanaauth.LinkExpired)
		_, err = p.login.Begin(t.Context(), asanaauth.BeginRequest{Link: link})
		wantKind(t, err, asanaauth.LinkExpired)
		finished, err := p.finish(p.answer(late, asanatest.Member))
		wantKind(t, err, asanaauth.LinkExpired)
		if !finished.ConnectCode.IsZero() || finished.ReturnURL != returnURL {
			t.Errorf("after the success: %+v", finished)
		}
		if kept := h.kept(); kept["*store.Hot"] != 1 {
			t.Errorf("kept %v", kept)
		}
	})
}

func TestTimesOfALink(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		link := p.link(asanaauth.LinkRequest{Owner: "o"})
		time.Sleep(30*time.Minute - time.Second)
		begun := p.beginAt(link) // at the last moment
		time.Sleep(2 * time.Second)
		_, err := p.login.Begin(t.Context(), asanaauth.BeginRequest{Link: link})
		wantKind(t, err, asanaauth.LinkExpired)
		time.Sleep(10*time.Minute - 3*time.Second)
		answer := p.answer(begun, asanatest.Member)
		h.asana.Inject(asanatest.Fault{GrantType: "authorization_code", Delay: 5 * time.Second}) // past the attempt's end
		finished, err := p.finish(answer)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range h.all() {
			if l, ok := row.(*store.Link); ok && l.Keep.Before(l.CodeEnd) {
				t.Errorf("the table may drop the row at %v, before the code's end at %v", l.Keep, l.CodeEnd)
			}
		}
		time.Sleep(10*time.Minute - time.Second)
		if _, err := p.redeem(finished.ConnectCode, "o", ""); err != nil {
			t.Errorf("within the code's ten minutes: %v", err)
		}

		code := p.follow(p.link(asanaauth.LinkRequest{Owner: "o"}), asanatest.Member)
		time.Sleep(10 * time.Minute)
		_, err = p.redeem(code, "o", "")
		wantKind(t, err, asanaauth.LinkExpired)
		for _, row := range h.all() {
			if l, ok := row.(*store.Link); ok && (len(l.Held) > 0 || !l.Code.IsZero()) {
				t.Error("what is over is still held")
			}
		}
		wantCount(t, "revocations", h.revocations(), 0)
	})
}

func TestTheExpectedAsanaUser(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		link := p.link(asanaauth.LinkRequest{Owner: "o", AsanaUser: asanatest.Member})
		finished, err := p.finish(p.answer(p.beginAt(link), asanatest.Guest))
		wantKind(t, err, asanaauth.WrongAccount)
		if !finished.ConnectCode.IsZero() || finished.ReturnURL == "" {
			t.Errorf("got %+v", finished)
		}
		for _, row := range h.all() {
			if l, ok := row.(*store.Link); ok && (len(l.Held) > 0 || !l.Code.IsZero()) {
				t.Error("something is held")
			}
		}
		wantCount(t, "revocations", h.revocations(), 0)
		if _, err := p.redeem(p.follow(link, asanatest.Member), "o", ""); err != nil {
			t.Errorf("the expected user: %v", err)
		}
	})
}

// The attack that links are made against: a link of the attacker's own is sent to
// the victim, who consents. What came of it is claimed by everybody who could.
func TestAForwardedLink(t *testing.T) {
	for name, c := range map[string]struct{ linkPerson, owner, person string }{
		// The owner is one human: the victim's browser brings the code to the app,
		// where the victim is signed in.
		"the victim's own app account": {"", "victim", ""},
		// The owner is a tenant of both.
		"the same tenant, another person": {"attacker", "tenant", "victim"},
		"the same tenant, nobody named":   {"attacker", "tenant", ""},
		"a person where none was named":   {"", "tenant", "victim"},
		"another tenant, the same person": {"attacker", "victims tenant", "attacker"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				request := asanaauth.LinkRequest{Owner: "attacker", Person: c.linkPerson}
				if strings.HasPrefix(name, "the same tenant") || strings.HasPrefix(name, "a person") {
					request.Owner = "tenant"
				}
				link := p.link(request)
				code := p.follow(link, asanatest.Member)
				_, err := p.redeem(code, c.owner, c.person)
				wantKind(t, err, asanaauth.LinkExpired)
				_, unknown := p.redeem(secret.New(strings.Repeat("0", 64)+".x"), c.owner, c.person)
				if a, b := detailOf(err), detailOf(unknown); a == "" || a != b {
					t.Errorf("a wrong owner is told %q, an unknown code %q", a, b)
				}
				// Destroyed: the attacker, who may have seen the code, gets nothing either.
				_, err = p.redeem(code, request.Owner, request.Person)
				wantKind(t, err, asanaauth.LinkExpired)
				if kept := h.kept(); kept["*store.Hot"] != 0 || kept["*store.Cold"] != 0 {
					t.Errorf("kept %v", kept)
				}
				for _, row := range h.all() {
					if l, ok := row.(*store.Link); ok && (len(l.Held) > 0 || !l.Code.IsZero() || l.Spent) {
						t.Errorf("the link still holds something, or is spent: %+v", l)
					}
				}
				wantCount(t, "denied", h.log.says("audit", "denied"), 1)
				wantCount(t, "revocations", h.revocations(), 0)
				// The link stays good for who it was made for.
				if _, err := p.redeem(p.follow(link, asanatest.Guest), request.Owner, request.Person); err != nil {
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

// What is no code at all reads no row that it should not, and destroys nothing.
func TestCodesThatAreNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		code := p.follow(p.link(asanaauth.LinkRequest{Owner: "o"}), asanatest.Member).Reveal()
		name, half, _ := strings.Cut(code, ".")
		for _, bad := range []string{"", ".", name, name + ".", "." + half, name + "." + half + "x", strings.ToUpper(name) + "." + half,
			name[2:] + "." + half, strings.Repeat("0", 64) + "." + half, name + "." + strings.ToUpper(half), "x" + code} {
			_, err := p.redeem(secret.New(bad), "somebody", "")
			wantKind(t, err, asanaauth.LinkExpired)
		}
		for _, owner := range []string{"", "asana:1", strings.Repeat("x", 300), "a\x00"} {
			_, err := p.redeem(secret.New(code), owner, "")
			wantKind(t, err, asanaauth.InvalidRequest)
		}
		if _, err := p.redeem(secret.New(code), "o", ""); err != nil {
			t.Errorf("the code afterwards: %v", err)
		}
	})
}

// Whatever operation of the table fails while a trip's answer is held or redeemed,
// saved or not: who tries again has the connection, once, with tokens that work.
func TestCrashPointsOfRedeeming(t *testing.T) {
	for _, saved := range []bool{false, true} {
		for at := 1; ; at++ {
			reached := false
			t.Run(fmt.Sprintf("operation %d, saved %v", at, saved), func(t *testing.T) {
				bubble(t, func(t *testing.T) { reached = crashRedeem(t, at, saved) })
			})
			if !reached {
				break
			}
		}
	}
}

func crashRedeem(t *testing.T, at int, saved bool) (reached bool) {
	h := newHouse(t)
	p := h.process()
	code := p.follow(p.link(asanaauth.LinkRequest{Owner: "o"}), asanatest.Member)
	n := 0
	h.table.Hook = func(context.Context, storetest.Op) (bool, error) {
		if n++; n >= at {
			return saved && n == at, errAway // the process is cut off from here on
		}
		return true, nil
	}
	_, err := p.redeem(code, "o", "")
	h.table.Hook = nil
	if err != nil {
		wantKind(t, err, asanaauth.TryAgain)
	}
	q := h.process()
	d, again := q.redeem(code, "o", "")
	if again != nil {
		// Only where the connection is there already.
		wantKind(t, again, asanaauth.LinkExpired)
		list, _, listErr := q.conns.List(t.Context(), asanaauth.ListRequest{Owner: "o"})
		if listErr != nil || len(list) != 1 {
			t.Fatalf("code and connection are lost: %v, %v", list, listErr)
		}
		d = list[0]
	}
	time.Sleep(2 * time.Hour)
	if _, err := q.tokenOf(d.ID, asanaauth.TokenRequest{}); err != nil {
		t.Errorf("the token afterwards: %v", err)
	}
	if kept := h.kept(); kept["*store.Hot"] != 1 || kept["*store.Cold"] != 1 || kept["*store.UserPointer"] != 1 {
		t.Errorf("kept %v", kept)
	}
	return n >= at
}

// One answer of the table is lost, and the same process goes on.
func TestALostAnswerOfRedeemingKnowsItself(t *testing.T) {
	for _, what := range []string{"hold", "redeem"} {
		bubble(t, func(t *testing.T) {
			h := newHouse(t)
			p := h.process()
			lost := false
			h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
				if op.Name == "write" && !lost && (what == "redeem") == (len(op.Changes) == 4) && strings.HasPrefix(op.Keys[len(op.Keys)-1].PK, "l#") && len(h.wire.seen()) > 0 {
					lost = true
					return true, errAway
				}
				return true, nil
			}
			d := p.connect("o", asanatest.Member)
			if !lost {
				t.Fatal("no answer was lost")
			}
			if hot := h.hotOf(d.ID); hot.Generation != 1 {
				t.Errorf("%s: %d consents were written", what, hot.Generation)
			}
			wantCount(t, "exchanges", h.exchanges(), 1)
		})
	}
}

// Fifty who redeem one code: one has the connection.
func TestACodeIsRacedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		code := p.follow(p.link(asanaauth.LinkRequest{Owner: "o"}), asanatest.Member)
		results := make(chan error, 50)
		for range 50 {
			go func() {
				_, err := h.process().redeem(code, "o", "")
				results <- err
			}()
		}
		won := 0
		for range 50 {
			if err := <-results; err == nil {
				won++
			} else if kind := asanaauth.KindOf(err); kind != asanaauth.LinkExpired && kind != asanaauth.TryAgain {
				t.Errorf("got %v", err)
			}
		}
		wantCount(t, "winners", won, 1)
	})
}

// Who can write the table gets nothing out of a link: the held answer is bound to
// all that its row says.
func TestForgedLinks(t *testing.T) {
	for name, forge := range map[string]func(*store.Link){
		"another owner":  func(l *store.Link) { l.Owner = store.HashText("attacker") },
		"another person": func(l *store.Link) { l.Person = store.HashText("attacker") },
		"another code":   func(l *store.Link) { l.Code = store.HashText("mine") },
		"a longer code":  func(l *store.Link) { l.CodeEnd = l.CodeEnd.Add(time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				code := p.follow(p.link(asanaauth.LinkRequest{Owner: "victim"}), asanatest.Member).Reveal()
				token, half, _ := strings.Cut(code, ".")
				request := asanaauth.RedeemRequest{Owner: "victim"}
				for _, row := range h.all() {
					if l, ok := row.(*store.Link); ok {
						rev := l.Rev
						forge(l)
						if err := h.rows.Write(t.Context(), store.Put(l, rev, "forger")); err != nil {
							t.Fatal(err)
						}
						if l.Owner == store.HashText("attacker") {
							request.Owner = "attacker"
						}
						if !l.Person.IsZero() {
							request.Person = "attacker"
						}
						if l.Code == store.HashText("mine") {
							half = "mine"
						}
					}
				}
				request.Code = secret.New(token + "." + half)
				_, err := p.conns.Redeem(t.Context(), request, backend)
				wantKind(t, err, asanaauth.LinkExpired)
				wantCount(t, "alarms", h.log.says("alarm", "unseal_failed"), 1)
				if kept := h.kept(); kept["*store.Hot"] != 0 {
					t.Errorf("kept %v", kept)
				}
			})
		})
	}
}
