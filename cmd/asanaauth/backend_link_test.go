package main_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestLinks makes links, and sends people along them.
func TestLinks(t *testing.T) {
	t.Parallel()
	asEach(t, func(t *testing.T, s *backend) {
		var made struct {
			URL       string
			ExpiresAt time.Time `json:"expires_at"`
		}
		s.get(http.StatusCreated, &made, "POST", "/links", object("owner", "acme", "person", "mia", "return_to", s.p.publicURL+"/", "scopes", "default"))
		if !strings.HasPrefix(made.URL, s.p.publicURL+"/authorize?link=") {
			t.Errorf("the link leads to %q", made.URL)
		}
		if left := time.Until(made.ExpiresAt); left < 29*time.Minute || left > 31*time.Minute {
			t.Errorf("the link has %v left, want 30 minutes", left)
		}
		b := newBrowser(t)
		query := b.follow(s.p, made.URL+"&app_state=from-here&return_to="+s.p.publicURL+"/", member)
		if query.Get("app_state") != "from-here" || query.Get("asana") != "" {
			t.Errorf("the return URL got %v", query)
		}
		if a := b.ask("GET", s.p.publicURL+"/session", "", "Sec-Fetch-Site: same-origin"); a.status != http.StatusUnauthorized {
			t.Errorf("a link began a session: %d %s", a.status, a.body)
		}
		if list := s.list("owner=acme"); len(list) != 0 {
			t.Errorf("before it was redeemed there is %+v", list)
		}
		redeem := object("connect_code", query.Get("connect_code"), "owner", "acme", "person", "mia")
		var c connection
		s.get(http.StatusCreated, &c, "POST", "/connections", redeem)
		if c.Kind != "oauth" || c.Status != "active" || *c.Owner != "acme" || c.user() != member || *c.AttributedTo.Name != "Mia Member" || *c.ScopeRequested != "default" {
			t.Errorf("the connection is %+v", c)
		}
		s.refused(400, "link-expired", "POST", "/connections", redeem)
		if a := b.ask("GET", made.URL, ""); a.status != http.StatusBadRequest || !strings.Contains(a.header.Get("Content-Type"), "html") {
			t.Errorf("a spent link: %d %s", a.status, a.body)
		}
	})
}

// TestLinkIsLookedAt is opened by what looks at links before people do, and twice
// by the person.
func TestLinkIsLookedAt(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	link := s.link("owner", "acme")
	scanner := newBrowser(t)
	if a := scanner.ask("HEAD", link, ""); a.status != http.StatusNoContent {
		t.Errorf("HEAD: %d", a.status)
	}
	if a := scanner.ask("GET", link, "", "Sec-Purpose: prefetch"); a.status != http.StatusNoContent {
		t.Errorf("prefetch: %d", a.status)
	}
	scanner.ask("GET", link, "") // a mail gateway that follows links
	person := newBrowser(t)
	tab := person.consent(p, link, member)
	first := person.follow(p, link, member).Get("connect_code") // another tab, which is finished first
	second := mustParse(t, person.ask("GET", tab.String(), "").location()).Query().Get("connect_code")
	if first == "" || second == "" || first == second {
		t.Fatalf("two tabs brought the codes %.4q and %.4q", first, second)
	}
	s.refused(400, "link-expired", "POST", "/connections", object("connect_code", first, "owner", "acme")) // the newer answer has taken its place
	var c connection
	s.get(http.StatusCreated, &c, "POST", "/connections", object("connect_code", second, "owner", "acme"))
}

// TestLinkNamesTheAccount brings another Asana account than the link expects.
func TestLinkNamesTheAccount(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	link := s.link("owner", "acme", "asana_user", asanatest.Admin)
	query := newBrowser(t).follow(p, link, member)
	if query.Get("asana_error") != "wrong-account" || query.Has("connect_code") {
		t.Errorf("another account came back with %v", query)
	}
	if list := s.list("asana_user=" + member); len(list) != 0 {
		t.Errorf("something was kept: %+v", list)
	}
	code := newBrowser(t).follow(p, link, asanatest.Admin).Get("connect_code")
	var c connection
	s.get(http.StatusCreated, &c, "POST", "/connections", object("connect_code", code, "owner", "acme"))
	if c.user() != asanatest.Admin {
		t.Errorf("connected as %s", c.user())
	}
}

// TestLinkSentOn is the attack that links are made against. Mallory makes the
// app give her a link and sends it to somebody who trusts it: that person's
// Asana account must not become Mallory's. The code comes to the app in the
// browser of the person, where the app knows who is signed in.
func TestLinkSentOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		mine   []string // what Mallory's link was made with
		theirs []string // who is signed in to the app where the code comes back
		owners []string // whose lists must stay empty
	}{
		{"a human each", []string{"owner", "mallory"}, []string{"owner", "vic"}, []string{"mallory", "vic"}},
		{"a tenant", []string{"owner", "acme", "person", "mallory"}, []string{"owner", "acme", "person", "vic"}, []string{"acme"}},
		{"a tenant, and an app that forgets the person", []string{"owner", "acme", "person", "mallory"}, []string{"owner", "acme"}, []string{"acme"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, t.TempDir(), nil)
			s := newBackend(p, bearer(p.backendKey()))
			link := s.link(test.mine...)
			victim := newBrowser(t)
			code := victim.follow(p, link, asanatest.ViewOnly).Get("connect_code")
			s.refused(400, "link-expired", "POST", "/connections", object(append(test.theirs, "connect_code", code)...))
			// Even if the code comes into Mallory's hands now, and the app redeems it for her.
			s.refused(400, "link-expired", "POST", "/connections", object(append(test.mine, "connect_code", code)...))
			for _, owner := range test.owners {
				if list := s.list("owner=" + owner); len(list) != 0 {
					t.Errorf("%s has %+v", owner, list)
				}
			}
			if list := s.list("asana_user=" + asanatest.ViewOnly); len(list) != 0 {
				t.Errorf("of the victim there is %+v", list)
			}
			if a := victim.ask("GET", p.publicURL+"/session", "", "Sec-Fetch-Site: same-origin"); a.status != http.StatusUnauthorized {
				t.Errorf("a session: %d", a.status)
			}
			// The link itself still works for whom it was made for.
			var c connection
			mine := newBrowser(t).follow(p, link, member).Get("connect_code")
			s.get(http.StatusCreated, &c, "POST", "/connections", object(append(test.mine, "connect_code", mine)...))
			if c.user() != member {
				t.Errorf("Mallory is connected as %s", c.user())
			}
		})
	}
}

// TestLinkBegunByAnother lets a stranger begin at the link and have somebody else
// finish the trip: the attempt belongs to the browser that began it.
func TestLinkBegunByAnother(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	s := newBackend(p, bearer(p.backendKey()))
	begun := newBrowser(t).consent(p, s.link("owner", "mallory"), member)
	if a := newBrowser(t).ask("GET", begun.String(), ""); a.status != http.StatusBadRequest || a.location() != "" {
		t.Errorf("another browser finished the trip: %d to %q", a.status, a.location())
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
		s.refused(400, "invalid-request", "POST", "/links", body)
	}
	var made struct{ URL string }
	s.get(http.StatusCreated, &made, "POST", "/links", object("owner", strings.Repeat("x", 256)))
	s.get(http.StatusCreated, &made, "POST", "/links", `{"owner":"Ä/ \u2028?&","person":null}`)
	b := newBrowser(t)
	for _, url := range []string{
		p.publicURL + "/authorize?link=unknown", made.URL + "&link=twice", made.URL + "&return_to=http://evil.test/", p.publicURL + "/authorize?link=",
	} {
		if a := b.ask("GET", url, ""); a.status != http.StatusBadRequest || a.location() != "" {
			t.Errorf("%s: %d to %q", url, a.status, a.location())
		}
	}
	if a := s.ask("POST", p.publicURL+"/links", `{"owner":"a"}`, "Authorization: "+s.authorization, "Content-Type: text/plain"); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("text: %d", a.status)
	}
	s.refused(413, "payload-too-large", "POST", "/links", object("owner", strings.Repeat("x", 65<<10)))
	if a := s.refused(405, "method-not-allowed", "GET", "/links", ""); a.header.Get("Allow") != "POST" {
		t.Errorf("Allow is %q", a.header.Get("Allow"))
	}
	s.refused(404, "not-found", "POST", "/links/more", "{}")
}

// TestLinksOnly lets nobody in without a link.
func TestLinksOnly(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), []string{"SIGN_IN=links"})
	if a := newBrowser(t).ask("GET", p.publicURL+"/authorize", ""); a.status != http.StatusBadRequest {
		t.Errorf("without a link: %d", a.status)
	}
	if c := newBackend(p, bearer(p.backendKey())).connects("acme", member); c.Status != "active" {
		t.Errorf("with a link: %+v", c)
	}
}
