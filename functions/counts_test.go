package functions_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// What costs a round trip at AWS costs nothing here, so calls are counted.
func TestCalls(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	b := newBrowser()
	b.signIn(t, d, d.start(t, "authorize"), d.start(t, "callback"))
	refresh, session := d.start(t, "refresh"), d.start(t, "session")
	g := d.gates["refresh"]

	// A cold start has read the keyring and unwrapped it, and asked for nothing else.
	check(t, "cold start: DynamoDB", g.rows.Actions(), "BatchGetItem")
	check(t, "cold start: KMS", g.keys.Actions(), "Decrypt")
	check(t, "cold start: Secrets Manager", g.secrets.Actions())
	d.forget()

	b.ask(t, session, http.MethodGet, "/session", "", http.StatusOK)
	check(t, "session: DynamoDB", d.gates["session"].rows.Actions(), "BatchGetItem")

	b.ask(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK)
	check(t, "valid token: DynamoDB", g.rows.Actions(), "BatchGetItem")
	check(t, "valid token: KMS", g.keys.Actions())
	check(t, "valid token: Secrets Manager", g.secrets.Actions())

	for _, when := range []string{"first refresh", "second refresh"} {
		d.expire(t)
		d.forget()
		before := d.asana.CountRequests("refresh_token")
		b.ask(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK)
		check(t, when+": DynamoDB", g.rows.Actions(), "BatchGetItem", "PutItem", "PutItem")
		check(t, when+": KMS", g.keys.Actions())
		if got := d.asana.CountRequests("refresh_token") - before; got != 1 {
			t.Errorf("%s: %d requests to Asana, want 1", when, got)
		}
		// The client secret is kept: fetched at its first use, and not again.
		if when == "first refresh" {
			check(t, when+": Secrets Manager", g.secrets.Actions(), "GetSecretValue")
		} else {
			check(t, when+": Secrets Manager", g.secrets.Actions())
		}
		units := 0.0
		for _, c := range g.rows.Calls() {
			units += c.Units
		}
		if units != 2 {
			t.Errorf("%s: %v write units, want 2", when, units)
		}
	}
}

func check(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// With KEY_CACHE_TTL=0 KMS is asked every time.
func TestKeyringNotKept(t *testing.T) {
	t.Parallel()
	d := deploy(t, "KEY_CACHE_TTL", "0")
	b := newBrowser()
	b.signIn(t, d, d.start(t, "authorize"), d.start(t, "callback"))
	session := d.start(t, "session")
	d.forget()
	b.ask(t, session, http.MethodGet, "/session", "", http.StatusOK)
	check(t, "session: KMS", d.gates["session"].keys.Actions(), "Decrypt")
}

// A backend's valid token costs one read, and a refresh two writes more.
func TestBackendCalls(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	s := saas{d.start(t, "connections"), saasARN}
	body := `{"refresh_token":` + quoted(d.asana.RefreshToken(clientID, asanatest.Member)) + `,"owner":"o"}`
	id := s.ask(t, http.MethodPost, "/connections", body, http.StatusCreated).text("id")
	g := d.gates["connections"]
	d.forget()
	s.ask(t, http.MethodPost, "/connections/"+id+"/token", "", http.StatusOK)
	check(t, "valid token: DynamoDB", g.rows.Actions(), "BatchGetItem")
	check(t, "valid token: KMS", g.keys.Actions())
	d.expire(t)
	d.forget()
	s.ask(t, http.MethodPost, "/connections/"+id+"/token", "", http.StatusOK)
	check(t, "refresh: DynamoDB", g.rows.Actions(), "BatchGetItem", "PutItem", "PutItem")
	check(t, "refresh: KMS", g.keys.Actions())
	check(t, "refresh: Secrets Manager", g.secrets.Actions())
}
