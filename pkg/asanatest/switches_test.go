package asanatest_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A switchCase tests one switch. The test fails unless observe returns def with the
// default switches, and changed after the function change has set the switch.
type switchCase struct {
	change       func(*asanatest.Switches)
	observe      func(*kit) string
	def, changed string
}

type switches = asanatest.Switches

func TestEverySwitch(t *testing.T) {
	t.Parallel()
	for i := range reflect.TypeFor[switches]().NumField() {
		tag := reflect.TypeFor[switches]().Field(i).Tag
		name := tag.Get("json")
		test, ok := switchCases[tag.Get("group")][name]
		if !ok {
			t.Errorf("%s has no test", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			if got := test.observe(k); got != test.def {
				t.Errorf("default: got %s, want %s", got, test.def)
			}
			k = newKit(t)
			k.set(test.change)
			if got := test.observe(k); got != test.changed {
				t.Errorf("changed: got %s, want %s", got, test.changed)
			}
			if test.def == test.changed {
				t.Error("the test expects the same result for both settings")
			}
		})
	}
}

var switchCases = map[string]map[string]switchCase{
	"Trouble":        troubleCases,
	"Tokens":         tokenCases,
	"Consent":        consentCases,
	"OpenID Connect": openIDCases,
	"API":            apiCases,
}

var troubleCases = map[string]switchCase{
	"down": {func(s *switches) { s.Down = true }, func(k *kit) string {
		return fmt.Sprint(k.get("/-/oauth_authorize", "").status, k.get("/api/1.0/users/me", "").status, k.get("/_offline/switches", "").status)
	}, "400 401 200", "503 503 200"},
	"delay_ms": {func(s *switches) { s.DelayMS = 1500 }, func(k *kit) string {
		start := k.clock.Now()
		k.refresh("x")
		k.get("/api/1.0/users/me", "")
		k.get("/.well-known/oauth-authorization-server", "")
		return k.clock.Now().Sub(start).String()
	}, "0s", "3s"},
	"status": {func(s *switches) { s.Status = 500 }, func(k *kit) string {
		return fmt.Sprint(k.refresh("x").status, k.get("/api/1.0/users/me", "").status)
	}, "400 401", "500 401"},
	"nonsense": {func(s *switches) { s.Nonsense = true }, func(k *kit) string {
		got := k.refresh("x")
		return fmt.Sprint(got.status, got.json != nil)
	}, "400 true", "200 false"},
	"cut": {func(s *switches) { s.Cut = true }, func(k *kit) string {
		_, err := k.http.Get(base + "/api/1.0/users/me")
		return fmt.Sprint(err != nil)
	}, "false", "true"},
	"rate_limited": {func(s *switches) { s.RateLimited = true }, func(k *kit) string {
		got := k.get("/api/1.0/users/me", "")
		return fmt.Sprint(got.status, k.refresh("x").status, " ", got.header.Get("Retry-After"))
	}, "401 400 ", "429 429 30"},
	"retry_after": {func(s *switches) { s.RetryAfter = 7 }, func(k *kit) string {
		k.set(func(s *switches) { s.RateLimited = true })
		return k.refresh("x").header.Get("Retry-After")
	}, "30", "7"},
}
