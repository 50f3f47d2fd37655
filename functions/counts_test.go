package functions_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/internal/lambdatest"
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

// TestAnonymousCalls counts the AWS calls that visitors without a session or an attempt
// can cause.
func TestAnonymousCalls(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	b := newBrowser()
	authorize, callback, session := d.start(t, "authorize"), d.start(t, "callback"), d.start(t, "session")
	const value = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	visit := func(f *lambdatest.Function, path string, status int, header, cookie string) {
		t.Helper()
		d.clearCalls()
		r := b.request(t, http.MethodGet, path, "", strings.HasPrefix(path, "/session"))
		if name, value, ok := strings.Cut(header, ": "); ok {
			r.Header.Set(name, value)
		}
		r.Header.Set("Cookie", cookie)
		if a := b.send(t, f, r); a.status != status {
			t.Errorf("GET %s with %q: got status %d, want %d", path, header, a.status, status)
		}
	}
	visit(authorize, "/authorize", 303, "", "")
	check(t, "authorize", d.proxies["authorize"].rows.Actions(), "PutItem")
	for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Purpose: prefetch", "Sec-Fetch-Mode: cors"} {
		status := http.StatusNoContent
		if header == "Sec-Fetch-Site: cross-site" {
			status = http.StatusOK
		}
		visit(authorize, "/authorize?x=%zz", status, header, "")
		check(t, "authorize with "+header, d.proxies["authorize"].rows.Actions())
	}
	state := sha256.Sum256([]byte("s"))
	attempt := "__Host-asana_attempt_" + hex.EncodeToString(state[:8]) + "=" + value
	visit(callback, "/callback?code=c&state=s", 400, "", "")
	check(t, "callback without a cookie", d.proxies["callback"].rows.Actions())
	visit(callback, "/callback?code=c&state=s", 400, "", attempt)
	check(t, "callback with an invented attempt", d.proxies["callback"].rows.Actions(), "BatchGetItem")
	visit(session, "/session", http.StatusNoContent, "", "")
	check(t, "session without a cookie", d.proxies["session"].rows.Actions())
	visit(session, "/session", http.StatusNoContent, "", "__Host-asana_session=con_"+strings.Repeat("a", 32)+"."+value)
	check(t, "session with an invented cookie", d.proxies["session"].rows.Actions(), "BatchGetItem")
	for _, function := range []string{"callback", "session"} {
		check(t, function+": KMS", d.proxies[function].keys.Actions())
		check(t, function+": Secrets Manager", d.proxies[function].secrets.Actions())
	}
	if n := len(d.asana.Requests()); n != 0 {
		t.Errorf("got %d requests to Asana, want 0", n)
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
