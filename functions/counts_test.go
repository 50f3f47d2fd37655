package functions_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestCalls counts the calls to AWS, because each call costs a round trip in production.
func TestCalls(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	b := newBrowser()
	b.signIn(t, d, d.start(t, "authorize"), d.start(t, "callback"))
	refresh, session := d.start(t, "refresh"), d.start(t, "session")
	g := d.proxies["refresh"]

	check(t, "cold start: DynamoDB", g.rows.Actions(), "BatchGetItem")
	check(t, "cold start: KMS", g.keys.Actions(), "Decrypt")
	check(t, "cold start: Secrets Manager", g.secrets.Actions())
	d.clearCalls()

	b.mustSend(t, session, http.MethodGet, "/session", "", http.StatusOK)
	check(t, "session: DynamoDB", d.proxies["session"].rows.Actions(), "BatchGetItem")

	b.mustSend(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK)
	check(t, "valid token: DynamoDB", g.rows.Actions(), "BatchGetItem")
	check(t, "valid token: KMS", g.keys.Actions())
	check(t, "valid token: Secrets Manager", g.secrets.Actions())

	for _, when := range []string{"first refresh", "second refresh"} {
		d.expire(t)
		d.clearCalls()
		before := d.asana.CountRequests("refresh_token")
		b.mustSend(t, refresh, http.MethodPost, "/refresh", "", http.StatusOK)
		check(t, when+": DynamoDB", g.rows.Actions(), "BatchGetItem", "PutItem", "PutItem")
		check(t, when+": KMS", g.keys.Actions())
		if got := d.asana.CountRequests("refresh_token") - before; got != 1 {
			t.Errorf("%s: got %d requests to Asana, want 1", when, got)
		}
		// Later refreshes use the cached client secret.
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
			t.Errorf("%s: got %v write units, want 2", when, units)
		}
	}
}

func check(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestKeyringNotCached checks that KEY_CACHE_TTL=0 disables the cache, so that every
// request calls KMS.
func TestKeyringNotCached(t *testing.T) {
	t.Parallel()
	d := deploy(t, "KEY_CACHE_TTL", "0")
	b := newBrowser()
	b.signIn(t, d, d.start(t, "authorize"), d.start(t, "callback"))
	session := d.start(t, "session")
	d.clearCalls()
	b.mustSend(t, session, http.MethodGet, "/session", "", http.StatusOK)
	check(t, "session: KMS", d.proxies["session"].keys.Actions(), "Decrypt")
}

// TestImportCalls counts the AWS calls of imports. One read finds out whether the credential
// was imported before. A new import then reads and writes the connection's rows, and a
// repeated import reads the connection.
func TestImportCalls(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	s := saas{connections: d.start(t, "connections"), arn: saasARN}
	g := d.proxies["connections"]
	for range 3 {
		body := `{"token":` + quoted(d.asana.PersonalAccessToken(asanatest.Bot)) + `,"owner":"o","kind":"personal_access_token"}`
		d.clearCalls()
		s.mustSend(t, http.MethodPost, "/connections", body, http.StatusCreated)
		check(t, "import: DynamoDB", g.rows.Actions()[:2], "BatchGetItem", "BatchGetItem")
		check(t, "import: write", g.rows.Actions()[len(g.rows.Actions())-1:], "TransactWriteItems")
		d.clearCalls()
		s.mustSend(t, http.MethodPost, "/connections", body, http.StatusCreated)
		check(t, "repeated import: DynamoDB", g.rows.Actions(), "BatchGetItem", "BatchGetItem")
	}
}

// TestBackendCalls counts the AWS calls of token requests from a backend. A request makes
// one read call to DynamoDB. If the request refreshes the token, it also makes two write
// calls.
func TestBackendCalls(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	s := saas{connections: d.start(t, "connections"), arn: saasARN}
	body := `{"refresh_token":` + quoted(d.asana.RefreshToken(clientID, asanatest.Member)) + `,"owner":"o"}`
	id := s.mustSend(t, http.MethodPost, "/connections", body, http.StatusCreated).text("id")
	g := d.proxies["connections"]
	d.clearCalls()
	s.mustSend(t, http.MethodPost, "/connections/"+id+"/token", "", http.StatusOK)
	check(t, "valid token: DynamoDB", g.rows.Actions(), "BatchGetItem")
	check(t, "valid token: KMS", g.keys.Actions())
	d.expire(t)
	d.clearCalls()
	s.mustSend(t, http.MethodPost, "/connections/"+id+"/token", "", http.StatusOK)
	check(t, "refresh: DynamoDB", g.rows.Actions(), "BatchGetItem", "PutItem", "PutItem")
	check(t, "refresh: KMS", g.keys.Actions())
	check(t, "refresh: Secrets Manager", g.secrets.Actions())
}
