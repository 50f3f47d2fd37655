package asanatest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func (k *kit) put(body string) response {
	k.Helper()
	return k.do(k.request(http.MethodPut, "/_offline/switches", "", body))
}

func TestSwitchesOverHTTP(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var got asanatest.Switches
	if err := json.Unmarshal([]byte(k.get("/_offline/switches", "").text), &got); err != nil || got != asanatest.DefaultSwitches() {
		t.Errorf("got %+v, %v, want the defaults", got, err)
	}
	if n := len(k.get("/_offline/switches", "").json); n != reflect.TypeFor[switches]().NumField() {
		t.Errorf("got %d switches, want one for each field", n)
	}
	response := k.put(`{"down":true,"delay_ms":250,"distribution":"none"}`)
	if s := k.Switches(); response.status != 200 || response.json["delay_ms"] != 250.0 || !s.Down || s.DelayMS != 250 || s.Distribution != "none" || !s.SilentConsent {
		t.Errorf("after PUT: got %d %s, want 200", response.status, response.text)
	}
}

// If one value in a request is invalid or one switch is unknown, no switch changes.
func TestBadSwitches(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for _, body := range []string{
		``, `[]`, `{`, `null`, `{"down":true} {}`, `{"down":true,"nothing":1}`, `{"down":true,"Down":true}`, `{"down":true,"retry_after":"30"}`, `{"down":1}`, `{"down":null}`,
		`{"down":true,"distribution":"some"}`, `{"down":true,"retry_after":-1}`, `{"retry_after":1.5}`, `{"status":99}`, `{"status":600}`, `{"invalid_client_status":402}`, `{"access_token_seconds":0}`,
		`{"down":true,"pad":"` + strings.Repeat("x", 70<<10) + `"}`,
	} {
		if got := k.put(body); got.status != 400 || got.json["error"] == "" || k.Switches() != asanatest.DefaultSwitches() {
			t.Errorf("%.50s: got %d %s, want 400", body, got.status, got.text)
		}
	}
	if err := k.SetSwitches(func(s *switches) { s.Distribution = "some" }); err == nil || k.Switches() != asanatest.DefaultSwitches() {
		t.Errorf("SetSwitches: got %v, want an error and unchanged switches", err)
	}
}

func TestSwitchErrors(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for body, want := range map[string]string{
		`{"retry_after":"30"}`:    "retry_after must be a whole number",
		`{"down":1}`:              "down must be true or false",
		`{"data_shape":2025}`:     "data_shape must be a string",
		`{"data_shape":"x"}`:      "data_shape must be one of: 2025, 2022",
		`{"iss_in_redirect":"x"}`: "iss_in_redirect must be empty or one of: oauth, openid, other",
	} {
		if got := k.put(body); got.json["error"] != want {
			t.Errorf("%s: got %v, want %s", body, got.json["error"], want)
		}
	}
	for value, want := range map[string]string{"many": "must be a whole number", "": "must be a whole number", "-1": "must be between 0 and"} {
		got := k.post("/_offline/set", "from", "page", "name", "retry_after", "value", value)
		if got.status != 400 || !strings.Contains(got.text, "retry_after "+want) || !strings.Contains(got.text, `<a href="/_offline/">`) {
			t.Errorf("a form with %q: got %d %s, want a page with %q and a link", value, got.status, got.text, want)
		}
	}
}

// The path / redirects to /_offline/ even if the switch "down" is set.
func TestRootRedirects(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.set(func(s *switches) { s.Down = true })
	if got := k.get("/", ""); got.status != http.StatusSeeOther || got.header.Get("Location") != "/_offline/" {
		t.Errorf("got %d, Location %q, want a redirect to /_offline/", got.status, got.header.Get("Location"))
	}
}

func TestOfflineActions(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/_offline/expire": "401 200 200", "/_offline/revoke": "401 400 200", "/_offline/reset": "401 400 401"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			k.set(func(s *switches) { s.RetryAfter = 1 })
			tok := k.signIn(full(), asanatest.Member)
			pat := k.PersonalAccessToken(asanatest.Bot)
			if got := k.post(path); got.status != http.StatusNoContent {
				t.Errorf("got %d %s, want 204", got.status, got.text)
			}
			if got := fmt.Sprint(k.get("/api/1.0/users/me", tok.AccessToken).status, k.refresh(tok.RefreshToken).status, k.get("/api/1.0/users/me", pat).status); got != want {
				t.Errorf("status of access token, refresh and PAT: got %s, want %s", got, want)
			}
			if reset := path == "/_offline/reset"; reset != (k.Switches() == asanatest.DefaultSwitches()) {
				t.Errorf("got switches %+v", k.Switches())
			}
		})
	}
}

func TestRevokeGrantsOfOnePerson(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	mia, gus := k.signIn(full(), asanatest.Member), k.signIn(full(), asanatest.Guest)
	k.RevokeGrants(asanatest.Member)
	if a, b := k.refresh(mia.RefreshToken).status, k.refresh(gus.RefreshToken).status; a != 400 || b != 200 {
		t.Errorf("got %d and %d, want 400 and 200", a, b)
	}
}

func TestCrossSitePosts(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for _, path := range []string{"/_offline/reset", "/_offline/expire", "/_offline/revoke", "/_offline/set", "/_offline/faults", "/_offline/tokens"} {
		for name, value := range map[string]string{"Origin": "https://evil.test", "Sec-Fetch-Site": "same-site"} {
			r := k.request(http.MethodPost, path, "", "")
			r.Header.Set(name, value)
			if got := k.do(r); got.status != http.StatusForbidden {
				t.Errorf("%s with %s: got %d, want 403", path, name, got.status)
			}
		}
	}
	r := k.request(http.MethodPut, "/_offline/switches", "", `{"down":true}`)
	r.Header.Set("Origin", "null")
	if got := k.do(r); got.status != http.StatusForbidden || k.Switches().Down {
		t.Errorf("PUT: got %d, want 403", got.status)
	}
}

func TestOfflinePage(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	page := k.get("/_offline/", "")
	if page.status != 200 {
		t.Fatalf("got %d %s, want 200", page.status, page.text)
	}
	for _, info := range asanatest.SwitchTable() {
		if !strings.Contains(page.text, `<tr id="`+info.Name+`">`) {
			t.Errorf("the page has no row for %s", info.Name)
		}
	}
	for name, value := range map[string]string{"down": "true", "delay_ms": "12", "iss_in_redirect": "openid", "deny_error": "true"} {
		got := k.post("/_offline/set", "from", "page", "name", name, "value", value)
		if got.status != http.StatusSeeOther || got.header.Get("Location") != "/_offline/" {
			t.Errorf("%s: got %d %s, want 303", name, got.status, got.text)
		}
	}
	if s := k.Switches(); !s.Down || s.DelayMS != 12 || s.IssInRedirect != "openid" || s.DenyError != "true" {
		t.Errorf("got switches %+v", s)
	}
	if page := k.get("/_offline/", ""); strings.Count(page.text, `class="changed"`) != 4 || !strings.Contains(page.text, `<option value="openid" selected>`) {
		t.Error("the page does not show the changed switches")
	}
	for _, bad := range [][2]string{{"down", "maybe"}, {"down", ""}, {"nothing", "1"}, {"distribution", "some"}, {"delay_ms", "1,\"down\":false"}} {
		if got := k.post("/_offline/set", "name", bad[0], "value", bad[1]); got.status != 400 {
			t.Errorf("%v: got %d, want 400", bad, got.status)
		}
	}
	if got := k.post("/_offline/reset", "from", "page"); got.status != http.StatusSeeOther {
		t.Errorf("reset: got %d, want 303", got.status)
	}
	if style := k.get("/_offline/style.css", ""); style.status != 200 || !strings.HasPrefix(style.header.Get("Content-Type"), "text/css") {
		t.Errorf("style: got %d %v, want 200", style.status, style.header)
	}
	if got := k.get("/_offline", ""); got.status != http.StatusSeeOther {
		t.Errorf("without slash: got %d, want 303", got.status)
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	if got := k.do(k.request(http.MethodPost, "/_offline/faults", "", `{"path":"/api/1.0/*","status":503,"delay_ms":1500,"answer_delay_ms":500,"header":{"Retry-After":["3"]}}`)); got.status != 204 {
		t.Fatalf("got %d %s, want 204", got.status, got.text)
	}
	start := k.clock.Now()
	if got := k.get("/api/1.0/users/me", ""); got.status != 503 || got.header.Get("Retry-After") != "3" || k.clock.Now().Sub(start).Seconds() != 2 {
		t.Errorf("got %d %v after %v, want 503", got.status, got.header, k.clock.Now().Sub(start))
	}
	for _, body := range []string{``, `{"nothing":1}`, `{"status":1}`, `{"delay_ms":-1}`} {
		if got := k.do(k.request(http.MethodPost, "/_offline/faults", "", body)); got.status != 400 {
			t.Errorf("%s: got %d, want 400", body, got.status)
		}
	}
	k.do(k.request(http.MethodPost, "/_offline/faults", "", `{"times":-1,"status":503}`))
	if got := k.do(k.request(http.MethodDelete, "/_offline/faults", "", "")); got.status != 204 {
		t.Errorf("DELETE: got %d, want 204", got.status)
	}
	if got := k.get("/api/1.0/users/me", ""); got.status != 401 {
		t.Errorf("after DELETE: got %d, want 401", got.status)
	}
}

func TestTokensAndPeopleOverHTTP(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	pat, _ := k.post("/_offline/tokens", "person", asanatest.Bot).json["token"].(string)
	account, _ := k.do(k.request(http.MethodPost, "/_offline/tokens", "", `{"person":"`+asanatest.ServiceAccount+`"}`)).json["token"].(string)
	for bearer, want := range map[string]string{pat: "Build Bot", account: "Acme Reporting"} {
		if got := k.get("/api/1.0/users/me", bearer); got.data()["name"] != want {
			t.Errorf("got %d %s, want %s", got.status, got.text, want)
		}
	}
	if got := k.post("/_offline/tokens", "person", "1"); got.status != 400 {
		t.Errorf("unknown person: got %d, want 400", got.status)
	}
	people := k.get("/_offline/people", "").text
	if !strings.Contains(people, `"is":"deactivated in Acme, guest of Globex"`) || strings.Contains(people, pat) {
		t.Errorf("people: got %s", people)
	}
	requests := k.get("/_offline/requests", "").text
	if !strings.Contains(requests, `"path":"/api/1.0/users/me"`) || strings.Contains(requests, pat) || strings.Contains(requests, "Bearer") {
		t.Errorf("requests: got %s", requests)
	}
	if got := newKit(t).get("/_offline/requests", ""); strings.TrimSpace(got.text) != "[]" {
		t.Errorf("no requests: got %s, want []", got.text)
	}
}
