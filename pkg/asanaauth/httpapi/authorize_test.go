package httpapi_test

import (
	"bytes"
	"fmt"
	"html"
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
	a := s.do(get("/authorize?return_to=" + url.QueryEscape(otherHome) + "&app_state=a-Z_9"))
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

// Mail programs, browsers and analytics tools add parameters to links. Even malformed
// ones must not break a sign-in.
func TestAuthorizeIgnoresOtherParameters(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, other := range []string{
		"utm=1&utm=2", "fbclid=%zz", "%zz", "%zz=1", "=", "&&", "a;b", "a=1;link=x", "x=%ff", "%ff=x", "x=%00", "RETURN_TO=x", "return_to%5B%5D=x", "é=ü", "x=" + strings.Repeat("y", 6000),
	} {
		to, err := url.Parse(s.do(get("/authorize?" + other + "&app_state=s&" + other)).location())
		must(t, err)
		if to.Query().Get("state") == "" {
			t.Errorf("?%s: got redirect to %s, want Asana", other, to)
		}
	}
}

func TestAuthorizeWritesOnlyForNavigations(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	requests := map[string]request{
		"HEAD":              {method: http.MethodHead, target: "/authorize"},
		"prefetch":          get("/authorize", "Sec-Purpose", "prefetch"),
		"prerender":         get("/authorize", "Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Mode", "navigate"),
		"private prefetch":  get("/authorize", "Sec-Purpose", "prefetch;anonymous-client-ip", "Sec-Fetch-Site", "cross-site"),
		"preview":           get("/authorize", "Sec-Purpose", "Preview"),
		"second value":      get("/authorize", "Sec-Purpose", "x", "Sec-Purpose", "prefetch"),
		"old prefetch":      get("/authorize", "Purpose", "prefetch"),
		"old preview":       get("/authorize", "Purpose", "preview"),
		"Safari's preview":  get("/authorize", "X-Purpose", "preview"),
		"Firefox's":         get("/authorize", "X-Moz", "prefetch"),
		"a fetch":           get("/authorize", "Sec-Fetch-Mode", "cors"),
		"an image":          get("/authorize", "Sec-Fetch-Mode", "no-cors"),
		"only a dest":       get("/authorize", "Sec-Fetch-Dest", "image"),
		"a prefetch, wrong": get("/authorize?return_to=nowhere", "Sec-Purpose", "prefetch"),
	}
	for _, frame := range []string{"iframe", "frame", "embed", "object", "fencedframe"} {
		requests[frame] = get("/authorize", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", frame)
	}
	for name, r := range requests {
		if a := s.do(r); a.status != 204 || a.body != "" || a.header["Set-Cookie"] != nil {
			t.Errorf("%s: got %d, body %q, cookies %q; want 204 and nothing else", name, a.status, a.body, a.header["Set-Cookie"])
		}
	}
	if n := len(s.table.Calls()); n != 0 {
		t.Errorf("got %d calls of the table, want 0", n)
	}
	for _, dest := range []string{"document", "empty", ""} { // a service worker sends "empty"
		r := get("/authorize", "Sec-Fetch-Mode", "navigate", "Sec-Purpose", "", "X-Moz", "")
		if dest != "" {
			r.header.Set("Sec-Fetch-Dest", dest)
		}
		s.do(r).want(303)
	}
	s.do(get("/authorize", "Sec-Fetch-Dest", "document")).want(303)
	if n := s.table.Count("write"); n != 4 {
		t.Errorf("got %d writes, want 4", n)
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
		"bad escape":            {get("/authorize?app_state=%zz"), 400, "invalid-request"},
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

var continueLink = regexp.MustCompile(`<a class="button" href="([^"]*)">Continue to Asana</a>`)

// continueTo returns the target of the button on the page that /authorize shows for a
// navigation from another site.
func (a response) continueTo() string {
	a.t.Helper()
	m := continueLink.FindAllStringSubmatch(a.want(200).body, -1)
	if len(m) != 1 || strings.Count(a.body, "<a ") != 1 {
		a.t.Fatalf("got page %s, want one link", a.body)
	}
	return html.UnescapeString(m[0][1])
}

// If another site starts the navigation, nothing may happen until the person presses the
// button, because Asana can consent silently.
func TestANavigationFromAnotherSiteMustBeConfirmed(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		b := s.browser()
		navigate := func(target, site string) request {
			return get(target, "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
		}
		all := "?return_to=" + url.QueryEscape(otherHome) + "&app_state=x&utm=%zz"
		for query, want := range map[string]string{
			"": "/authorize", "?app_state=x": "/authorize?app_state=x", all: "/authorize" + all,
			`?"><script>alert(1)</script>&amp;'=<b>&é=1`: "/authorize?%22%3E%3Cscript%3Ealert(1)%3C/script%3E&amp;%27=%3Cb%3E&%C3%A9=1",
			"?a=%22%3E%3Cscript%3E":                      "/authorize?a=%22%3E%3Cscript%3E",
			"?javascript:alert(1)":                       "/authorize?javascript:alert(1)",
		} {
			a := b.do(navigate("/authorize"+query, "cross-site"))
			to := a.continueTo()
			if to != want {
				t.Errorf("%s: the button leads to %s, want %s", query, to, want)
			}
			if strings.Contains(a.body, "<script") || strings.Contains(a.body, "<b>") {
				t.Errorf("%s: the page contains markup of the query: %s", query, a.body)
			}
			policy := a.header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
				if !strings.Contains(policy, want) || strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") {
					t.Errorf("%s: got policy %q, want %s and no scripts", query, policy, want)
				}
			}
			if a.header["Set-Cookie"] != nil || len(s.table.Calls()) != 0 {
				t.Fatalf("%s: got cookies %q and %d calls of the table before the button was pressed", query, a.header["Set-Cookie"], len(s.table.Calls()))
			}
			if line := s.lastLine(); line["status"] != float64(200) || line["type"] != nil {
				t.Errorf("%s: got log line %v, want status 200 without a type", query, line)
			}
			b.do(navigate(to, "same-origin")).want(303)
			if n := s.table.Count("write"); n != 1 {
				t.Errorf("%s: got %d writes after the button was pressed, want 1", query, n)
			}
			s.table.Reset()
		}
		for _, site := range []string{"none", "same-origin", "same-site", ""} {
			b.do(navigate("/authorize", site)).want(303)
		}
		b.do(navigate(s.link("owner", "acme"), "cross-site")).want(303)
	})
}

// A malformed request gets its error page at once, because a button that leads to an error
// page does not help.
func TestANavigationFromAnotherSiteIsCheckedFirst(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s, linksOnly := newSite(t), newSite(t, func(o *options) { o.linksOnly = true })
		for _, target := range []string{"/authorize?return_to=https://evil.example/", "/authorize?app_state=a.b", "/authorize?app_state=a&app_state=a", "/authorize?link=", "/authorize?link=unknown"} {
			s.do(get(target, "Sec-Fetch-Site", "cross-site")).page(400)
		}
		linksOnly.do(get("/authorize", "Sec-Fetch-Site", "cross-site")).page(400)
		if n := s.table.Count("write") + linksOnly.table.Count("write"); n != 0 {
			t.Errorf("got %d writes, want 0", n)
		}
	})
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

func TestAtMostTenAttempts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	attempts := func(n int) (cookies []string) {
		for i := range n {
			cookies = append(cookies, fmt.Sprintf("__Host-asana_attempt_%016x=v", i))
		}
		return cookies
	}
	cookies := attempts(12)
	others := []string{
		"__Host-asana_attempt_XYZ=v", "__Host-asana_attempt_00000000000000000=v", // not attempt cookies
		"asana_attempt_00000000000000aa=v", "__Host-asana_session=v", cookies[11],
	}
	a := s.do(get("/authorize"), append(others, cookies...)...)
	var ended []string
	for _, line := range a.header["Set-Cookie"][:len(a.header["Set-Cookie"])-1] {
		if !strings.HasSuffix(line, "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax") {
			t.Errorf("got cookie %q, want a deleted attempt cookie", line)
		}
		ended = append(ended, line[:strings.Index(line, "=")])
	}
	// The request has twelve attempt cookies, with the oldest first: number 11, then
	// numbers 0 to 10. The response deletes the three oldest cookies and sets a new one,
	// so ten remain.
	want := []string{"__Host-asana_attempt_000000000000000b", "__Host-asana_attempt_0000000000000000", "__Host-asana_attempt_0000000000000001"}
	if !slices.Equal(ended, want) {
		t.Errorf("got deleted cookies %q, want %q", ended, want)
	}
	if a := s.do(get("/authorize"), attempts(9)...); len(a.header["Set-Cookie"]) != 1 {
		t.Errorf("with nine attempts: got cookies %q, want one", a.header["Set-Cookie"])
	}
	a = s.do(get("/authorize"), attempts(300)...)
	if len(a.header["Set-Cookie"]) != 31 {
		t.Errorf("with 300 attempts: got %d cookies, want 30 deleted and one new", len(a.header["Set-Cookie"]))
	}
	var size bytes.Buffer
	must(t, a.header.Write(&size))
	if size.Len() > 4<<10 {
		t.Errorf("with 300 attempts: got %d bytes of response headers, want at most 4 KB", size.Len())
	}
}

// A browser that begins many attempts, in many tabs, keeps at most ten cookies. The
// cookies of the newest attempts remain.
func TestManyTabsKeepTenAttempts(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		var jar []string // in the order of creation, as browsers send cookies
		for i := range 25 {
			for _, line := range s.do(get("/authorize"), jar...).want(303).header["Set-Cookie"] {
				c, err := http.ParseSetCookie(line)
				must(t, err)
				if c.MaxAge < 0 {
					jar = slices.DeleteFunc(jar, func(pair string) bool { return strings.HasPrefix(pair, c.Name+"=") })
				} else {
					jar = append(jar, c.Name+"="+c.Value)
				}
			}
			if want := min(i+1, 10); len(jar) != want {
				t.Errorf("after %d attempts: got %d cookies, want %d", i+1, len(jar), want)
			}
		}
		if size := len(strings.Join(jar, "; ")); size > 1<<10 {
			t.Errorf("got a Cookie header of %d bytes, want at most 1 KB", size)
		}
	})
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
	})
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for publicURL, insecure := range map[string]bool{
		"http://localhost:8484": true, "http://127.0.0.1:8484": true, "http://[::1]:8484": true, "http://localhost": true,
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
