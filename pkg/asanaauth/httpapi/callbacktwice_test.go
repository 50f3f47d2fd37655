package httpapi_test

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// seen returns what a browser and an app see of a response.
func (a response) seen() map[string]any {
	h := a.header.Clone()
	h.Del("X-Request-Id")
	return map[string]any{"status": a.status, "header": h, "body": a.body}
}

// If a browser repeats a callback, it gets the same response again.
func TestCallbackTwice(t *testing.T) {
	t.Parallel()
	open := func(pairs ...any) func(*browser) string {
		return func(b *browser) string {
			return b.do(get(b.link(pairs...) + "&app_state=s")).location()
		}
	}
	signIn := func(b *browser) string { return b.begin("?app_state=s") }
	allow := func(b *browser, consent string) request { return get(b.allow(consent, asanatest.Member)) }
	for name, c := range map[string]struct {
		change func(*options)
		begin  func(*browser) string // returns the URL of Asana's consent screen
		back   func(b *browser, consent string) request
		want   string // a parameter in the redirect
	}{
		"sign-in":         {nil, signIn, allow, "asana"},
		"a link":          {nil, open("owner", "acme"), allow, "connect_code"},
		"a wrong account": {nil, open("owner", "acme", "asana_user", asanatest.Guest), allow, "asana_error"},
		"a fragment": {withIDToken, signIn, func(b *browser, consent string) request {
			_, fragment, _ := strings.Cut(b.allow(consent, asanatest.Member), "#")
			return post(fragment)
		}, "asana"},
		"access denied": {nil, signIn, func(b *browser, consent string) request {
			back, err := b.asana.Deny(context.Background(), consent, asanatest.Member)
			must(b.t, err)
			return get(strings.TrimPrefix(back, publicURL))
		}, "asana_error"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var changes []func(*options)
				if c.change != nil {
					changes = append(changes, c.change)
				}
				b := newSite(t, changes...).browser()
				r := c.back(b, c.begin(b))
				first := b.do(r)
				to, err := url.Parse(first.location())
				must(t, err)
				if q := to.Query(); q.Get("app_state") != "s" || q.Get(c.want) == "" || len(q) != 2 {
					t.Errorf("got redirect to %s, want app_state and %s", to, c.want)
				}
				for range 2 {
					time.Sleep(time.Minute)
					if diff := cmp.Diff(first.seen(), b.do(r).seen()); diff != "" {
						t.Errorf("repeated callback (-first +second):\n%s", diff)
					}
				}
				if n := b.asana.CountRequests("authorization_code"); n > 1 {
					t.Errorf("got %d exchanged codes, want at most 1", n)
				}
			})
		})
	}
}

// In 50 sign-ins, the browser sends each callback four times at once.
func TestFourCallbacksAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		s.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				time.Sleep(time.Second) // wait until all callbacks have read the attempt
			}
			return true, nil
		}
		succeeded := 0
		for range 50 {
			b := s.browser()
			back := b.allow(b.begin(""), asanatest.Member)
			name := b.names("__Host-asana_attempt_")[0]
			var wg sync.WaitGroup
			var all [4]response
			for i := range all {
				wg.Go(func() { all[i] = s.do(get(back), name+"="+b.jar[name]) })
			}
			wg.Wait()
			for _, a := range all {
				if a.location() == home+"?asana=connected#" {
					succeeded++
				}
				if diff := cmp.Diff(all[0].header["Set-Cookie"], a.header["Set-Cookie"]); diff != "" || len(a.header["Set-Cookie"]) != 1 {
					t.Errorf("cookies of two callbacks (-first +other):\n%s", diff)
				}
			}
		}
		if n := s.asana.CountRequests("authorization_code"); succeeded != 200 || n != 50 {
			t.Errorf("got %d successful callbacks and %d exchanged codes, want 200 and 50", succeeded, n)
		}
	})
}
