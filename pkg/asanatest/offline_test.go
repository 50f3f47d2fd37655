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

func (k *kit) put(body string) answer {
	k.Helper()
	return k.do(k.request(http.MethodPut, "/_offline/switches", "", body))
}

// TestSwitchesOverHTTP checks that all switches are listed and can be set.
func TestSwitchesOverHTTP(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var got asanatest.Switches
	if err := json.Unmarshal([]byte(k.get("/_offline/switches", "").text), &got); err != nil || got != asanatest.DefaultSwitches() {
		t.Errorf("at first: %+v, %v", got, err)
	}
	if n := len(k.get("/_offline/switches", "").json); n != reflect.TypeFor[switches]().NumField() {
		t.Errorf("%d switches", n)
	}
	answer := k.put(`{"down":true,"delay_ms":250,"distribution":"none"}`)
	if s := k.Switches(); answer.status != 200 || answer.json["delay_ms"] != 250.0 || !s.Down || s.DelayMS != 250 || s.Distribution != "none" || !s.SilentConsent {
		t.Errorf("after PUT: %d %s", answer.status, answer.text)
	}
}

// TestBadSwitches checks that a wrong switch is refused with 400, and that the
// others are not set either.
func TestBadSwitches(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for _, body := range []string{
		``, `[]`, `{`, `null`, `{"down":true} {}`, `{"down":true,"nothing":1}`, `{"down":true,"Down":true}`, `{"down":true,"retry_after":"30"}`, `{"down":1}`, `{"down":null}`,
		`{"down":true,"distribution":"some"}`, `{"down":true,"retry_after":-1}`, `{"retry_after":1.5}`, `{"status":99}`, `{"status":600}`, `{"invalid_client_status":402}`, `{"access_token_seconds":0}`,
		`{"down":true,"pad":"` + strings.Repeat("x", 70<<10) + `"}`,
	} {
		if got := k.put(body); got.status != 400 || got.json["error"] == "" || k.Switches() != asanatest.DefaultSwitches() {
			t.Errorf("%.50s: %d %s", body, got.status, got.text)
		}
	}
	if err := k.SetSwitches(func(s *switches) { s.Distribution = "some" }); err == nil || k.Switches() != asanatest.DefaultSwitches() {
		t.Errorf("from Go: %v", err)
	}
}

// TestOfflineActions checks what reset, expire and revoke end.
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
				t.Errorf("%d %s", got.status, got.text)
			}
			if got := fmt.Sprint(k.get("/api/1.0/users/me", tok.AccessToken).status, k.refresh(tok.RefreshToken).status, k.get("/api/1.0/users/me", pat).status); got != want {
				t.Errorf("access token, refresh, PAT: %s, want %s", got, want)
			}
			if reset := path == "/_offline/reset"; reset != (k.Switches() == asanatest.DefaultSwitches()) {
				t.Errorf("switches are %+v", k.Switches())
			}
		})
	}
}

// TestRevokeGrantsOfOnePerson checks that the grants of others stay.
func TestRevokeGrantsOfOnePerson(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	mia, gus := k.signIn(full(), asanatest.Member), k.signIn(full(), asanatest.Guest)
	k.RevokeGrants(asanatest.Member)
	if a, b := k.refresh(mia.RefreshToken).status, k.refresh(gus.RefreshToken).status; a != 400 || b != 200 {
		t.Errorf("%d, %d", a, b)
	}
}

// TestCrossSitePosts checks that a page of another origin cannot change
// anything.
func TestCrossSitePosts(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for _, path := range []string{"/_offline/reset", "/_offline/expire", "/_offline/revoke", "/_offline/set", "/_offline/faults", "/_offline/tokens"} {
		for name, value := range map[string]string{"Origin": "https://evil.test", "Sec-Fetch-Site": "same-site"} {
			r := k.request(http.MethodPost, path, "", "")
			r.Header.Set(name, value)
			if got := k.do(r); got.status != http.StatusForbidden {
				t.Errorf("%s with %s: %d", path, name, got.status)
			}
		}
	}
	r := k.request(http.MethodPut, "/_offline/switches", "", `{"down":true}`)
	r.Header.Set("Origin", "null")
	if got := k.do(r); got.status != http.StatusForbidden || k.Switches().Down {
		t.Errorf("PUT: %d", got.status)
	}
}

// TestOfflinePage checks that the page shows every switch, and its forms.
func TestOfflinePage(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	page := k.get("/_offline/", "")
	if page.status != 200 {
		t.Fatalf("%d %s", page.status, page.text)
	}
	for _, info := range asanatest.SwitchTable() {
		if !strings.Contains(page.text, `<tr id="`+info.Name+`">`) {
			t.Errorf("%s is not there, or shown as changed", info.Name)
		}
	}
	for name, value := range map[string]string{"down": "true", "delay_ms": "12", "iss_in_redirect": "openid", "deny_error": "true"} {
		got := k.post("/_offline/set", "from", "page", "name", name, "value", value)
		if got.status != http.StatusSeeOther || got.header.Get("Location") != "/_offline/" {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
	if s := k.Switches(); !s.Down || s.DelayMS != 12 || s.IssInRedirect != "openid" || s.DenyError != "true" {
		t.Errorf("switches are %+v", s)
	}
	if page := k.get("/_offline/", ""); strings.Count(page.text, `class="changed"`) != 4 || !strings.Contains(page.text, `<option value="openid" selected>`) {
		t.Error("the page does not show what was changed")
	}
	for _, bad := range [][2]string{{"down", "maybe"}, {"down", ""}, {"nothing", "1"}, {"distribution", "some"}, {"delay_ms", "1,\"down\":false"}} {
		if got := k.post("/_offline/set", "name", bad[0], "value", bad[1]); got.status != 400 {
			t.Errorf("%v: %d", bad, got.status)
		}
	}
	if got := k.post("/_offline/reset", "from", "page"); got.status != http.StatusSeeOther {
		t.Errorf("reset: %d", got.status)
	}
	if style := k.get("/_offline/style.css", ""); style.status != 200 || !strings.HasPrefix(style.header.Get("Content-Type"), "text/css") {
		t.Errorf("style: %d %v", style.status, style.header)
	}
	if got := k.get("/_offline", ""); got.status != http.StatusSeeOther {
		t.Errorf("without slash: %d", got.status)
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	if got := k.do(k.request(http.MethodPost, "/_offline/faults", "", `{"path":"/api/1.0/*","status":503,"delay_ms":1500,"answer_delay_ms":500,"header":{"Retry-After":["3"]}}`)); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	start := k.clock.Now()
	if got := k.get("/api/1.0/users/me", ""); got.status != 503 || got.header.Get("Retry-After") != "3" || k.clock.Now().Sub(start).Seconds() != 2 {
		t.Errorf("%d %v after %v", got.status, got.header, k.clock.Now().Sub(start))
	}
	for _, body := range []string{``, `{"nothing":1}`, `{"status":1}`, `{"delay_ms":-1}`} {
		if got := k.do(k.request(http.MethodPost, "/_offline/faults", "", body)); got.status != 400 {
			t.Errorf("%s: %d", body, got.status)
		}
	}
	k.do(k.request(http.MethodPost, "/_offline/faults", "", `{"times":-1,"status":503}`))
	if got := k.do(k.request(http.MethodDelete, "/_offline/faults", "", "")); got.status != 204 {
		t.Errorf("DELETE: %d", got.status)
	}
	if got := k.get("/api/1.0/users/me", ""); got.status != 401 {
		t.Errorf("after DELETE: %d", got.status)
	}
}

func TestTokensAndPeopleOverHTTP(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	pat, _ := k.post("/_offline/tokens", "person", asanatest.Bot).json["token"].(string)
	account, _ := k.do(k.request(http.MethodPost, "/_offline/tokens", "", `{"person":"`+asanatest.ServiceAccount+`"}`)).json["token"].(string)
	for bearer, want := range map[string]string{pat: "Build Bot", account: "Acme Reporting"} {
		if got := k.get("/api/1.0/users/me", bearer); got.data()["name"] != want {
			t.Errorf("%d %s, want %s", got.status, got.text, want)
		}
	}
	if got := k.post("/_offline/tokens", "person", "1"); got.status != 400 {
		t.Errorf("unknown person: %d", got.status)
	}
	people := k.get("/_offline/people", "").text
	if !strings.Contains(people, `"is":"deactivated in Acme, guest of Globex"`) || strings.Contains(people, pat) {
		t.Errorf("people: %s", people)
	}
	requests := k.get("/_offline/requests", "").text
	if !strings.Contains(requests, `"path":"/api/1.0/users/me"`) || strings.Contains(requests, pat) || strings.Contains(requests, "Bearer") {
		t.Errorf("requests: %s", requests)
	}
	if got := newKit(t).get("/_offline/requests", ""); strings.TrimSpace(got.text) != "[]" {
		t.Errorf("no requests: %s", got.text)
	}
}
