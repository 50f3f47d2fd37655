package main_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestLinks checks that the connection does not exist before the connect code is
// redeemed.
func TestLinks(t *testing.T) {
	t.Parallel()
	withEachHeader(t, func(t *testing.T, s *backend) {
		var made struct {
			URL       string
			ExpiresAt time.Time `json:"expires_at"`
		}
		s.get(http.StatusCreated, &made, "POST", "/links", object("owner", "acme", "person", "mia", "return_to", s.p.publicURL+"/", "scopes", "default"))
		if !strings.HasPrefix(made.URL, s.p.publicURL+"/authorize?link=") {
			t.Errorf("got link %q, want /authorize?link=…", made.URL)
		}
		if left := time.Until(made.ExpiresAt); left < 29*time.Minute || left > 31*time.Minute {
			t.Errorf("the link expires in %v, want 30 minutes", left)
		}
		b := newBrowser(t)
		query := b.followLink(s.p, made.URL+"&app_state=from-here&return_to="+s.p.publicURL+"/", member)
		if query.Get("app_state") != "from-here" || query.Get("asana") != "" {
			t.Errorf("return URL: got query %v, want app_state and no session", query)
		}
		if a := b.mustSend("GET", s.p.publicURL+"/session", "", "Sec-Fetch-Site: same-origin"); a.status != http.StatusNoContent {
			t.Errorf("session after a link: got %d %s, want 401", a.status, a.body)
		}
		if list := s.list("owner=acme"); len(list) != 0 {
			t.Errorf("before redeeming: got connections %+v, want none", list)
		}
		redeem := object("connect_code", query.Get("connect_code"), "owner", "acme", "person", "mia")
		var c connection
		s.get(http.StatusCreated, &c, "POST", "/connections", redeem)
		if c.Kind != "oauth" || c.Status != "active" || *c.Owner != "acme" || c.user() != member || *c.AttributedTo.Name != "Mia Member" || *c.ScopeRequested != "default" {
			t.Errorf("got connection %+v", c)
		}
		var again connection
		if s.get(http.StatusOK, &again, "POST", "/connections", redeem); again.ID != c.ID {
			t.Errorf("repeated redemption: got connection %s, want %s", again.ID, c.ID)
		}
		if a := b.mustSend("GET", made.URL, ""); a.status != http.StatusBadRequest || !strings.Contains(a.header.Get("Content-Type"), "html") {
			t.Errorf("used link: got %d %s, want an error page", a.status, a.body)
		}
	})
}

// TestLinkPrefetch checks that prefetches and mail scanners do not use up a link, and
// that a person can open a link in two tabs.
func TestLinkPrefetch(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	link := s.link("owner", "acme")
	scanner := newBrowser(t)
	if a := scanner.mustSend("HEAD", link, ""); a.status != http.StatusNoContent {
		t.Errorf("HEAD: got status %d, want 204", a.status)
	}
	if a := scanner.mustSend("GET", link, "", "Sec-Purpose: prefetch"); a.status != http.StatusNoContent {
		t.Errorf("prefetch: got status %d, want 204", a.status)
	}
	scanner.mustSend("GET", link, "") // a mail gateway that follows links
	person := newBrowser(t)
	tab := person.allowAccess(p, link, member)
	first := person.followLink(p, link, member).Get("connect_code") // the sign-in in the second tab finishes first
	second := mustParse(t, person.mustSend("GET", tab.String(), "").location()).Query().Get("connect_code")
	if first == "" || second == "" || first == second {
		t.Fatalf("two tabs: got codes %.4q and %.4q, want two different codes", first, second)
	}
	s.wantProblem(400, "link-expired", "POST", "/connections", object("connect_code", first, "owner", "acme")) // the newer sign-in has replaced this code
	var c connection
	s.get(http.StatusCreated, &c, "POST", "/connections", object("connect_code", second, "owner", "acme"))
}

// TestLinkNamesTheAccount checks that a link for one Asana account does not connect a
// different account.
func TestLinkNamesTheAccount(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	link := s.link("owner", "acme", "asana_user", asanatest.Admin)
	query := newBrowser(t).followLink(p, link, member)
	if query.Get("asana_error") != "wrong-account" || query.Has("connect_code") {
		t.Errorf("another account: got query %v, want wrong-account", query)
	}
	if list := s.list("asana_user=" + member); len(list) != 0 {
		t.Errorf("got connections %+v, want none", list)
	}
	code := newBrowser(t).followLink(p, link, asanatest.Admin).Get("connect_code")
	var c connection
	s.get(http.StatusCreated, &c, "POST", "/connections", object("connect_code", code, "owner", "acme"))
	if c.user() != asanatest.Admin {
		t.Errorf("got Asana user %s, want %s", c.user(), asanatest.Admin)
	}
}

// TestForwardedLink simulates the attack that connect codes prevent. Mallory gets a link
// from the app and sends the link to a victim, who follows it. The test checks that the
// victim's Asana account is not connected for Mallory. The attack fails because the
// connect code arrives in the victim's browser, in which the victim, not Mallory, is
// signed in to the app.
func TestForwardedLink(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		mine   []string // owner and person in Mallory's link
		theirs []string // owner and person in the victim's session with the app
		owners []string // owners who must have no connection
	}{
		{"one owner for each human", []string{"owner", "mallory"}, []string{"owner", "vic"}, []string{"mallory", "vic"}},
		{"a tenant", []string{"owner", "acme", "person", "mallory"}, []string{"owner", "acme", "person", "vic"}, []string{"acme"}},
		{"a tenant, and an app that forgets the person", []string{"owner", "acme", "person", "mallory"}, []string{"owner", "acme"}, []string{"acme"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, t.TempDir(), nil)
			s := newBackend(p, bearer(p.backendKey()))
			link := s.link(test.mine...)
			victim := newBrowser(t)
			code := victim.followLink(p, link, asanatest.ViewOnly).Get("connect_code")
			s.wantProblem(400, "link-expired", "POST", "/connections", object(append(test.theirs, "connect_code", code)...))
			// Mallory cannot redeem the code, even if she gets it.
			s.wantProblem(400, "link-expired", "POST", "/connections", object(append(test.mine, "connect_code", code)...))
			for _, owner := range test.owners {
				if list := s.list("owner=" + owner); len(list) != 0 {
					t.Errorf("owner %s: got connections %+v, want none", owner, list)
				}
			}
			if list := s.list("asana_user=" + asanatest.ViewOnly); len(list) != 0 {
				t.Errorf("Asana user of the victim: got connections %+v, want none", list)
			}
			if a := victim.mustSend("GET", p.publicURL+"/session", "", "Sec-Fetch-Site: same-origin"); a.status != http.StatusNoContent {
				t.Errorf("session of the victim: got status %d, want 401", a.status)
			}
			// Mallory can still use the link for her own Asana account.
			var c connection
			mine := newBrowser(t).followLink(p, link, member).Get("connect_code")
			s.get(http.StatusCreated, &c, "POST", "/connections", object(append(test.mine, "connect_code", mine)...))
			if c.user() != member {
				t.Errorf("Mallory: got Asana user %s, want %s", c.user(), member)
			}
		})
	}
}

// TestCallbackInAnotherBrowser checks that the callback fails in a different browser,
// because a sign-in is bound to the browser that started the sign-in.
func TestCallbackInAnotherBrowser(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	begun := newBrowser(t).allowAccess(p, s.link("owner", "mallory"), member)
	if a := newBrowser(t).mustSend("GET", begun.String(), ""); a.status != http.StatusBadRequest || a.location() != "" {
		t.Errorf("callback in another browser: got %d to %q, want 400", a.status, a.location())
	}
}

func TestBadLinks(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	for _, body := range []string{
		"", "{}", "null", "[]", `{"owner":""}`, `{"owner":null}`, `{"owner":7}`, `{"owner":"a","owner":"b"}`, `{"owner":"a"}x`, `{"owner":"a","more":1}`,
		object("owner", strings.Repeat("x", 300)), `{"owner":"a\u0000b"}`, `{"owner":"a\nb"}`, "{\"owner\":\"\xff\"}", object("owner", "asana:1"),
		object("owner", "a", "return_to", "http://evil.test/"), object("owner", "a", "scopes", "tasks:read"), object("owner", "a", "scopes", "default default"),
		object("owner", "a", "asana_user", "me"), object("owner", "a", "person", strings.Repeat("x", 300)),
	} {
		s.wantProblem(400, "invalid-request", "POST", "/links", body)
	}
	var made struct{ URL string }
	s.get(http.StatusCreated, &made, "POST", "/links", object("owner", strings.Repeat("x", 256)))
	s.get(http.StatusCreated, &made, "POST", "/links", `{"owner":"Ä/ \u2028?&","person":null}`)
	b := newBrowser(t)
	for _, url := range []string{
		p.publicURL + "/authorize?link=unknown", made.URL + "&link=twice", made.URL + "&return_to=http://evil.test/", p.publicURL + "/authorize?link=",
	} {
		if a := b.mustSend("GET", url, ""); a.status != http.StatusBadRequest || a.location() != "" {
			t.Errorf("%s: got %d to %q, want 400", url, a.status, a.location())
		}
	}
	if a := s.mustSend("POST", p.publicURL+"/links", `{"owner":"a"}`, "Authorization: "+s.authorization, "Content-Type: text/plain"); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain: got status %d, want 415", a.status)
	}
	s.wantProblem(413, "payload-too-large", "POST", "/links", object("owner", strings.Repeat("x", 65<<10)))
	if a := s.wantProblem(405, "method-not-allowed", "GET", "/links", ""); a.header.Get("Allow") != "POST" {
		t.Errorf("got Allow %q, want POST", a.header.Get("Allow"))
	}
	s.wantProblem(404, "not-found", "POST", "/links/more", "{}")
}

// TestLinksOnly checks that a sign-in without a link fails if SIGN_IN=links.
func TestLinksOnly(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), []string{"SIGN_IN=links"})
	if a := newBrowser(t).mustSend("GET", p.publicURL+"/authorize", ""); a.status != http.StatusBadRequest {
		t.Errorf("without a link: got status %d, want 400", a.status)
	}
	if c := newBackend(p, bearer(p.backendKey())).connect("acme", member); c.Status != "active" {
		t.Errorf("with a link: got connection %+v, want it active", c)
	}
}
