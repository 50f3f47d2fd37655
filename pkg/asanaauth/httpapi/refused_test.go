package httpapi_test

import (
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A report of the current token causes a refresh. A further report within 30 seconds
// causes an introspection, and a token that is active is returned again.
func TestReportsOfRefusedTokens(t *testing.T) {
	t.Parallel()
	for _, route := range []string{"/refresh", "/connections/{id}/token"} {
		t.Run(route, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t)
				b := s.browser().signIn(asanatest.Member)
				id := b.do(get("/session", "Origin", appOrigin)).json()["connection"].(string)
				ask := func(body string) string {
					t.Helper()
					if route == "/refresh" {
						return b.refresh(body).want(200).json()["access_token"].(string)
					}
					return s.do(call("POST", "/connections/"+id+"/token", body)).want(200).json()["access_token"].(string)
				}
				report := func(token string) string { t.Helper(); return ask(object("refused", hashOf(token))) }
				first := ask("{}")
				second := report(first)
				if second == first {
					t.Error("the first report: got the same token again")
				}
				for range 2 {
					time.Sleep(5 * time.Second)
					if report(second) != second || ask("{}") != second {
						t.Error("a further report: got another token than the active one")
					}
				}
				if n := s.asana.CountRequests(authtest.IntrospectPath); n != 1 {
					t.Errorf("got %d introspections, want 1", n)
				}
				time.Sleep(30 * time.Second)
				if report(second) == second {
					t.Error("after 30 seconds: got the same token again")
				}
			})
		})
	}
}
