package httpapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func queryEscape(s string) string { return url.QueryEscape(s) }

func TestAConnection(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		began := time.Now().UTC()
		made := s.connectByLink("acme", asanatest.Member)
		now := began.Format(time.RFC3339)
		want := map[string]any{
			"id": made["id"], "kind": "oauth", "owner": "acme", "status": "active", "status_reason": nil,
			"attributed_to":   map[string]any{"gid": asanatest.Member, "name": "Mia Member", "email": "mia@acme.example"},
			"scope_requested": "default openid email profile", "scope_granted": made["scope_granted"], "reader_of": []any{},
			"created_at": now, "updated_at": now, "last_refreshed_at": made["last_refreshed_at"], "broken_at": nil, "expires_at": began.Add(time.Hour).Format(time.RFC3339),
		}
		shown := s.do(call("GET", at(made, "?owner=acme"), "")).want(200).json()
		for name, got := range map[string]map[string]any{"POST": made, "GET": shown} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		must(t, s.asana.RevokeGrants(asanatest.Member))
		time.Sleep(time.Hour)
		s.do(call("POST", at(made, "/token"), "")).problem(409, "reconnect-required")
		broken := s.do(call("GET", at(made), "")).want(200).json()
		if broken["status"] != "broken" || broken["status_reason"] != "invalid-grant" || broken["broken_at"] != began.Add(time.Hour).Format(time.RFC3339) {
			t.Errorf("broken: got %v", broken)
		}
		s.do(call("DELETE", at(made), "")).want(200)
		tombstone := map[string]any{"id": made["id"], "kind": "oauth", "owner": nil, "status": "disconnected", "updated_at": began.Add(time.Hour).Format(time.RFC3339)}
		for name := range want {
			if _, ok := tombstone[name]; !ok {
				tombstone[name] = nil
			}
		}
		if diff := cmp.Diff(tombstone, s.do(call("GET", at(made), "")).want(200).json()); diff != "" {
			t.Errorf("tombstone (-want +got):\n%s", diff)
		}
		tombstone["owner"] = "acme"
		if diff := cmp.Diff(tombstone, s.do(call("GET", at(made, "?owner=acme"), "")).want(200).json()); diff != "" {
			t.Errorf("tombstone with an owner (-want +got):\n%s", diff)
		}
		list := s.do(call("GET", "/connections?owner=acme", "")).want(200).json()
		if diff := cmp.Diff(map[string]any{"data": []any{tombstone}, "next_cursor": nil}, list); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
	})
}

// TestPages lists five connections with each limit from 1 to 6. The pages for a limit
// must together contain each connection exactly once.
func TestPages(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		for _, person := range []string{asanatest.Bot, asanatest.Guest, asanatest.Admin, asanatest.ServiceAccount, asanatest.Several} {
			s.importToken("acme", person)
		}
		s.importToken("globex", asanatest.Bot)
		whole := s.do(call("GET", "/connections?owner=acme", "")).want(200).json()["data"].([]any)
		if len(whole) != 5 {
			t.Fatalf("got %d connections, want 5", len(whole))
		}
		for limit := 1; limit <= 6; limit++ {
			var found []any
			query := fmt.Sprintf("?owner=acme&limit=%d", limit)
			for cursor, pages := "", 0; ; pages++ {
				page := s.do(call("GET", "/connections"+query+cursor, "")).want(200).json()
				data := page["data"].([]any)
				found = append(found, data...)
				if len(data) > limit || pages > 5 {
					t.Fatalf("limit %d: page %d has %d connections", limit, pages, len(data))
				}
				next, ok := page["next_cursor"].(string)
				if !ok {
					break
				}
				cursor = "&cursor=" + url.QueryEscape(next)
				for _, other := range []string{"?owner=globex", "?owner=unknown", "?asana_user=" + asanatest.Bot} {
					s.do(call("GET", "/connections"+other+cursor, "")).problem(400, "invalid-request")
				}
			}
			if diff := cmp.Diff(whole, found); diff != "" {
				t.Errorf("limit %d (-whole +pages):\n%s", limit, diff)
			}
		}
		if list := s.do(call("GET", "/connections?asana_user="+asanatest.Bot, "")).want(200).json()["data"].([]any); len(list) != 2 {
			t.Errorf("got %d connections of the bot, want 2", len(list))
		}
		if empty := s.do(call("GET", "/connections?owner=unknown", "")).want(200); empty.body != `{"data":[],"next_cursor":null}` {
			t.Errorf("unknown owner: got %s", empty.body)
		}
	})
}

func TestBadLists(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, query := range []string{
		"", "?limit=1", "?owner=", "?asana_user=", "?owner=a&asana_user=1", "?owner=&asana_user=1", "?owner=a&asana_user=", "?asana_user=me", "?asana_user=1a", "?asana_user=1&asana_user=1",
		"?owner=a&limit=0", "?owner=a&limit=101", "?owner=a&limit=-1", "?owner=a&limit=%2B1", "?owner=a&limit=1.5", "?owner=a&limit=1e1", "?owner=a&limit=x", "?owner=a&limit=",
		"?owner=a&limit=99999999999999999999", "?owner=a&limit=65537", "?owner=a&limit=1&limit=1", "?owner=a&cursor=", "?owner=a&cursor=x", "?owner=a&cursor=a%00", "?owner=a&cursor=%ff",
	} {
		s.do(call("GET", "/connections"+query, "")).problem(400, "invalid-request")
	}
	for _, query := range []string{"", "?owner=", "?asana_user=", "?owner=a&asana_user=1", "?owner=&asana_user=1", "?owner=a&asana_user=", "?asana_user=me",
		"?owner=a&limit=1", "?owner=a&cursor=x"} {
		s.do(call("DELETE", "/connections"+query, "")).problem(400, "invalid-request")
	}
	if long := s.do(call("GET", "/connections/con_x?owner="+strings.Repeat("a", 8193), "")); !strings.Contains(long.body, "at most 8192 bytes") {
		t.Errorf("a long owner: got %s", long.body)
	}
	s.do(call("GET", "/connections?owner=a&limit=100", "")).want(200)
	// An unknown parameter must be rejected. If a misspelled "owner" were ignored, the
	// request would reach a connection of any owner.
	for _, c := range [][2]string{{"GET", "/connections?owner=a&other=1"}, {"GET", "/connections/con_x?ovner=a"}, {"DELETE", "/connections/con_x?Owner=a"},
		{"POST", "/connections/con_x/token?owners=a"}, {"POST", "/connections?owner=a"}, {"POST", "/links?owner=a"}, {"GET", "/connections/con_x/membership?ovner=a"}} {
		s.do(call(c[0], c[1], "")).problem(400, "invalid-request")
	}
}

func TestReaders(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		account, bot := s.importToken("reports", asanatest.ServiceAccount), s.importToken("reports", asanatest.Bot)
		named := s.do(call("PATCH", at(account, "?owner=reports"), object("reader_of", []string{asanatest.Acme}))).want(200).json()
		if diff := cmp.Diff([]any{asanatest.Acme}, named["reader_of"]); diff != "" {
			t.Errorf("reader_of (-want +got):\n%s", diff)
		}
		s.do(call("PATCH", "/connections/con_x", `{"reader_of":[null]}`)).problem(400, "invalid-request")
		s.do(call("PATCH", at(bot), object("reader_of", []string{asanatest.Acme}))).problem(409, "not-allowed-for-kind")
		s.do(call("PATCH", at(account, "?owner=acme"), object("reader_of", []string{}))).problem(404, "not-found")
		s.do(call("PATCH", at(account), object("reader_of", []string{asanatest.Globex}))).problem(404, "not-found")
		many := make([]string, 41)
		for i := range many {
			many[i] = fmt.Sprint(1000 + i)
		}
		for _, body := range []string{
			"", "{}", `{"reader_of":null}`, `{"reader_of":"` + asanatest.Acme + `"}`, `{"reader_of":[1]}`, `{"reader_of":[null]}`, `{"reader_of":[""]}`, `{"reader_of":["acme"]}`, `{"reader_of":{}}`,
			object("reader_of", []string{asanatest.Acme, asanatest.Acme}), object("reader_of", many), `{"reader_of":[],"reader_of":[]}`, `{"reader_of":[],"owner":"reports"}`, `{"reader_of":[["1"]]}`, `{"replace":true}`, `{"reader_of":[],"replace":"true"}`, `{"reader_of":[],"replace":1}`,
		} {
			s.do(call("PATCH", at(account), body)).problem(400, "invalid-request")
		}
		other := s.importToken("others", asanatest.ServiceAccount)
		for _, replace := range []any{nil, false} {
			s.do(call("PATCH", at(other), object("reader_of", []string{asanatest.Acme}, "replace", replace))).problem(409, "already-connected")
			if now := s.do(call("GET", at(account), "")).want(200).json(); !cmp.Equal([]any{asanatest.Acme}, now["reader_of"]) {
				t.Errorf("reader_of is %v after a refused takeover", now["reader_of"])
			}
		}
		s.do(call("PATCH", at(other), object("reader_of", []string{asanatest.Acme}, "replace", true))).want(200)
		if now := s.do(call("GET", at(account), "")).want(200).json(); !cmp.Equal([]any{}, now["reader_of"]) {
			t.Errorf("reader_of is %v after a takeover", now["reader_of"])
		}
		cleared := s.do(call("PATCH", at(account), `{"reader_of":[]}`)).want(200).json()
		if diff := cmp.Diff([]any{}, cleared["reader_of"]); diff != "" {
			t.Errorf("empty reader_of (-want +got):\n%s", diff)
		}
		s.do(call("DELETE", at(account), "")).want(200)
		s.do(call("PATCH", at(account), `{"reader_of":[]}`)).problem(409, "reconnect-required")
	})
}

func TestDisconnects(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		c := s.connectByLink("acme", asanatest.Member)
		bot := s.importToken("acme", asanatest.Bot)
		s.do(call("DELETE", at(c, "?owner=globex"), "")).problem(404, "not-found")
		for i, want := range []string{`{"status":"disconnected","revoked_at_asana":true}`, `{"status":"disconnected","revoked_at_asana":false}`} {
			if a := s.do(call("DELETE", at(c, "?owner=acme"), "{}")).want(200); a.body != want {
				t.Errorf("disconnect %d: got %s, want %s", i, a.body, want)
			}
		}
		if a := s.do(call("DELETE", "/connections?owner=acme", "")).want(202); a.body != `{"disconnected":1,"revoking":0,"left":0}` {
			t.Errorf("disconnecting all: got %s", a.body)
		}
		for _, below := range []string{"/capabilities", "/membership"} {
			s.do(call("GET", at(bot, below), "")).problem(409, "reconnect-required")
		}
		s.do(call("POST", at(bot, "/token"), "")).problem(409, "reconnect-required")
		other := s.connectByLink("acme", asanatest.Several)
		must(t, s.asana.SetSwitches(func(s *asanatest.Switches) { s.Down = true }))
		if a := s.do(call("DELETE", at(other), "")).want(202); a.body != `{"status":"revoking"}` {
			t.Errorf("while Asana is down: got %s", a.body)
		}
		if a := s.do(call("DELETE", "/connections?asana_user="+asanatest.Several, "")).want(202); a.body != `{"disconnected":0,"revoking":1,"left":0}` {
			t.Errorf("disconnecting all while Asana is down: got %s", a.body)
		}
	})
}

func TestBackendTokens(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		c := s.connectByLink("acme", asanatest.Member)
		token := s.do(call("POST", at(c, "/token?owner=acme"), "")).want(200).json()
		want := map[string]any{"access_token": token["access_token"], "token_type": "Bearer", "expires_in": 3600.0, "scope": "default openid email profile"}
		if diff := cmp.Diff(want, token); diff != "" || token["access_token"] == "" {
			t.Errorf("token of a person (-want +got):\n%s", diff)
		}
		pat, kind := s.longLived(asanatest.Bot)
		s.asana.Inject(asanatest.Fault{Path: "/-/token_info", Body: `{"active":true}`}) // without an expiry and a scope
		bot := s.do(call("POST", "/connections", object("token", pat, "owner", "acme", "kind", kind))).want(201).json()
		token = s.do(call("POST", at(bot, "/token"), `{"min_ttl":3000}`)).want(200).json()
		if diff := cmp.Diff(map[string]any{"access_token": pat, "token_type": "Bearer"}, token); diff != "" {
			t.Errorf("token of a bot (-want +got):\n%s", diff)
		}
		guest := s.importToken("acme", asanatest.Guest)
		if got := s.do(call("POST", at(guest, "/token"), "")).want(200).json(); got["expires_in"] == nil || got["scope"] == nil {
			t.Errorf("got %v, want expires_in and scope", got)
		}
		for _, body := range []string{
			`{"min_ttl":-1}`, `{"min_ttl":3001}`, `{"min_ttl":1.5}`, `{"min_ttl":"300"}`, `{"min_ttl":true}`, `{"min_ttl":300,"min_ttl":300}`, `{"refused":"x"}`, `{"refused":1}`, `{"owner":"acme"}`, `[]`, `null null`,
		} {
			s.do(call("POST", at(c, "/token"), body)).problem(400, "invalid-request")
		}
		s.do(call("POST", at(c, "/token"), `{"min_ttl":null,"refused":null}`)).want(200)
		s.do(call("POST", at(c, "/token?owner=globex"), "")).problem(404, "not-found")
		time.Sleep(time.Minute)
		s.asana.Inject(asanatest.Fault{Path: "/-/token_info", Status: 429, Body: `{}`, Header: map[string][]string{"Retry-After": {"42"}}})
		refused := object("refused", hashOf(token["access_token"].(string)))
		a := s.do(call("POST", at(bot, "/token"), refused))
		a.problem(503, "try-again")
		if got := a.header.Get("Retry-After"); got != "42" {
			t.Errorf("got Retry-After %q, want 42", got)
		}
	})
}

func TestBadMemberships(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		c := s.connectByLink("acme", asanatest.Several)
		for _, query := range []string{"?workspace=", "?workspace=acme", "?user=", "?user=me", "?workspace=1&workspace=1", "?workspace=" + asanatest.Acme + "&user=", "?owner="} {
			s.do(call("GET", at(c, "/membership"+query), "")).problem(400, "invalid-request")
		}
		s.do(call("GET", at(c, "/membership?workspace=1100000000000009"), "")).problem(404, "not-found")
		if list := s.do(call("GET", at(c, "/membership"), "")).want(200).json()["data"].([]any); len(list) != 2 {
			t.Errorf("got %d memberships, want 2", len(list))
		}
		of := s.do(call("GET", at(c, "/membership?workspace="+asanatest.Acme+"&user="+asanatest.Admin), "")).want(200).json()
		if of["user"].(map[string]any)["gid"] != asanatest.Admin {
			t.Errorf("got the membership of %v, want %s", of["user"], asanatest.Admin)
		}
	})
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		members := []string{"active", "kind", "attributed_to", "scope_requested", "scope_granted", "scope_missing", "workspaces", "unknown"}
		for _, c := range []map[string]any{s.connectByLink("acme", asanatest.Several), s.importToken("acme", asanatest.Bot), s.importToken("acme", asanatest.ServiceAccount)} {
			can := s.do(call("GET", at(c, "/capabilities"), "")).want(200).json()
			if can["active"] != true || can["kind"] != c["kind"] || can["attributed_to"] == nil || can["workspaces"] == nil || len(can) != len(members) {
				t.Errorf("kind %v: got capabilities %v", c["kind"], can)
			}
			for _, name := range members {
				_, why := can["unknown"].(map[string]any)[name]
				value, ok := can[name]
				// Each null must have a reason in the member "unknown". The only
				// exception is "scope_requested" of an imported connection: it is null
				// because an import requests no scope.
				if !ok || (value == nil) != why && name != "scope_requested" {
					t.Errorf("kind %v: got %s %v with a reason %t", c["kind"], name, value, why)
				}
			}
		}
	})
}

// TestCapabilitiesWithoutAWorkspace checks that the member "workspaces" is an empty list
// and not null if the token can access no workspace.
func TestCapabilitiesWithoutAWorkspace(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		c := s.importToken("acme", asanatest.Bot)
		must(t, s.asana.UpdatePerson(asanatest.Bot, func(p *asanatest.Person) { p.Memberships = nil }))
		can := s.do(call("GET", at(c, "/capabilities"), "")).want(200).json()
		if list, ok := can["workspaces"].([]any); !ok || len(list) != 0 {
			t.Errorf("got workspaces %v and unknown %v, want an empty list", can["workspaces"], can["unknown"])
		}
	})
}

func TestABackendEndsTheSessionsOfAConnection(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		here, there, other := s.browser().signIn(asanatest.Member), s.browser().signIn(asanatest.Member), s.browser().signIn(asanatest.Guest)
		c := s.do(call("POST", "/connections", object("session_code", here.sessionCode()))).want(200).json()
		path := at(c, "/sessions")
		s.do(call("DELETE", path+"?owner=acme", "")).problem(404, "not-found")
		s.do(call("DELETE", path+"?ovner=acme", "")).problem(400, "invalid-request")
		s.do(call("DELETE", path, `{"everywhere":true}`)).problem(400, "invalid-request")
		s.do(call("DELETE", "/connections/con_x/sessions", "")).problem(404, "not-found")
		if a := s.do(call("GET", path, "")); a.header.Get("Allow") != "DELETE" {
			t.Errorf("got Allow %q", a.header.Get("Allow"))
		}
		s.do(request{method: "DELETE", target: path}).problem(401, "unauthenticated")
		here.refresh("").want(200)
		for range 2 {
			if a := s.do(call("DELETE", path+"?owner="+c["owner"].(string), "")).want(204); a.body != "" {
				t.Errorf("got body %q", a.body)
			}
		}
		here.refresh("").problem(401, "unauthenticated")
		there.refresh("").problem(401, "unauthenticated")
		other.refresh("").want(200)
		s.do(call("POST", at(c, "/token"), "")).want(200)
		here.signIn(asanatest.Member).refresh("").want(200)
		s.fail("write")
		s.do(call("DELETE", path, "")).problem(503, "try-again")
		s.table.Hook = nil
		s.do(call("DELETE", at(c), "")).want(200)
		s.do(call("DELETE", path, "")).want(204)
	})
}
