package httpapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
)

func TestAuthorize(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.do(get("/authorize?return_to=" + url.QueryEscape(otherHome) + "&app_state=a-Z_9&utm=1&utm=2"))
	to, err := url.Parse(a.location())
	must(t, err)
	if got := to.Scheme + "://" + to.Host + to.Path; got != asanaURL+"/-/oauth_authorize" {
		t.Errorf("redirects to %s, want Asana's authorization endpoint", got)
	}
	if a.body != "" {
		t.Errorf("the redirect has the body %q, want none", a.body)
	}
	cookies := a.header["Set-Cookie"]
	if len(cookies) != 1 {
		t.Fatalf("got cookies %q, want one", cookies)
	}
	name := "__Host-asana_attempt_" + login.AttemptName(to.Query().Get("state"))
	want := regexp.MustCompile(`^` + name + `=[A-Za-z0-9_-]{43}; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax$`)
	if !want.MatchString(cookies[0]) {
		t.Errorf("got cookie %q, want a match of %s", cookies[0], want)
	}
}

func TestAuthorizeWritesOnlyForNavigations(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, r := range map[string]request{
		"HEAD":              {method: http.MethodHead, target: "/authorize"},
		"prefetch":          get("/authorize", "Sec-Purpose", "prefetch"),
		"prerender":         get("/authorize", "Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Mode", "navigate"),
		"old prefetch":      get("/authorize", "Purpose", "prefetch"),
		"a fetch":           get("/authorize", "Sec-Fetch-Mode", "cors"),
		"an image":          get("/authorize", "Sec-Fetch-Mode", "no-cors"),
		"a frame":           get("/authorize", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"),
		"a prefetch, wrong": get("/authorize?return_to=nowhere", "Sec-Purpose", "prefetch"),
	} {
		if a := s.do(r); a.status != 204 || a.body != "" || a.header["Set-Cookie"] != nil {
			t.Errorf("%s: got %d, body %q, cookies %q; want 204 and nothing else", name, a.status, a.body, a.header["Set-Cookie"])
		}
	}
	s.do(get("/authorize", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")).want(303)
	if n := s.table.Count("write"); n != 1 {
		t.Errorf("got %d writes, want 1", n)
	}
}

func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	type row struct {
		r      request
		status int
		kind   string
	}
	long := strings.Repeat("a", 257)
	for name, c := range map[string]row{
		"foreign return_to":     {get("/authorize?return_to=https://evil.example/"), 400, "invalid-request"},
		"almost return_to":      {get("/authorize?return_to=" + url.QueryEscape(home+"/")), 400, "invalid-request"},
		"empty return_to":       {get("/authorize?return_to="), 400, "invalid-request"},
		"return_to twice":       {get("/authorize?return_to=" + home + "&return_to=" + home), 400, "invalid-request"},
		"escaped name, twice":   {get("/authorize?app_state=a&app%5Fstate=a"), 400, "invalid-request"},
		"app_state, characters": {get("/authorize?app_state=a.b"), 400, "invalid-request"},
		"app_state, control":    {get("/authorize?app_state=a%0Ab"), 400, "invalid-request"},
		"app_state, long":       {get("/authorize?app_state=" + long), 400, "invalid-request"},
		"app_state, empty":      {get("/authorize?app_state"), 400, "invalid-request"},
		"no UTF-8":              {get("/authorize?app_state=%ff"), 400, "invalid-request"},
		"bad escape":            {get("/authorize?other=%zz"), 400, "invalid-request"},
		"cut escape":            {get("/authorize?app_state=a%"), 400, "invalid-request"},
		"semicolon":             {get("/authorize?app_state=a;b=c"), 400, "invalid-request"},
		"unknown link":          {get("/authorize?link=unknown"), 400, "link-expired"},
		"empty link":            {get("/authorize?link="), 400, "link-expired"},
		"POST":                  {request{method: "POST", target: "/authorize"}, 405, "method-not-allowed"},
		"OPTIONS":               {request{method: "OPTIONS", target: "/authorize"}, 405, "method-not-allowed"},
		"strange method":        {request{method: "BREW", target: "/authorize"}, 405, "method-not-allowed"},
		"slash at the end":      {get("/authorize/"), 404, "not-found"},
		"below":                 {get("/authorize/x"), 404, "not-found"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			a := s.do(c.r).page(c.status)
			if a.header["Set-Cookie"] != nil {
				t.Errorf("got cookies %q, want none", a.header["Set-Cookie"])
			}
			if allow := a.header.Get("Allow"); (c.status == 405) != (allow == "GET, HEAD") {
				t.Errorf("got Allow %q for status %d", allow, c.status)
			}
			if got := s.lastLine()["type"]; got != c.kind {
				t.Errorf("got logged type %v, want %s", got, c.kind)
			}
			for _, echo := range []string{"evil", "%zz", "a.b", long, "unknown"} {
				if strings.Contains(a.body, echo) {
					t.Errorf("the page repeats the input %q", echo)
				}
			}
		})
	}
	if n := s.table.Count("write"); n != 0 {
		t.Errorf("got %d writes, want 0", n)
	}
}

func TestAuthorizeWithLinksOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *options) { o.linksOnly = true })
	s.do(get("/authorize")).page(400)
	if got := s.lastLine()["type"]; got != "invalid-request" {
		t.Errorf("got logged type %v, want invalid-request", got)
	}
}

func TestAuthorizeWithoutTheTable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fail("write")
	a := s.do(get("/authorize")).page(503)
	if a.header.Get("Retry-After") != "1" || a.header["Set-Cookie"] != nil {
		t.Errorf("got Retry-After %q and cookies %q, want 1 and none", a.header.Get("Retry-After"), a.header["Set-Cookie"])
	}
}

func TestAtMostFiveAttempts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var cookies []string
	for i := range 7 {
		cookies = append(cookies, fmt.Sprintf("__Host-asana_attempt_%016x=v", i))
	}
	others := []string{
		"__Host-asana_attempt_XYZ=v", "__Host-asana_attempt_00000000000000000=v", // not attempt cookies
		"asana_attempt_00000000000000aa=v", "__Host-asana_session=v", cookies[6],
	}
	a := s.do(get("/authorize"), append(others, cookies...)...)
	var ended []string
	for _, line := range a.header["Set-Cookie"][:len(a.header["Set-Cookie"])-1] {
		if !strings.HasSuffix(line, "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax") {
			t.Errorf("got cookie %q, want a deleted attempt cookie", line)
		}
		ended = append(ended, strings.TrimSuffix(line[:strings.Index(line, "=")], "="))
	}
	// The request has seven attempt cookies, with the oldest first: number 6, then
	// numbers 0 to 5. The response deletes the three oldest cookies and sets a new one,
	// so five remain.
	want := []string{"__Host-asana_attempt_0000000000000006", "__Host-asana_attempt_0000000000000000", "__Host-asana_attempt_0000000000000001"}
	if !slices.Equal(ended, want) {
		t.Errorf("got deleted cookies %q, want %q", ended, want)
	}
	if a := s.do(get("/authorize"), cookies[:4]...); len(a.header["Set-Cookie"]) != 1 {
		t.Errorf("with four attempts: got cookies %q, want one", a.header["Set-Cookie"])
	}
	many := make([]string, 300)
	for i := range many {
		many[i] = fmt.Sprintf("__Host-asana_attempt_%016x=v", i)
	}
	if a := s.do(get("/authorize"), many...); len(a.header["Set-Cookie"]) != 21 {
		t.Errorf("with 300 attempts: got %d cookies, want 20 deleted and one new", len(a.header["Set-Cookie"]))
	}
}

func TestTwoTabs(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser()
		one, two := b.begin("?app_state=one"), b.begin("?app_state=two")
		if n := len(b.names("__Host-asana_attempt_")); n != 2 {
			t.Fatalf("got %d attempt cookies, want 2", n)
		}
		for state, consent := range map[string]string{"one": one, "two": two} {
			if to := b.do(get(b.allow(consent, "1200000000000001"))).location(); to != home+"?app_state="+state+"&asana=connected#" {
				t.Errorf("tab %s: got redirect to %s", state, to)
			}
		}
		if left := b.names("__Host-asana_attempt_"); len(left) != 0 {
			t.Errorf("got attempt cookies %q, want none", left)
		}
	})
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for publicURL, insecure := range map[string]bool{
		"http://localhost:8484": true, "http://127.0.0.1:8484": true, "http://[::1]:8484": true,
		"http://auth.example.com": false, "http://localhost.example.com": false, "https://localhost:8484": false, "": false, "::": false,
	} {
		s := newSite(t, func(o *options) { o.publicURL = publicURL })
		a := s.do(get("/authorize")).want(303)
		cookie := a.header.Get("Set-Cookie")
		if got := strings.HasPrefix(cookie, "asana_attempt_") && !strings.Contains(cookie, "Secure"); got != insecure {
			t.Errorf("%s: got cookie %q, want insecure %t", publicURL, cookie, insecure)
		}
		if !insecure && (!strings.HasPrefix(cookie, "__Host-") || !strings.Contains(cookie, "; Secure")) {
			t.Errorf("%s: got cookie %q, want insecure %t", publicURL, cookie, insecure)
		}
		if got := strings.Contains(s.log.String(), "WARN"); got != insecure {
			t.Errorf("%s: got warning %t, want %t", publicURL, got, insecure)
		}
		wantHSTS := strings.HasPrefix(publicURL, "https:")
		if got := a.header.Get("Strict-Transport-Security") != ""; got != wantHSTS {
			t.Errorf("%s: got Strict-Transport-Security %t, want %t", publicURL, got, wantHSTS)
		}
	}
}
