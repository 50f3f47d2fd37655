package httpapi_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func withIDToken(o *options) { o.responseType = "code id_token" }

func TestFragment(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t, withIDToken).browser()
		back := b.allow(b.begin("?app_state=s"), asanatest.Member)
		path, fragment, ok := strings.Cut(back, "#")
		if path != "/callback" || !ok {
			t.Fatalf("got redirect to %s, want /callback with a fragment", back)
		}
		a := b.do(get("/callback", "Sec-Fetch-Site", "cross-site")).page(200)
		if a.header["Set-Cookie"] != nil {
			t.Errorf("got cookies %q, want none", a.header["Set-Cookie"])
		}
		to := b.do(post(fragment)).location()
		if to != home+"?app_state=s&asana=connected#" || b.jar[sessionCookie] == "" {
			t.Errorf("got redirect to %s", to)
		}
		b.do(get("/session", "Origin", appOrigin)).want(200)
	})
}

func TestFragmentWithoutAnIDToken(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t, withIDToken).browser()
		_, fragment, _ := strings.Cut(b.allow(b.begin(""), asanatest.Member), "#")
		form, err := url.ParseQuery(fragment)
		must(t, err)
		form.Del("id_token")
		if to := b.do(post(form.Encode())).location(); to != home+"?asana_error=asana-unavailable#" {
			t.Errorf("got redirect to %s", to)
		}
	})
}

// TestErrorInTheQuery checks that /callback accepts an error in the query even if the
// response type is "code id_token". With this response type, Asana sends codes and ID
// tokens in the fragment.
func TestErrorInTheQuery(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t, withIDToken).browser()
		u, err := url.Parse(b.begin(""))
		must(t, err)
		to := b.do(get("/callback?error=access_denied&state=" + u.Query().Get("state"))).location()
		if to != home+"?asana_error=access-denied#" {
			t.Errorf("got redirect to %s", to)
		}
	})
}

// TestPost checks that POST /callback completes an attempt with the response type "code",
// even if the browser does not send Sec-Fetch-Site.
func TestPost(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t).browser()
		_, query, _ := strings.Cut(b.allow(b.begin(""), asanatest.Member), "?")
		r := post(query, "Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		delete(r.header, "Sec-Fetch-Site")
		b.do(r).want(303)
	})
}

// TestPoliciesFitThePages checks that the Content Security Policy of a page allows the
// style and the script in that page.
func TestPoliciesFitThePages(t *testing.T) {
	t.Parallel()
	s := newSite(t, withIDToken)
	inline := regexp.MustCompile(`(?s)<(style|script)>(.*?)</`)
	for name, a := range map[string]response{"fragment": s.do(get("/callback")), "problem": s.do(get("/authorize/x")), "continue": s.do(get("/authorize", "Sec-Fetch-Site", "cross-site"))} {
		policy := a.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: got policy %s", name, policy)
		}
		for _, found := range inline.FindAllStringSubmatch(a.body, -1) {
			sum := sha256.Sum256([]byte(found[2]))
			want := found[1] + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
			if !strings.Contains(policy, want) {
				t.Errorf("%s: got policy %s, want %s in it", name, policy, want)
			}
		}
		if strings.Contains(a.body, " style=") || strings.Contains(a.body, " onclick=") {
			t.Errorf("%s: the page has a style or onclick attribute, which the policy blocks", name)
		}
	}
	policy := s.do(get("/callback")).header.Get("Content-Security-Policy")
	if strings.Contains(policy, "form-action") {
		t.Errorf("got policy %s; form-action would make Chromium block the redirect to the app", policy)
	}
}
