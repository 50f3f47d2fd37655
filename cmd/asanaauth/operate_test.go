package main_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// externalAsana is an offline Asana that runs in the test process. The command under test
// uses externalAsana as the real Asana.
type externalAsana struct {
	*asanatest.Asana
	t       *testing.T
	url     string
	environ []string // variables that make the command use this Asana
}

// localClientID is the client ID of the app that "asanaauth local" uses at its offline
// Asana.
const localClientID = "1300000000008484"

func newExternalAsana(t *testing.T) *externalAsana {
	t.Helper()
	asana, err := asanatest.New(asanatest.Options{Apps: []asanatest.App{{
		ClientID: localClientID, ClientSecret: "s", RedirectURIs: []string{asanatest.DefaultRedirectURI}, Scopes: []string{"default"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(asana)
	t.Cleanup(server.Close)
	asana.SetBaseURL(server.URL)
	return &externalAsana{asana, t, server.URL, []string{"ASANA_CLIENT_ID=" + localClientID, "ASANA_CLIENT_SECRET=s", "ASANA_BASE_URL=" + server.URL}}
}

// grant returns the refresh token of a new OAuth grant.
func (e *externalAsana) grant(person string) string {
	e.t.Helper()
	b := newBrowser(e.t)
	form := "client_id=" + localClientID + "&redirect_uri=" + asanatest.DefaultRedirectURI + "&response_type=code&state=s&scope=default"
	back, err := e.Authorize(e.t.Context(), e.url+"/-/oauth_authorize?"+form, person)
	if err != nil {
		e.t.Fatal(err)
	}
	a := b.mustSend("POST", e.url+"/-/oauth_token", "grant_type=authorization_code&client_id="+localClientID+"&client_secret=s&redirect_uri="+
		asanatest.DefaultRedirectURI+"&code="+mustParse(e.t, back).Query().Get("code"), "Content-Type: application/x-www-form-urlencoded")
	var body struct {
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal([]byte(a.body), &body); body.Refresh == "" {
		e.t.Fatalf("got status %d without a refresh token", a.status)
	}
	return body.Refresh
}

func wantOutcome(t *testing.T, code int, environ []string, args ...string) (stdout, stderr string) {
	t.Helper()
	got, stdout, stderr := runCommand(t, environ, args...)
	if got != code {
		t.Fatalf("%s: exit %d, want %d; stdout %s; stderr %s", strings.Join(args[:2], " "), got, code, stdout, stderr)
	}
	return stdout, stderr
}

type connectionLine struct {
	ID           string
	Kind, Status string
	Owner        *string
	Reason       *string                            `json:"status_reason"`
	AttributedTo *struct{ GID, Name, Email string } `json:"attributed_to"`
}

func connectionLines(t *testing.T, text string) []connectionLine {
	t.Helper()
	var all []connectionLine
	for line := range strings.Lines(text) {
		var c connectionLine
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, c)
	}
	return all
}

func TestConnections(t *testing.T) {
	t.Parallel()
	asana, data := newExternalAsana(t), t.TempDir()
	refresh, pat := asana.grant(asanatest.Member), asana.PersonalAccessToken(asanatest.Bot)
	file := importFile(t,
		fmt.Sprintf(`{"owner":"acme","refresh_token":%q}`, refresh),
		fmt.Sprintf(`{"owner":"the owner","token":%q,"kind":"personal_access_token"}`, pat))
	wantOutcome(t, 0, asana.environ, "import", file, "-data", data)
	human := store.ConnectionID(store.HashText("acme"), asanatest.Member, "oauth")
	bot := store.ConnectionID(store.HashText("the owner"), asanatest.Bot, "personal_access_token")

	list := func(args ...string) string {
		t.Helper()
		out, _ := wantOutcome(t, 0, asana.environ, append([]string{"connections", "list", "-data", data}, args...)...)
		return out
	}
	text := list()
	if lines := strings.Split(strings.TrimSpace(text), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "ID ") ||
		!strings.Contains(text, human+"  oauth ") || !strings.Contains(text, `"the owner"`) || strings.Index(lines[1], "active") != strings.Index(lines[2], "active") {
		t.Errorf("list:\n%s", text)
	}
	all := connectionLines(t, list("-json"))
	if len(all) != 2 {
		t.Fatalf("list -json: %+v", all)
	}
	for _, c := range all {
		if c.ID == human && (c.Kind != "oauth" || c.Status != "active" || *c.Owner != "acme" || c.Reason != nil || c.AttributedTo.Email != "mia@acme.example") {
			t.Errorf("list -json: %+v", c)
		}
	}
	for filter, want := range map[string]string{"-owner=acme": human, "-owner=the owner": bot, "-owner=nobody": "", "-status=broken": ""} {
		var got string
		for _, c := range connectionLines(t, list("-json", filter)) {
			got += c.ID
		}
		if got != want {
			t.Errorf("list %s: %q, want %q", filter, got, want)
		}
	}

	shown, _ := wantOutcome(t, 0, asana.environ, "connections", "show", human, "-data", data)
	var members map[string]any
	if err := json.Unmarshal([]byte(shown), &members); err != nil || !strings.Contains(shown, "\n  \"kind\": \"oauth\"") {
		t.Errorf("show: %v\n%s", err, shown)
	}
	contract := []string{"id", "kind", "owner", "status", "status_reason", "attributed_to", "scope_requested", "scope_granted", "reader_of",
		"created_at", "updated_at", "last_refreshed_at", "broken_at", "expires_at"}
	for _, name := range contract {
		if _, ok := members[name]; !ok {
			t.Errorf("show: %s is missing", name)
		}
		delete(members, name)
	}
	if len(members) > 0 {
		t.Errorf("show: unexpected members %v", members)
	}

	// Check that disconnect sets the status "revoking" while Asana is unavailable, and
	// that a later disconnect completes the revocation.
	asana.SetSwitches(func(s *asanatest.Switches) { s.Down = true })
	out, errs := wantOutcome(t, 1, asana.environ, "connections", "disconnect", "-data", data, human)
	if out != "{\"status\":\"revoking\"}\n" || !strings.Contains(errs, "run this command again") {
		t.Errorf("disconnect: %s; %s", out, errs)
	}
	if got := connectionLines(t, list("-json", "-status", "revoking")); len(got) != 1 || got[0].ID != human {
		t.Errorf("list of revoking connections: got %+v, want %s", got, human)
	}
	asana.SetSwitches(func(s *asanatest.Switches) { s.Down = false })
	waitUntil(t, "the connection is disconnected", func() bool {
		code, out, _ := runCommand(t, asana.environ, "connections", "disconnect", human, "-data", data)
		return code == 0 && out == "{\"revoked_at_asana\":true,\"status\":\"disconnected\"}\n"
	})
	out, _ = wantOutcome(t, 0, asana.environ, "connections", "disconnect", bot, "-data", data)
	if out != "{\"revoked_at_asana\":false,\"status\":\"disconnected\"}\n" {
		t.Errorf("disconnect of a PAT: %s", out)
	}
	tombstone, _ := wantOutcome(t, 0, asana.environ, "connections", "show", bot, "-data", data)
	if strings.Contains(tombstone, asanatest.Bot) || strings.Contains(tombstone, "the owner") || !strings.Contains(tombstone, `"status": "disconnected"`) {
		t.Errorf("show of a tombstone:\n%s", tombstone)
	}
	if text := list(); strings.Count(text, "  disconnected  ") != 2 {
		t.Errorf("list of tombstones:\n%s", text)
	}
	for _, secret := range []string{refresh, pat} {
		if strings.Contains(text+shown+out+errs+tombstone, secret) {
			t.Error("a token was printed")
		}
	}
	_, errs = wantOutcome(t, 1, asana.environ, "connections", "show", "con_"+strings.Repeat("a", 32), "-data", data)
	if !strings.Contains(errs, "connection not found") {
		t.Errorf("show of an unknown ID: %s", errs)
	}
}

// TestConnectionsOfALocalFolder checks the commands while "asanaauth local" uses the data
// folder, after it was killed, and after it has exited.
func TestConnectionsOfALocalFolder(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := start(t, data, nil)
	for _, person := range []string{member, asanatest.Guest, asanatest.Admin} {
		newBrowser(t).signIn(p, person)
	}
	list := func(args ...string) []connectionLine {
		t.Helper()
		out, errs := wantOutcome(t, 0, nil, append([]string{"connections", "list", "-json", "-data", data}, args...)...)
		if errs != "" {
			t.Errorf("list: got stderr %s, want none", errs)
		}
		return connectionLines(t, out)
	}
	disconnect := func(id string) {
		t.Helper()
		if out, _ := wantOutcome(t, 0, nil, "connections", "disconnect", id, "-data", data); out != "{\"revoked_at_asana\":true,\"status\":\"disconnected\"}\n" {
			t.Errorf("disconnect: got %s", out)
		}
	}
	if all := list(); len(all) != 3 {
		t.Errorf("list while local runs: got %+v, want three connections", all)
	}
	all := list("-owner", "asana:"+member)
	if len(all) != 1 || *all[0].Owner != "asana:"+member {
		t.Fatalf("list of an owner while local runs: got %+v", all)
	}
	id := all[0].ID
	if out, _ := wantOutcome(t, 0, nil, "connections", "show", id, "-data", data); !strings.Contains(out, "\n  \"kind\": \"oauth\"") {
		t.Errorf("show while local runs: got %s", out)
	}
	disconnect(id)
	waitUntil(t, "local logs an audit line about the disconnect", func() bool {
		return hasLineWithAll(p.logged.String(), `"connection":"`+id+`"`, `"audit":"revoked"`, `"caller":"library"`)
	})
	if got := list("-status=disconnected"); len(got) != 1 || got[0].ID != id {
		t.Errorf("list of disconnected connections: got %+v, want %s", got, id)
	}
	_, errs := wantOutcome(t, 1, nil, "connections", "show", "con_"+strings.Repeat("a", 32), "-data", data)
	if errs != "asanaauth connections: connection not found: check its ID and the deployment\n" {
		t.Errorf("show of an unknown ID: got stderr %s", errs)
	}
	if _, errs = wantOutcome(t, 1, nil, "import", importFile(t), "-data", data); !strings.Contains(errs, "is in use by another asanaauth process") {
		t.Errorf("import while local runs: got stderr %s", errs)
	}

	p.kill() // leaves the control file
	all = list("-owner", "asana:"+asanatest.Guest)
	disconnect(all[0].ID)
	p = start(t, data, nil)
	if got := list("-status", "active"); len(got) != 1 {
		t.Errorf("list after the restart: got %+v, want one active connection", got)
	}
	p.terminate()
	if _, err := os.Stat(filepath.Join(data, "control.json")); err == nil {
		t.Error("local leaves its control file, want it removed")
	}
	all = list("-owner", "asana:"+asanatest.Admin)
	disconnect(all[0].ID)
}

// TestControlServer checks that other users of the machine, and web pages, cannot use the
// control server, and that the key is not printed.
func TestControlServer(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := start(t, data, nil, "-allow-non-loopback", "-addr", "0.0.0.0:0")
	file := filepath.Join(data, "control.json")
	for name, mode := range map[string]os.FileMode{data: 0o700, file: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: got mode %v (%v), want %v", name, info.Mode(), err, mode)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var at struct{ Host, Key string }
	if err := json.Unmarshal(text, &at); err != nil || !strings.HasPrefix(at.Host, "127.0.0.1:") || len(at.Key) < 26 {
		t.Fatalf("got control file %s (%v), want a loopback address and a key of at least 128 bits", text, err)
	}
	key := "Authorization: " + bearer(at.Key)
	body := func(folder, args string) string { return fmt.Sprintf(`{"folder":%q,"args":[%s]}`, folder, args) }
	good := body(data, `"list"`)
	for name, test := range map[string]struct {
		headers []string
		body    string
		want    int
	}{
		"the command":        {[]string{key}, good, 200},
		"no key":             {nil, good, 401},
		"an empty key":       {[]string{"Authorization: " + bearer("")}, good, 401},
		"another key":        {[]string{"Authorization: " + bearer(at.Key+"A")}, good, 401},
		"the backend key":    {[]string{"Authorization: " + bearer(p.backendKey())}, good, 401},
		"a page":             {[]string{key, "Origin: " + p.publicURL}, good, 403},
		"a rebound name":     {[]string{key, "Host: evil.test"}, good, 403},
		"no object":          {[]string{key}, `["list"]`, 400},
		"too many arguments": {[]string{key}, body(data, `"`+strings.Repeat("x", 70000)+`"`), 400},
		"another folder":     {[]string{key}, body(t.TempDir(), `"list"`), 409},
		"no folder":          {[]string{key}, body("", `"list"`), 409},
	} {
		if a := newBrowser(t).mustSend("POST", "http://"+at.Host+"/", test.body, test.headers...); a.status != test.want {
			t.Errorf("%s: got %d %s, want %d", name, a.status, a.body, test.want)
		}
	}
	a := newBrowser(t).mustSend("POST", "http://"+at.Host+"/", body(data, `"remove"`), key)
	if !strings.Contains(a.body, "unknown command") {
		t.Errorf("unknown command: got %s", a.body)
	}
	p.terminate()
	if strings.Contains(p.logged.String()+strings.Join(p.printed, ""), at.Key) {
		t.Error("the key was printed or logged")
	}
}

func TestConnectionsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	asana, data := newExternalAsana(t), t.TempDir()
	file := importFile(t, fmt.Sprintf(`{"owner":"acme","token":%q,"kind":"personal_access_token"}`, asana.PersonalAccessToken(asanatest.Bot)))
	wantOutcome(t, 0, asana.environ, "import", file, "-data", data)
	// Without the original key file, the rows cannot be decrypted.
	if err := os.Remove(filepath.Join(data, "local.key")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "local.key"), []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs := wantOutcome(t, 1, asana.environ, "connections", "list", "-data", data)
	if out != "" || !strings.Contains(errs, "could not be read: ") || !strings.Contains(errs, "the list is incomplete: connections that could not be read: 1") {
		t.Errorf("list: %s; %s", out, errs)
	}
}
