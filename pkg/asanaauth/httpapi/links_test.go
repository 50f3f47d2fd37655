package httpapi_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		made := s.do(call("POST", "/links", object("owner", "acme", "person", nil))).want(201).json()
		if !regexp.MustCompile(`^https://auth\.example\.com/authorize\?link=[A-Za-z0-9_-]{43}$`).MatchString(made["url"].(string)) {
			t.Errorf("got url %v", made["url"])
		}
		if want := time.Now().UTC().Add(30 * time.Minute).Format(time.RFC3339); made["expires_at"] != want || len(made) != 2 {
			t.Errorf("got %v, want expires_at %s", made, want)
		}
	})
}

func TestBadLinks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, body := range map[string]string{
		"nothing": "", "no owner": "{}", "null owner": `{"owner":null}`, "owner of a sign-in": object("owner", "asana:1"), "unknown": object("owner", "a", "scope", "default"),
		"foreign return_to": object("owner", "a", "return_to", "https://evil.example/"), "almost return_to": object("owner", "a", "return_to", home+"/"), "empty return_to": object("owner", "a", "return_to", ""),
		"no such scope": object("owner", "a", "scopes", "tasks:write"), "empty scopes": object("owner", "a", "scopes", ""), "scopes, two spaces": object("owner", "a", "scopes", "openid  email"),
		"scope twice": object("owner", "a", "scopes", "email email"), "scopes, list": object("owner", "a", "scopes", []string{"email"}), "asana_user, name": object("owner", "a", "asana_user", "me"),
		"asana_user, number": `{"owner":"a","asana_user":12}`, "asana_user, empty": object("owner", "a", "asana_user", ""), "person, empty": object("owner", "a", "person", ""),
		"person, long": object("owner", "a", "person", strings.Repeat("p", 257)), "person, control": object("owner", "a", "person", "p\n"), "twice": `{"owner":"a","owner":"a"}`, "half a rune": `{"owner":"\ud83d"}`,
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.do(call("POST", "/links", body)).problem(400, "invalid-request")
		})
	}
	if n := s.table.Count("write"); n != 0 {
		t.Errorf("got %d writes, want 0", n)
	}
	s.do(call("POST", "/links", `{"owner":"\ud83d\udc18"}`)).want(201) // a complete surrogate pair
}

// TestConnectWithALink checks that a browser that follows a link gets a connect code but
// no session, and that redeeming the code creates the connection.
func TestConnectWithALink(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		b := s.browser()
		link := s.link("owner", "acme", "person", "ann", "return_to", otherHome, "scopes", "openid email")
		a := b.do(get(b.allow(b.begin(strings.TrimPrefix(link, "/authorize")+"&app_state=s"), asanatest.Member)))
		to := a.location()
		if !regexp.MustCompile(`^https://app\.example\.com/other\?tab=1&app_state=s&connect_code=[^&]+#top$`).MatchString(to) {
			t.Errorf("got redirect to %s", to)
		}
		if a.header["Set-Cookie"] != nil {
			t.Errorf("got cookies %q, want none", a.header["Set-Cookie"])
		}
		u, err := url.Parse(to)
		must(t, err)
		code := u.Query().Get("connect_code")
		if list := s.do(call("GET", "/connections?asana_user="+asanatest.Member, "")).want(200).json()["data"].([]any); len(list) != 0 {
			t.Errorf("before redeeming the code: got connections %v, want none", list)
		}
		c := s.do(call("POST", "/connections", object("connect_code", code, "owner", "acme", "person", "ann"))).want(201).json()
		if c["scope_requested"] != "openid email" || c["owner"] != "acme" {
			t.Errorf("got connection %v", c)
		}
		again := s.do(call("POST", "/connections", object("connect_code", code, "owner", "acme", "person", "ann"))).want(200).json()
		if diff := cmp.Diff(c, again); diff != "" {
			t.Errorf("redeeming the code twice (-first +second):\n%s", diff)
		}
		if got := s.lastLine()["connection"]; got != c["id"] {
			t.Errorf("got logged connection %v, want %v", got, c["id"])
		}
		s.do(call("POST", "/connections", object("connect_code", code, "owner", "acme", "person", "bob"))).problem(400, "link-expired")
		b.do(get(link)).page(400)
		if got := s.lastLine()["type"]; got != "link-expired" {
			t.Errorf("used link: got logged type %v, want link-expired", got)
		}
	})
}

// TestRedeemNeedsOwnerAndPerson checks that a connect code becomes invalid if it is
// redeemed for a wrong owner or person. Afterwards, the person must be able to get a new
// code with the same link.
func TestRedeemNeedsOwnerAndPerson(t *testing.T) {
	t.Parallel()
	for name, claim := range map[string][]any{
		"another owner": {"owner", "globex", "person", "ann"}, "another person": {"owner", "acme", "person", "bob"},
		"no person": {"owner", "acme"}, "null person": {"owner", "acme", "person", nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t)
				link := s.link("owner", "acme", "person", "ann")
				code := s.browser().follow(link, asanatest.Member).Get("connect_code")
				s.do(call("POST", "/connections", object(append(claim, "connect_code", code)...))).problem(400, "link-expired")
				right := []any{"owner", "acme", "person", "ann", "connect_code"}
				s.do(call("POST", "/connections", object(append(right, code)...))).problem(400, "link-expired")
				again := s.browser().follow(link, asanatest.Member).Get("connect_code")
				s.do(call("POST", "/connections", object(append(right, again)...))).want(201)
			})
		})
	}
}

// TestLinkErrors checks two errors that /callback reports to the app in a redirect: the
// person used a wrong Asana account, or a different browser used the link first.
func TestLinkErrors(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		wrong := s.browser().follow(s.link("owner", "acme", "asana_user", asanatest.Admin), asanatest.Member)
		if diff := cmp.Diff(url.Values{"asana_error": {"wrong-account"}}, wrong); diff != "" {
			t.Errorf("another account (-want +got):\n%s", diff)
		}
		link := s.link("owner", "acme")
		late := s.browser()
		back := late.allow(late.do(get(link)).location(), asanatest.Member)
		code := s.browser().follow(link, asanatest.Admin).Get("connect_code")
		s.do(call("POST", "/connections", object("connect_code", code, "owner", "acme"))).want(201)
		if to := late.do(get(back)).location(); to != home+"?asana_error=link-expired#" {
			t.Errorf("link that was used meanwhile: got redirect to %s", to)
		}
	})
}

// TestBadAuthorizeLinks checks that /authorize responds to an invalid link with a page,
// sets no cookie and writes nothing to the table.
func TestBadAuthorizeLinks(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		expired, link := s.link("owner", "acme"), ""
		time.Sleep(30 * time.Minute)
		link = s.link("owner", "acme")
		writes := s.table.Count("write")
		for target, kind := range map[string]string{
			expired: "link-expired", "/authorize?link=": "link-expired", "/authorize?link=unknown": "link-expired", link + "x": "link-expired",
			link + "&link=x": "invalid-request", link + "&return_to=" + url.QueryEscape(otherHome): "invalid-request", link + "&app_state=.": "invalid-request",
		} {
			a := s.do(get(target)).page(400)
			if got := s.lastLine()["type"]; got != kind || a.header["Set-Cookie"] != nil {
				t.Errorf("%s: got logged type %v and cookies %q", target, got, a.header["Set-Cookie"])
			}
		}
		for _, r := range []request{{method: "HEAD", target: link}, get(link, "Sec-Purpose", "prefetch")} {
			s.do(r).want(204)
		}
		if n := s.table.Count("write") - writes; n != 0 {
			t.Errorf("got %d writes, want 0", n)
		}
		s.do(get(link + "&return_to=" + url.QueryEscape(home))).want(303)
	})
}

func TestLinksOnly(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t, func(o *options) { o.linksOnly = true })
		s.do(get("/authorize")).page(400)
		s.do(call("POST", "/connections", object("connect_code", s.connectCode(asanatest.Member, "owner", "acme"), "owner", "acme"))).want(201)
	})
}
