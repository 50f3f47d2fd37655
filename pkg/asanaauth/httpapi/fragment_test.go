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
			t.Fatalf("Asana answered in %s", back)
		}
		a := b.do(get("/callback", "Sec-Fetch-Site", "cross-site")).page(200)
		if a.header["Set-Cookie"] != nil {
			t.Errorf("the page sets cookies: %q", a.header["Set-Cookie"])
		}
		to := b.do(post(fragment)).location()
		if to != home+"?app_state=s&asana=connected#" || b.jar[sessionCookie] == "" {
			t.Errorf("ended at %s", to)
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
			t.Errorf("ended at %s", to)
		}
	})
}

// TestAnswerInTheQuery: errors may come there whatever the response type.
func TestAnswerInTheQuery(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		b := newSite(t, withIDToken).browser()
		u, err := url.Parse(b.begin(""))
		must(t, err)
		to := b.do(get("/callback?error=access_denied&state=" + u.Query().Get("state"))).location()
		if to != home+"?asana_error=access-denied#" {
			t.Errorf("ended at %s", to)
		}
	})
}

// TestPost is served with both response types, and by browsers that send no
// Sec-Fetch-Site.
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

// TestPoliciesFitThePages works the hashes of inline text out anew.
func TestPoliciesFitThePages(t *testing.T) {
	t.Parallel()
	s := newSite(t, withIDToken)
	inline := regexp.MustCompile(`(?s)<(style|script)>(.*?)</`)
	for name, a := range map[string]answer{"fragment": s.do(get("/callback")), "problem": s.do(get("/authorize/x"))} {
		policy := a.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %s", name, policy)
		}
		for _, found := range inline.FindAllStringSubmatch(a.body, -1) {
			sum := sha256.Sum256([]byte(found[2]))
			want := found[1] + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
			if !strings.Contains(policy, want) {
				t.Errorf("%s: policy %s lacks %s", name, policy, want)
			}
		}
		if strings.Contains(a.body, " style=") || strings.Contains(a.body, " onclick=") {
			t.Errorf("%s: the policy does not let attributes pass", name)
		}
	}
	policy := s.do(get("/callback")).header.Get("Content-Security-Policy")
	if strings.Contains(policy, "form-action") {
		t.Errorf("form-action would keep Chromium from following the 303 to the app: %s", policy)
	}
}
