package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/internal/lambdatest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// saas sends requests as the backend of a SaaS app.
type saas struct {
	connections *lambdatest.Function
	arn         string    // IAM identity of its requests; "" means none
	succeeded   *sync.Map // if not nil, send adds each route that responds with 2xx
}

const saasARN = "arn:aws:sts::111122223333:assumed-role/saas/nightly"

func (s saas) send(t testing.TB, method, path, body string) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, public+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if s.arn != "" {
		r = lambdatest.As(r, lambdatest.Identity{AccessKey: "ASIA", AccountID: "111122223333", CallerID: "AROA:nightly", UserARN: s.arn, UserID: "AROA:nightly"})
	}
	resp, err := s.connections.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	a := readResponse(t, resp)
	if s.succeeded != nil && a.status < 300 {
		s.succeeded.Store(method+" "+routeOf(path), true)
	}
	return a
}

// routeOf removes the query from path, and replaces the ID of a connection with {id}.
func routeOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return regexp.MustCompile("/con_[a-z2-7]+").ReplaceAllString(path, "/{id}")
}

// mustSend is like send, but also checks that the response has the given status, has no
// CORS headers, and forbids caching.
func (s saas) mustSend(t testing.TB, method, path, body string, status int) response {
	t.Helper()
	a := s.send(t, method, path, body)
	if a.status != status {
		t.Fatalf("%s %s: got %d %s, want %d\nlog:\n%s", method, path, a.status, a.body, status, strings.Join(s.connections.Logs(), "\n"))
	}
	if a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s: got headers %v, want Cache-Control: no-store and no CORS headers", method, path, a.header)
	}
	return a
}

// followLink opens a link, gives consent at Asana as the given person, and returns the
// connect code in the return URL.
func (b *browser) followLink(t testing.TB, d *deployment, f map[string]*lambdatest.Function, link, person string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || u.Scheme+"://"+u.Host != public {
		t.Fatalf("got a link to %s://%s, want %s", u.Scheme, u.Host, public)
	}
	begun := b.send(t, f["authorize"], b.request(t, http.MethodGet, u.RequestURI(), "", false))
	if begun.status != http.StatusSeeOther {
		t.Fatalf("opening the link: got %d %s, want 303", begun.status, begun.body)
	}
	back, err := d.asana.Authorize(t.Context(), begun.header.Get("Location"), person)
	if err != nil {
		t.Fatal(err)
	}
	u, err = url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	done := b.send(t, f["callback"], b.request(t, http.MethodGet, u.RequestURI(), "", false))
	to, err := url.Parse(done.header.Get("Location"))
	if err != nil || done.status != http.StatusSeeOther || len(done.header["Set-Cookie"]) > 0 {
		t.Fatalf("GET /callback: got %d, %d cookies, %v; want 303, no cookies\nlog:\n%s", done.status, len(done.header["Set-Cookie"]), err, strings.Join(f["callback"].Logs(), "\n"))
	}
	code := to.Query().Get("connect_code")
	b.seen = append(b.seen, code)
	return code
}

func quoted(s string) string { b, _ := json.Marshal(s); return string(b) }

func object(t testing.TB, a response) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return m
}

// member(m, "attributed_to", "gid") returns m["attributed_to"]["gid"].
func member(m map[string]any, path ...string) any {
	for _, name := range path[:len(path)-1] {
		m, _ = m[name].(map[string]any)
	}
	return m[path[len(path)-1]]
}

// whoSignedIn signs b in, and redeems a session code of b twice. It checks that the first
// response contains the person who has signed in, and that the second request is
// rejected.
func (s saas) whoSignedIn(t testing.TB, d *deployment, f map[string]*lambdatest.Function, b *browser) {
	t.Helper()
	b.signIn(t, d, f["authorize"], f["callback"])
	x := b.mustSend(t, f["session"], http.MethodPost, "/session/code", "{}", http.StatusCreated).text("session_code")
	b.seen = append(b.seen, x)
	who := s.mustSend(t, http.MethodPost, "/connections", `{"session_code":`+quoted(x)+`}`, http.StatusOK)
	if m := object(t, who); m["owner"] != "asana:"+asanatest.Member || member(m, "attributed_to", "gid") != asanatest.Member {
		t.Errorf("redeeming the session code: got %s, want a connection of %s", who.body, asanatest.Member)
	}
	s.mustSend(t, http.MethodPost, "/connections", `{"session_code":`+quoted(x)+`}`, http.StatusBadRequest)
}

// listFour lists the connections of the owner "tenant" in pages of two, and checks that
// the pages together contain four connections.
func (s saas) listFour(t testing.TB) {
	t.Helper()
	ids := map[string]bool{}
	for cursor := "?owner=tenant&limit=2"; cursor != ""; {
		m := object(t, s.mustSend(t, http.MethodGet, "/connections"+cursor, "", http.StatusOK))
		for _, c := range m["data"].([]any) {
			ids[c.(map[string]any)["id"].(string)] = true
		}
		if cursor = ""; m["next_cursor"] != nil {
			cursor = "?owner=tenant&limit=2&cursor=" + url.QueryEscape(m["next_cursor"].(string))
			s.mustSend(t, http.MethodGet, strings.Replace("/connections"+cursor, "=tenant", "=other", 1), "", http.StatusBadRequest)
		}
	}
	if len(ids) != 4 {
		t.Errorf("got %d connections, want 4", len(ids))
	}
}

// TestBackend calls every route for backends. The test fails if the function
// "connections" has a permission in template.yaml that no call needs.
func TestBackend(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	f := d.startAll(t)
	s, b := saas{connections: f["connections"], arn: saasARN, succeeded: new(sync.Map)}, newBrowser()

	link := s.mustSend(t, http.MethodPost, "/links", `{"owner":"tenant","person":"ann","asana_user":"`+asanatest.Member+`"}`, http.StatusCreated)
	b.seen = append(b.seen, strings.TrimPrefix(link.text("url"), public+"/authorize?link="))
	stolen := b.followLink(t, d, f, link.text("url"), asanatest.Member)
	s.mustSend(t, http.MethodPost, "/connections", `{"connect_code":`+quoted(stolen)+`,"owner":"tenant","person":"bob"}`, http.StatusBadRequest)
	code := b.followLink(t, d, f, link.text("url"), asanatest.Member)
	redeem := `{"connect_code":` + quoted(code) + `,"owner":"tenant","person":"ann"}`
	made := s.mustSend(t, http.MethodPost, "/connections", redeem, http.StatusCreated)
	id := made.text("id")
	if m := object(t, made); member(m, "attributed_to", "gid") != asanatest.Member || m["status"] != "active" || m["kind"] != "oauth" || m["owner"] != "tenant" {
		t.Errorf("redeeming the connect code: got %s, want an active oauth connection of tenant", made.body)
	}
	if again := s.mustSend(t, http.MethodPost, "/connections", redeem, http.StatusOK); again.body != made.body {
		t.Errorf("redeeming the connect code twice: got %s\nwant %s", again.body, made.body)
	}
	if a := s.mustSend(t, http.MethodGet, "/connections/"+id+"?owner=tenant", "", http.StatusOK); a.body != made.body {
		t.Errorf("GET of the connection: got %s\nwant %s", a.body, made.body)
	}
	s.mustSend(t, http.MethodGet, "/connections/"+id+"?owner=other", "", http.StatusNotFound)
	token := s.mustSend(t, http.MethodPost, "/connections/"+id+"/token", `{"min_ttl":300}`, http.StatusOK).text("access_token")
	if b.seen = append(b.seen, token); !accepted(t, d, token) {
		t.Error("Asana does not accept the token")
	}
	if m := object(t, s.mustSend(t, http.MethodGet, "/connections/"+id+"/capabilities", "", http.StatusOK)); m["active"] != true || m["scope_missing"] != "" {
		t.Errorf("got capabilities %v, want active and no missing scope", m)
	}
	if m := object(t, s.mustSend(t, http.MethodGet, "/connections/"+id+"/membership?workspace="+asanatest.Acme, "", http.StatusOK)); m["can_write"] != true {
		t.Errorf("got membership %v, want can_write", m)
	}

	s.whoSignedIn(t, d, f, b)

	pat := d.asana.PersonalAccessToken(asanatest.Bot)
	bot := s.mustSend(t, http.MethodPost, "/connections", `{"token":`+quoted(pat)+`,"owner":"tenant","kind":"personal_access_token"}`, http.StatusCreated)
	if m := object(t, bot); m["last_refreshed_at"] != nil || m["kind"] != "personal_access_token" {
		t.Errorf("importing the bot's token: got %s, want kind personal_access_token and last_refreshed_at null", bot.body)
	}
	if got := s.mustSend(t, http.MethodPost, "/connections/"+bot.text("id")+"/token", "", http.StatusOK).text("access_token"); got != pat {
		t.Error("the token of the bot's connection differs from the imported token")
	}
	account := s.mustSend(t, http.MethodPost, "/connections", `{"token":`+quoted(d.asana.ServiceAccountToken(asanatest.ServiceAccount))+`,"owner":"tenant","kind":"service_account"}`, http.StatusCreated)
	bad := s.mustSend(t, http.MethodPost, "/connections", `{"token":"0/none","owner":"tenant","kind":"service_account"}`, http.StatusUnprocessableEntity)
	if bad.text("reason") != "inactive" || bad.text("type") != "urn:asanaauth:problem:token-rejected" {
		t.Errorf("importing an unknown token: got %s, want token-rejected and inactive", bad.body)
	}
	elsewhere := d.asana.RefreshToken(clientID, asanatest.Guest)
	s.mustSend(t, http.MethodPost, "/connections", `{"refresh_token":`+quoted(elsewhere)+`,"owner":"tenant"}`, http.StatusCreated)
	again := d.asana.RefreshToken(clientID, asanatest.Guest)
	s.mustSend(t, http.MethodPost, "/connections", `{"refresh_token":`+quoted(again)+`,"owner":"tenant"}`, http.StatusConflict)

	read := s.mustSend(t, http.MethodPatch, "/connections/"+account.text("id"), `{"reader_of":["`+asanatest.Acme+`"]}`, http.StatusOK)
	if fmt.Sprint(object(t, read)["reader_of"]) != "["+asanatest.Acme+"]" {
		t.Errorf("naming a reader: got %s, want reader_of with the workspace", read.body)
	}
	s.mustSend(t, http.MethodPatch, "/connections/"+id, `{"reader_of":[]}`, http.StatusConflict)
	for _, ask := range []func() response{
		func() response {
			return b.mustSend(t, f["membership"], http.MethodGet, "/membership", "", http.StatusOK)
		},
		func() response {
			return s.mustSend(t, http.MethodGet, "/connections/"+id+"/capabilities", "", http.StatusOK)
		},
	} {
		path := "/api/1.0/users/" + asanatest.Member + "/workspace_memberships"
		d.asana.Inject(asanatest.Fault{Path: path, Status: http.StatusForbidden, Body: `{"errors":[{"message":"Full permissions are required to access this endpoint."}]}`})
		if a := ask(); !strings.Contains(a.body, `"asked_with":"reader"`) || !strings.Contains(a.body, `"can_write":true`) {
			t.Errorf("got %s, want the membership that the reader returns", a.body)
		}
	}

	s.listFour(t)
	if m := object(t, s.mustSend(t, http.MethodGet, "/connections?asana_user="+asanatest.Member, "", http.StatusOK)); len(m["data"].([]any)) != 2 {
		t.Errorf("connections of the Asana user: got %v, want 2", m)
	}
	s.mustSend(t, http.MethodDelete, "/connections/"+id+"/sessions", "", http.StatusNoContent)
	checkNoSecrets(t, d, b)
	// The Asana user has a second active connection, so the grant is not revoked.
	if a := s.mustSend(t, http.MethodDelete, "/connections/"+id, "", http.StatusOK); a.body != `{"status":"disconnected","revoked_at_asana":false}` {
		t.Errorf("DELETE of the connection: got %s, want disconnected and revoked_at_asana false", a.body)
	}
	s.mustSend(t, http.MethodDelete, "/connections/"+id, "", http.StatusOK)
	s.mustSend(t, http.MethodPost, "/connections/"+id+"/token", "", http.StatusConflict)
	if a := s.mustSend(t, http.MethodDelete, "/connections?owner=tenant", "", http.StatusAccepted); a.body != `{"disconnected":3,"revoking":0,"left":0}` {
		t.Errorf("DELETE by owner: got %s, want 3 disconnected", a.body)
	}
	if a := s.mustSend(t, http.MethodDelete, "/connections?asana_user="+asanatest.Member, "", http.StatusAccepted); a.body != `{"disconnected":1,"revoking":0,"left":0}` {
		t.Errorf("DELETE by Asana user: got %s, want 1 disconnected", a.body)
	}
	if accepted(t, d, token) {
		t.Error("Asana still accepts the token after its last connection ended")
	}
	checkNoSecrets(t, d, b)
	for _, route := range backendRoutes(t) {
		if _, ok := s.succeeded.Load(route); !ok {
			t.Errorf("no %s succeeded: call the route in TestBackend", route)
		}
	}
	for _, unused := range unusedOf("connections", d.template.Functions["connections"], d.proxies["connections"]) {
		if unused != "connections kms:Encrypt" && unused != "connections dynamodb:PutItem k#keyring" { // TestBackendFirst uses these
			t.Errorf("template.yaml has a permission that no call in TestBackend used: %s", unused)
		}
	}
	f["connections"].Kill() // the log is complete only when the process has ended
	for _, event := range []string{"connected", "imported", "token_released", "revoked", "denied"} {
		if !strings.Contains(strings.Join(f["connections"].Logs(), "\n"), `"audit":"`+event+`"`) {
			t.Errorf("the log has no audit line %s", event)
		}
	}
	if !strings.Contains(d.logged(), `"caller":"`+saasARN+`"`) {
		t.Error("no audit line has the caller's ARN")
	}
}

// TestBackendWithoutIdentity checks that requests without an IAM identity get a 401 and
// write nothing.
func TestBackendWithoutIdentity(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	s := saas{connections: d.start(t, "connections")}
	for _, path := range []string{"/links", "/connections", "/connections/con_aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb", "/connections/x/y/z"} {
		a := s.mustSend(t, http.MethodPost, path, `{"owner":"o"}`, http.StatusUnauthorized)
		if a.text("type") != "urn:asanaauth:problem:unauthenticated" {
			t.Errorf("POST %s: got %s, want unauthenticated", path, a.body)
		}
	}
	if n := len(d.scan(t, d.table)); n != 1 {
		t.Errorf("got %d rows, want only the keyring", n)
	}
}

// TestParallelBackends checks that fifty concurrent token requests to five processes
// cause only one refresh request to Asana.
func TestParallelBackends(t *testing.T) {
	t.Parallel()
	const callers, processes = 50, 5
	d := deploy(t)
	s := saas{connections: d.start(t, "connections"), arn: saasARN}
	refresh := d.asana.RefreshToken(clientID, asanatest.Member)
	id := s.mustSend(t, http.MethodPost, "/connections", `{"refresh_token":`+quoted(refresh)+`,"owner":"o"}`, http.StatusCreated).text("id")
	d.expire(t)
	before := d.asana.CountRequests("refresh_token")
	running := []saas{s}
	for len(running) < processes {
		running = append(running, saas{connections: d.start(t, "connections"), arn: saasARN})
	}
	// Delay Asana's response, so that the other processes read the connection during the
	// refresh.
	rows := d.proxies["connections"].rows
	rows.ClearCalls()
	d.asana.Inject(asanatest.Fault{Path: "/-/oauth_token", Before: func(*http.Request) {
		for deadline := time.Now().Add(5 * time.Second); len(rows.Actions()) < 3*processes && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}})
	tokens := make(chan string, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			a := running[i%processes].send(t, http.MethodPost, "/connections/"+id+"/token", "")
			if a.status != http.StatusOK {
				t.Errorf("POST token: got %d %s, want 200", a.status, a.body)
			}
			tokens <- a.text("access_token")
		})
	}
	wg.Wait()
	close(tokens)
	different := map[string]bool{}
	for token := range tokens {
		different[token] = true
	}
	if len(different) != 1 {
		t.Errorf("got %d different tokens, want 1", len(different))
	}
	if got := d.asana.CountRequests("refresh_token") - before; got != 1 {
		t.Errorf("got %d requests to Asana, want 1", got)
	}
}

// TestBackendFirst checks that an import can be the first request to an installation, and
// that the import then creates the keyring.
func TestBackendFirst(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	s := saas{connections: d.start(t, "connections"), arn: saasARN}
	body := `{"token":` + quoted(d.asana.PersonalAccessToken(asanatest.Bot)) + `,"owner":"o","kind":"personal_access_token"}`
	id := s.mustSend(t, http.MethodPost, "/connections", body, http.StatusCreated).text("id")
	other := saas{connections: d.start(t, "connections"), arn: saasARN}
	other.mustSend(t, http.MethodPost, "/connections/"+id+"/token", "", http.StatusOK)
	for _, unused := range unusedOf("connections", d.template.Functions["connections"], d.proxies["connections"]) {
		if unused == "connections kms:Encrypt" || unused == "connections dynamodb:PutItem k#keyring" {
			t.Errorf("template.yaml has an unused permission: %s", unused)
		}
	}
}
