package asanatest_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

const (
	expired  = "The bearer token has expired. If you have a refresh token, please use it to request a new bearer token, otherwise allow the user to re-authenticate."
	fullOnly = "Full permissions are required to use this endpoint."
	helpText = "For more information on API status codes and how to handle them, read the docs on errors: https://developers.asana.com/docs/errors"
)

func TestUnauthorized(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	tok := k.signIn(full(), asanatest.Member)
	if got := k.get("/api/1.0/users/me", ""); got.status != 401 || strings.TrimSpace(got.text) != `{"errors":[{"message":"Not Authorized"}]}` {
		t.Errorf("no token: got %d %s, want 401", got.status, got.text)
	}
	for name, bearer := range map[string]string{"unknown": "nothing", "refresh token": tok.RefreshToken} {
		if got := k.get("/api/1.0/users/me", bearer); got.status != 401 || got.errorMessage() != "Not Authorized" {
			t.Errorf("%s: got %d %s, want 401", name, got.status, got.text)
		}
	}
	k.clock.Add(3599e9)
	if got := k.get("/api/1.0/users/me", tok.AccessToken); got.status != 200 {
		t.Errorf("in the last second: got %d, want 200", got.status)
	}
	k.clock.Add(1e9)
	got := k.get("/api/1.0/users/me", tok.AccessToken)
	if got.status != 401 || got.errorMessage() != expired || !strings.Contains(got.text, helpText) {
		t.Errorf("expired: got %d %s, want 401", got.status, got.text)
	}
}

func TestUserRecord(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	tok := k.signIn(full(), asanatest.Several)
	want := map[string]any{"gid": asanatest.Several, "resource_type": "user", "name": "Sam Several", "email": "sam@globex.example", "photo": nil, "workspaces": []any{
		map[string]any{"gid": asanatest.Acme, "resource_type": "workspace", "name": "Acme"},
		map[string]any{"gid": asanatest.Globex, "resource_type": "workspace", "name": "Globex"},
	}}
	for _, id := range []string{"me", asanatest.Several, "sam@globex.example"} {
		if got := k.get("/api/1.0/users/"+id, tok.AccessToken); !reflect.DeepEqual(got.data(), want) {
			t.Errorf("users/%s: got %s, want %v", id, got.text, want)
		}
	}
	got := k.get("/api/1.0/users/me?opt_fields=email,workspaces.name,nothing", tok.AccessToken)
	want = map[string]any{"gid": asanatest.Several, "email": "sam@globex.example", "workspaces": []any{
		map[string]any{"gid": asanatest.Acme, "name": "Acme"}, map[string]any{"gid": asanatest.Globex, "name": "Globex"}}}
	if !reflect.DeepEqual(got.data(), want) {
		t.Errorf("with opt_fields: got %s, want %v", got.text, want)
	}
	photo := k.get("/api/1.0/users/me?opt_fields=photo.image_128x128", k.PersonalAccessToken(asanatest.Member)).data()["photo"]
	if !reflect.DeepEqual(photo, map[string]any{"image_128x128": "https://photos.example/mia.png"}) {
		t.Errorf("photo: got %v, want only image_128x128", photo)
	}
	if got := k.get("/api/1.0/users/me?opt_pretty", tok.AccessToken); !strings.Contains(got.text, "\n  ") {
		t.Errorf("opt_pretty: got %s, want indented JSON", got.text)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	users := k.signIn(granular("users:read"), asanatest.Member).AccessToken
	both := k.signIn(granular("users:read", "workspaces:read"), asanatest.Member).AccessToken
	everything := k.signIn(full(), asanatest.Member).AccessToken
	pat := k.PersonalAccessToken(asanatest.Member)
	missing := "The following scopes must be present to fulfill this request: "
	membership := "/api/1.0/workspace_memberships/" + k.membershipGID(asanatest.Member, asanatest.Acme)
	for _, test := range []struct {
		path, bearer string
		status       int
		message      string
	}{
		{"/api/1.0/users/me", users, 200, ""},
		{"/api/1.0/workspaces", users, 403, missing + "workspaces:read"},
		{"/api/1.0/workspaces", both, 200, ""},
		{"/api/1.0/workspaces/" + asanatest.Acme, both, 200, ""},
		{"/api/1.0/users/me/workspace_memberships", both, 403, fullOnly},
		{"/api/1.0/workspaces/" + asanatest.Acme + "/workspace_memberships", both, 403, fullOnly},
		{membership, both, 403, fullOnly},
		{"/api/1.0/users/me/workspace_memberships", everything, 200, ""},
		{"/api/1.0/workspaces/" + asanatest.Acme + "/workspace_memberships", everything, 200, ""},
		{membership, everything, 200, ""},
		{membership, pat, 200, ""},
		{"/api/1.0/workspaces/" + asanatest.Acme + "/audit_log_events", everything, 403, "Only service accounts can access audit log events."},
		{"/api/1.0/workspaces/" + asanatest.Acme + "/audit_log_events", k.ServiceAccountToken(asanatest.ServiceAccount), 200, ""},
		{"/api/1.0/workspaces/" + asanatest.Globex, pat, 403, "workspace: You do not have access to this workspace"},
		{"/api/1.0/workspaces/1", pat, 404, "workspace: Unknown object: 1"},
		{"/api/1.0/workspaces/acme", pat, 400, "workspace: Not a recognized ID: acme"},
		{"/api/1.0/users/you", pat, 400, "user: Not a recognized ID: you"},
		{"/api/1.0/users/1", pat, 404, "user: Unknown object: 1"},
		{"/api/1.0/workspace_memberships/x", pat, 400, "workspace_membership: Not a recognized ID: x"},
		{"/api/1.0/workspace_memberships/1", pat, 404, "workspace_membership: Unknown object: 1"},
		{"/api/1.0/workspace_memberships/" + k.membershipGID(asanatest.Several, asanatest.Globex), pat, 403, "workspace_membership: You do not have access to this workspace_membership"},
		{"/api/1.0/nothing", pat, 404, "No matching route for request"},
	} {
		got := k.get(test.path, test.bearer)
		if got.status != test.status || got.errorMessage() != test.message {
			t.Errorf("%s: got %d %q, want %d %q", test.path, got.status, got.errorMessage(), test.status, test.message)
		}
	}
}

// A person can write in a workspace only if the token has the required scope, and if the
// person is not a view-only member of the workspace.
func TestViewOnlyWrites(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	write := func(bearer, body string) response {
		r := k.request(http.MethodPost, "/api/1.0/tasks", bearer, body)
		r.Header.Set("Content-Type", "application/json")
		return k.do(r)
	}
	task := func(workspace string) string { return `{"data":{"name":"Buy milk","workspace":"` + workspace + `"}}` }
	sam := k.PersonalAccessToken(asanatest.Several)
	got := write(sam, task(asanatest.Acme))
	if got.status != 403 || got.errorMessage() != "You cannot perform write actions as a view only license member." {
		t.Errorf("view only: got %d %s, want 403", got.status, got.text)
	}
	got = write(sam, task(asanatest.Globex))
	if got.status != 201 || got.data()["name"] != "Buy milk" || !strings.HasPrefix(got.header.Get("Location"), "/api/1.0/tasks/") {
		t.Errorf("full member: got %d %s, want 201", got.status, got.text)
	}
	if got := write(k.signIn(granular("tasks:read"), asanatest.Member).AccessToken, task(asanatest.Acme)); got.status != 403 || !strings.HasSuffix(got.errorMessage(), "tasks:write") {
		t.Errorf("with tasks:read: got %d %s, want 403", got.status, got.text)
	}
	if got := write(k.signIn(granular("tasks:write"), asanatest.Member).AccessToken, task(asanatest.Acme)); got.status != 201 {
		t.Errorf("with tasks:write: got %d %s, want 201", got.status, got.text)
	}
	for body, want := range map[string]string{`{`: "Could not parse request data, invalid JSON", `{"data":{}}`: "workspace: Missing input"} {
		if got := write(sam, body); got.status != 400 || got.errorMessage() != want {
			t.Errorf("%s: got %d %s, want 400", body, got.status, got.text)
		}
	}
}

// The API sends CORS headers, and the OAuth endpoints do not.
func TestHeaders(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	got := k.get("/api/1.0/users/me", "")
	for name, want := range map[string]string{"Content-Type": "application/json; charset=UTF-8", "X-Asana-Api-Version": "1.1", "X-Frame-Options": "DENY",
		"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*", "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload"} {
		if got.header.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, got.header.Get(name), want)
		}
	}
	preflight := k.do(k.request(http.MethodOptions, "/api/1.0/users/me", "", ""))
	if preflight.status != 204 || !strings.Contains(preflight.header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: got %d %v, want 204", preflight.status, preflight.header)
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/openid_connect/jwks", "/openid_connect/userinfo", "/nothing"} {
		if got := k.get("/api/1.0"+path, ""); got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: got %v", path, got.header)
		}
	}
	for _, path := range []string{"/-/oauth_token", "/-/oauth_revoke"} {
		if got := k.post(path); got.header.Get("Access-Control-Allow-Origin") != "" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %v", path, got.header)
		}
	}
}
