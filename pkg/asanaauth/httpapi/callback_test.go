package httpapi_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func post(body string, header ...string) request {
	h := headers([]string{"Content-Type", "application/x-www-form-urlencoded", "Origin", "null", "Sec-Fetch-Site", "same-origin"})
	for name, values := range headers(header) {
		h[name] = values
	}
	return request{method: http.MethodPost, target: "/callback", header: h, body: body}
}

func TestCallbackCookies(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser()
		back := b.allow(b.begin(""), asanatest.Member)
		a := b.do(get(back)).want(303)
		session := b.jar[sessionCookie]
		want := []string{sessionCookie + "=" + session + "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Strict"}
		if diff := cmp.Diff(want, a.header["Set-Cookie"]); diff != "" {
			t.Errorf("cookies (-want +got):\n%s", diff)
		}
		id, secret, _ := strings.Cut(session, ".")
		if !strings.HasPrefix(id, "con_") || len(secret) != 43 {
			t.Errorf("got session cookie %q", session)
		}
		if got := b.lastLine()["connection"]; got != id {
			t.Errorf("got logged connection %v, want %s", got, id)
		}
	})
}

func TestReturnURLKeepsItsOwnQueryAndFragment(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser()
		consent := b.begin("?app_state=s&return_to=" + url.QueryEscape(otherHome))
		to := b.do(get(b.allow(consent, asanatest.Member))).location()
		if want := "https://app.example.com/other?tab=1&app_state=s&asana=connected#top"; to != want {
			t.Errorf("got redirect to %s, want %s", to, want)
		}
	})
}

// The request line must name Asana's error code, if it has the form of one, and nothing
// else of the response.
func TestTheLogNamesAsanasErrorCode(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		for code, logged := range map[string]string{
			"invalid_scope": "asana refused the authorization: invalid_scope", "access_denied": "asana refused the authorization: access_denied",
			"x_y": "asana refused the authorization: x_y", "marker2": "asana refused the authorization: an error code that is not valid",
			"marker" + strings.Repeat("r", 59): "asana refused the authorization: an error code that is not valid",
		} {
			s := newSite(t)
			b := s.browser()
			u, err := url.Parse(b.begin(""))
			must(t, err)
			b.do(get("/callback?error=" + code + "&error_description=marker&state=" + u.Query().Get("state"))).want(303)
			if got := s.lastLine()["err"]; got != logged {
				t.Errorf("%s: got err %v in the request line, want %q", code, got, logged)
			}
			if strings.Contains(s.log.String(), "marker") {
				t.Errorf("%s: the log contains a part of the response: %s", code, s.log.String())
			}
		}
	})
}

// If an error occurs after the attempt is marked as used, the browser must be redirected
// to the app with the error's kind in the parameter "asana_error".
func TestCallbackRedirects(t *testing.T) {
	t.Parallel()
	denied := func(b *browser, consent string) string {
		back, err := b.asana.Deny(context.Background(), consent, asanatest.Member)
		must(b.t, err)
		return strings.TrimPrefix(back, publicURL)
	}
	allowed := func(b *browser, consent string) string { return b.allow(consent, asanatest.Member) }
	with := func(add string) func(*browser, string) string {
		return func(b *browser, consent string) string { return allowed(b, consent) + add }
	}
	refused := func(code string) func(*browser, string) string {
		return func(b *browser, consent string) string {
			u, err := url.Parse(consent)
			must(b.t, err)
			return "/callback?error=" + code + "&state=" + u.Query().Get("state")
		}
	}
	respond := func(path string, status int, body string) func(*browser) {
		return func(b *browser) {
			b.asana.Inject(asanatest.Fault{Path: path, Status: status, Body: body, Times: -1})
		}
	}
	for name, c := range map[string]struct {
		back  func(b *browser, consent string) string
		fault func(b *browser)
		kind  string
		level string
	}{
		"access denied":  {denied, nil, "access-denied", "INFO"},
		"another error":  {refused("server_error"), nil, "asana-unavailable", "ERROR"},
		"invalid_scope":  {refused("invalid_scope&error_description=marker"), nil, "misconfigured", "ERROR"},
		"a wrong issuer": {with("&iss=https%3A%2F%2Fevil.example"), nil, "asana-unavailable", "ERROR"},
		"invalid_grant":  {allowed, respond("/-/oauth_token", 400, `{"error":"invalid_grant"}`), "login-expired", "INFO"},
		"invalid_client": {allowed, respond("/-/oauth_token", 401, `{"error":"invalid_client"}`), "misconfigured", "ERROR"},
		"Asana is down":  {allowed, respond("/-/oauth_token", 503, `{}`), "asana-unavailable", "ERROR"},
		"a rate limit":   {allowed, respond("/-/oauth_token", 429, `{}`), "try-again", "WARN"},
		"not JSON":       {allowed, respond("/-/oauth_token", 200, `<p>hi`), "asana-unavailable", "ERROR"},
		"a bad ID token": {with("&id_token=nonsense"), nil, "asana-unavailable", "ERROR"},
		"cannot save":    {allowed, func(b *browser) { b.failWriteAfter(1) }, "try-again", "WARN"},
		"internal error": {allowed, func(b *browser) { b.failWriteWith(1, errAny) }, "internal", "ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newSite(t).browser()
				back := c.back(b, b.begin("?app_state=s"))
				if c.fault != nil {
					c.fault(b)
				}
				a := b.do(get(back))
				if to := a.location(); to != home+"?app_state=s&asana_error="+c.kind+"#" || a.body != "" {
					t.Errorf("got redirect to %s with body %q", to, a.body)
				}
				if a.header["Set-Cookie"] != nil {
					t.Errorf("got cookies %q, want none", a.header["Set-Cookie"])
				}
				line := b.lastLine()
				if line["type"] != c.kind || line["status"] != float64(303) || line["level"] != c.level {
					t.Errorf("got line %v, want type %s and level %s", line, c.kind, c.level)
				}
			})
		})
	}
}

// Every cause of login-expired must result in the same page.
func TestCallbackWithoutAnAttempt(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		b := s.browser()
		back := b.allow(b.begin(""), asanatest.Member)
		mine := b.names("__Host-asana_attempt_")[0] + "=" + b.jar[b.names("__Host-asana_attempt_")[0]]
		denied := "/callback?error=access_denied&state=unknown"
		page := s.do(get("/callback?code=c&state=unknown")).page(400).body
		for name, a := range map[string]response{
			"another browser": s.do(get(back)),
			"a wrong secret":  s.do(get(back), strings.Split(mine, "=")[0]+"=wrong"),
			"cookie twice":    s.do(get(back), mine, mine),
			"quoted cookie":   s.do(get(back), strings.Replace(mine, "=", `="`, 1)+`"`),
			"no state":        s.do(get("/callback?code=c"), mine),
			"nothing":         s.do(get("/callback"), mine),
			"a denial":        s.do(get(denied), mine),
			"posted":          s.do(post("code=c&state=unknown"), mine),
		} {
			if a.page(400).body != page {
				t.Errorf("%s: got another page: %s", name, a.body)
			}
			if got := s.lastLine()["type"]; got != "login-expired" {
				t.Errorf("%s: got logged type %v, want login-expired", name, got)
			}
		}
		b.do(get(back)).want(303) // the requests above did not use up the attempt
		if a := s.do(get(back)).page(400); a.body != page {
			t.Errorf("used attempt, another browser: got another page: %s", a.body)
		}
		if err, _ := s.lastLine()["err"].(string); !strings.Contains(err, "did not send the attempt's cookie") {
			t.Errorf("got logged err %q, want the cause", err)
		}
		b.do(frontendCall(http.MethodDelete, "/session", "")).want(204)
		if a := s.do(get(back), mine).page(400); a.body != page || a.header["Set-Cookie"] != nil {
			t.Errorf("used attempt, signed out: got another page or cookies %q: %s", a.header["Set-Cookie"], a.body)
		}
		late := b.allow(b.begin(""), asanatest.Member)
		time.Sleep(10 * time.Minute)
		if a := b.do(get(late)).page(400); a.body != page {
			t.Errorf("expired attempt: got another page: %s", a.body)
		}
	})
}

// By default, the offline Asana accepts an authorization request without state. The
// callback must still reject its response, and must not use up the attempt.
func TestCallbackOfARequestWithoutState(t *testing.T) {
	t.Parallel()
	for name, required := range map[string]bool{"Asana accepts it": false, "Asana refuses it": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t)
				must(t, s.asana.SetSwitches(func(s *asanatest.Switches) { s.RequireState = required }))
				b := s.browser()
				consent := b.begin("")
				u, err := url.Parse(consent)
				must(t, err)
				q := u.Query()
				q.Del("state")
				u.RawQuery = q.Encode()
				back := b.allow(u.String(), asanatest.Member)
				if strings.Contains(back, "code=") == required || strings.Contains(back, "state=") {
					t.Fatalf("got %s, want a code (%t) and no state", back, !required)
				}
				b.do(get(back)).page(400)
				if got := s.lastLine()["type"]; got != "login-expired" {
					t.Errorf("got logged type %v, want login-expired", got)
				}
				if n := s.asana.CountRequests("authorization_code"); n != 0 {
					t.Errorf("got %d code exchanges, want 0", n)
				}
				b.do(get(b.allow(consent, asanatest.Member))).want(303)
			})
		})
	}
}

func TestCallbackIgnoresPrefetches(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser()
		back := b.allow(b.begin(""), asanatest.Member)
		for _, r := range []request{
			{method: http.MethodHead, target: back},
			get(back, "Sec-Purpose", "prefetch;prerender"),
			get(back, "Purpose", "prefetch"),
		} {
			if a := b.do(r); a.status != 204 || a.body != "" || a.header["Set-Cookie"] != nil {
				t.Errorf("%v: got %d, cookies %q; want 204 and none", r.header, a.status, a.header["Set-Cookie"])
			}
		}
		b.do(get(back)).want(303)
	})
}

// If a failure occurs before the attempt is marked as used, a reload of the page must
// complete the attempt.
func TestCallbackReload(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(s *site){
		"no table":     func(s *site) { s.fail("read") },
		"cannot write": func(s *site) { s.fail("write") },
		"no KMS":       func(s *site) { s.kms.Hook = func(string) error { return seal.ErrUnavailable } },
		"KMS denies":   func(s *site) { s.kms.Hook = func(string) error { return seal.ErrDenied } },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := newSite(t).browser()
				back := b.allow(b.begin(""), asanatest.Member)
				fault(b.site)
				a := b.do(get(back)).page(503)
				if a.header.Get("Retry-After") == "" || a.header["Set-Cookie"] != nil {
					t.Errorf("got Retry-After %q and cookies %q, want a time and none", a.header.Get("Retry-After"), a.header["Set-Cookie"])
				}
				if n := b.asana.CountRequests("/-/oauth_token"); n != 0 {
					t.Errorf("got %d token requests, want 0", n)
				}
				b.table.Hook, b.kms.Hook = nil, nil
				b.do(get(back)).want(303)
				if b.jar[sessionCookie] == "" {
					t.Error("the reload started no session")
				}
			})
		})
	}
}

func TestCallbackRefuses(t *testing.T) {
	t.Parallel()
	big := "code=c&state=" + strings.Repeat("s", 64<<10)
	for name, c := range map[string]struct {
		r      request
		status int
		kind   string
	}{
		"state twice":         {get("/callback?code=c&state=s&state=s"), 400, "invalid-request"},
		"code twice":          {get("/callback?code=c&code=c&state=s"), 400, "invalid-request"},
		"error twice":         {get("/callback?error=c&error=c&state=s"), 400, "invalid-request"},
		"bad escape":          {get("/callback?code=%&state=s"), 400, "invalid-request"},
		"semicolon":           {get("/callback?code=c;state=s"), 400, "invalid-request"},
		"no UTF-8":            {get("/callback?code=%c3%28&state=s"), 400, "invalid-request"},
		"long state":          {get("/callback?code=c&state=" + strings.Repeat("s", 1025)), 400, "invalid-request"},
		"long code":           {get("/callback?state=s&code=" + strings.Repeat("s", 8193)), 400, "invalid-request"},
		"posted twice":        {post("state=s&state=s"), 400, "invalid-request"},
		"JSON":                {post(`{}`, "Content-Type", "application/json"), 415, "unsupported-media-type"},
		"multipart":           {post(``, "Content-Type", "multipart/form-data; boundary=x"), 415, "unsupported-media-type"},
		"compressed":          {post(``, "Content-Encoding", "gzip"), 415, "unsupported-media-type"},
		"large":               {post(big), 413, "payload-too-large"},
		"from another site":   {post("state=s", "Sec-Fetch-Site", "cross-site"), 403, "forbidden-origin"},
		"from the same site":  {post("state=s", "Sec-Fetch-Site", "same-site"), 403, "forbidden-origin"},
		"from an address bar": {post("state=s", "Sec-Fetch-Site", "none"), 403, "forbidden-origin"},
		"DELETE":              {request{method: "DELETE", target: "/callback"}, 405, "method-not-allowed"},
		"OPTIONS":             {request{method: "OPTIONS", target: "/callback"}, 405, "method-not-allowed"},
		"below":               {get("/callback/x?code=c&state=s"), 404, "not-found"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			for _, chunked := range []bool{false, true} {
				c.r.chunked = chunked
				a := s.do(c.r).page(c.status)
				if allow := a.header.Get("Allow"); (c.status == 405) != (allow == "GET, HEAD, POST") {
					t.Errorf("got Allow %q for status %d", allow, c.status)
				}
				if got := s.lastLine()["type"]; got != c.kind {
					t.Errorf("got logged type %v, want %s", got, c.kind)
				}
			}
			if n := len(s.table.Calls()); n != 0 {
				t.Errorf("got %d calls of the table, want 0", n)
			}
		})
	}
}

func TestCallbackWithNeitherCodeNorError(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser()
		consent, err := url.Parse(b.begin(""))
		must(t, err)
		writes := b.table.Count("write")
		b.do(get("/callback?state=" + consent.Query().Get("state"))).page(400)
		if got := b.lastLine()["type"]; got != "invalid-request" || b.table.Count("write") != writes {
			t.Errorf("got logged type %v and %d writes, want invalid-request and 0", got, b.table.Count("write")-writes)
		}
	})
}
