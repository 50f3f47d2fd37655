package httpapi_test

import (
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// After a change of ASANA_CLIENT_ID, no route returns or uses the token of an old
// connection, and every route that disconnects ends it.
func TestConnectionsOfAnotherClientID(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		otherClient := func(hot *store.Hot) { hot.ClientID = "999" }
		b := s.browser().signIn(asanatest.Member)
		id := b.do(get("/session", "Origin", appOrigin)).json()["connection"].(string)
		one, two := s.connectByLink("acme", asanatest.Guest), s.connectByLink("globex", asanatest.Guest)
		for _, c := range []string{id, one["id"].(string), two["id"].(string)} {
			s.rows.Edit(c, otherClient)
		}
		b.refresh("").problem(500, "misconfigured")
		b.do(get("/membership", "Origin", appOrigin)).problem(500, "misconfigured")
		s.do(call("POST", at(one, "/token"), "")).problem(500, "misconfigured")
		s.do(call("GET", at(one, "/membership"), "")).problem(500, "misconfigured")
		s.do(call("GET", at(one, "/capabilities"), "")).problem(500, "misconfigured")
		if got := s.do(call("GET", at(one), "")).want(200).json()["status"]; got != "active" {
			t.Errorf("got status %v, want active", got)
		}
		for name, a := range map[string]response{
			"POST /disconnect":         b.do(frontendCall("POST", "/disconnect", "{}")),
			"DELETE /connections/{id}": s.do(call("DELETE", at(one), "")),
		} {
			if got := a.want(200).json(); got["status"] != "disconnected" || got["revoked_at_asana"] != false {
				t.Errorf("%s: got %v", name, got)
			}
		}
		got := s.do(call("DELETE", "/connections?owner=globex", "")).want(202).json()
		if got["disconnected"] != 1.0 || got["revoking"] != 0.0 || got["left"] != 0.0 {
			t.Errorf("off-boarding: got %v, want 1 disconnected", got)
		}
	})
}
