package asanatest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
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
		t.Errorf("no token: %d %s", got.status, got.text)
	}
	for name, bearer := range map[string]string{"unknown": "nothing", "refresh token": tok.RefreshToken} {
		if got := k.get("/api/1.0/users/me", bearer); got.status != 401 || got.errorMessage() != "Not Authorized" {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
	}
	k.clock.Add(3599e9)
	if got := k.get("/api/1.0/users/me", tok.AccessToken); got.status != 200 {
		t.Errorf("in the last second: %d", got.status)
	}
	k.clock.Add(1e9)
	got := k.get("/api/1.0/users/me", tok.AccessToken)
	if got.status != 401 || got.errorMessage() != expired || !strings.Contains(got.text, helpText) {
		t.Errorf("expired: %d %s", got.status, got.text)
	}
}

// TestUserRecord checks the full record, and a record with opt_fields.
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
			t.Errorf("users/%s: %s", id, got.text)
		}
	}
	got := k.get("/api/1.0/users/me?opt_fields=email,workspaces.name,nothing", tok.AccessToken)
	want = map[string]any{"gid": asanatest.Several, "email": "sam@globex.example", "workspaces": []any{
		map[string]any{"gid": asanatest.Acme, "name": "Acme"}, map[string]any{"gid": asanatest.Globex, "name": "Globex"}}}
	if !reflect.DeepEqual(got.data(), want) {
		t.Errorf("with opt_fields: %s", got.text)
	}
	photo := k.get("/api/1.0/users/me?opt_fields=photo.image_128x128", k.PersonalAccessToken(asanatest.Member)).data()["photo"]
	if !reflect.DeepEqual(photo, map[string]any{"image_128x128": "https://photos.example/mia.png"}) {
		t.Errorf("photo is %v", photo)
	}
	if got := k.get("/api/1.0/users/me?opt_pretty", tok.AccessToken); !strings.Contains(got.text, "\n  ") {
		t.Errorf("opt_pretty: %s", got.text)
	}
}

// TestScopes checks which endpoints a granular token may call, and the error
// messages.
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
			t.Errorf("%s: %d %q, want %d %q", test.path, got.status, got.errorMessage(), test.status, test.message)
		}
	}
}

// membershipGID returns the gid of a membership, which it gets from the API.
func (k *kit) membershipGID(person, workspace string) string {
	k.Helper()
	for _, m := range k.memberships(k.PersonalAccessToken(person)) {
		if m["workspace"].(map[string]any)["gid"] == workspace {
			return m["gid"].(string)
		}
	}
	k.Fatalf("%s is not in %s", person, workspace)
	return ""
}

func (k *kit) memberships(bearer string) (list []map[string]any) {
	k.Helper()
	for _, m := range k.get("/api/1.0/users/me/workspace_memberships", bearer).list() {
		list = append(list, m.(map[string]any))
	}
	return list
}

// TestMemberships checks that lists are compact, that opt_fields adds flags, that
// a single record has all fields, and the flags of the default people.
func TestMemberships(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	pat := k.PersonalAccessToken(asanatest.Admin)
	compact := k.get("/api/1.0/workspaces/"+asanatest.Acme+"/workspace_memberships", pat)
	first := compact.list()[0].(map[string]any)
	if keys := slices.Sorted(func(yield func(string) bool) {
		for key := range first {
			if !yield(key) {
				return
			}
		}
	}); !slices.Equal(keys, []string{"gid", "resource_type", "user", "workspace"}) || compact.json["next_page"] != nil {
		t.Errorf("compact record has %v", keys)
	}
	flags := "is_active,is_admin,is_guest,is_view_only"
	for gid, want := range map[string]string{
		asanatest.Member: "true false false false", asanatest.Guest: "true false true false", asanatest.Admin: "true true false false",
		asanatest.ViewOnly: "true false false true", asanatest.Several: "true false false true",
	} {
		list := k.get("/api/1.0/workspaces/"+asanatest.Acme+"/workspace_memberships?user="+gid+"&opt_fields="+flags, pat).list()
		if len(list) != 1 {
			t.Fatalf("%s: %v", gid, list)
		}
		m := list[0].(map[string]any)
		if got := fmt.Sprint(m["is_active"], m["is_admin"], m["is_guest"], m["is_view_only"]); got != want || len(m) != 5 {
			t.Errorf("%s is %s (%v), want %s", gid, got, m, want)
		}
	}
	record := k.get("/api/1.0/workspace_memberships/"+k.membershipGID(asanatest.ViewOnly, asanatest.Acme), pat).data()
	if record["is_view_only"] != true || record["created_at"] != "2026-05-15T13:12:35.328Z" || record["user_task_list"] == nil {
		t.Errorf("full record: %v", record)
	}
	if got := k.get("/api/1.0/workspaces/"+asanatest.Acme+"/workspace_memberships?user="+asanatest.Deactivated, pat); len(got.list()) != 0 {
		t.Errorf("a deactivated member is listed: %s", got.text)
	}
	nested := k.get("/api/1.0/users/me/workspace_memberships?opt_fields=user.email,user.name,workspace", pat).list()[0].(map[string]any)
	if !reflect.DeepEqual(nested["user"], map[string]any{"gid": asanatest.Admin, "email": "ada@acme.example", "name": "Ada Admin"}) ||
		!reflect.DeepEqual(nested["workspace"], map[string]any{"gid": asanatest.Acme, "resource_type": "workspace", "name": "Acme"}) {
		t.Errorf("nested fields: %v", nested)
	}
	departed := k.memberships(k.PersonalAccessToken(asanatest.Deactivated))
	if len(departed) != 1 || departed[0]["workspace"].(map[string]any)["gid"] != asanatest.Globex {
		t.Errorf("who is deactivated in Acme sees %v", departed)
	}
}

// TestVisibility checks that deactivated people do not see the workspace, and
// that people without a common workspace do not see each other.
func TestVisibility(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	dan := k.PersonalAccessToken(asanatest.Deactivated)
	for _, path := range []string{"/api/1.0/workspaces", "/api/1.0/users/me?opt_fields=workspaces"} {
		if got := k.get(path, dan); strings.Contains(got.text, asanatest.Acme) || !strings.Contains(got.text, asanatest.Globex) {
			t.Errorf("%s: %s", path, got.text)
		}
	}
	if got := k.get("/api/1.0/workspaces/"+asanatest.Acme, dan); got.status != 403 {
		t.Errorf("his former workspace: %d %s", got.status, got.text)
	}
	mia := k.PersonalAccessToken(asanatest.Member)
	if got := k.get("/api/1.0/users/"+asanatest.Several, mia); got.status != 200 {
		t.Errorf("a colleague: %d %s", got.status, got.text)
	}
	k.UpdatePerson(asanatest.Several, func(p *asanatest.Person) { p.Memberships = p.Memberships[1:] })
	if got := k.get("/api/1.0/users/"+asanatest.Several, mia); got.status != 403 {
		t.Errorf("a stranger: %d %s", got.status, got.text)
	}
}

// TestPaging walks a list page by page.
func TestPaging(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	pat := k.PersonalAccessToken(asanatest.Admin)
	path := "/workspaces/" + asanatest.Acme + "/workspace_memberships?limit=2&opt_fields=is_guest"
	var gids []any
	for pages := 0; path != "" && pages < 10; pages++ {
		got := k.get("/api/1.0"+path, pat)
		if got.status != 200 || len(got.list()) > 2 {
			t.Fatalf("%s: %d %s", path, got.status, got.text)
		}
		for _, m := range got.list() {
			gids = append(gids, m.(map[string]any)["gid"])
		}
		next, ok := got.json["next_page"]
		if !ok {
			t.Fatal("no next_page though a limit was given")
		}
		path = ""
		if next, ok := next.(map[string]any); ok {
			path = next["path"].(string)
			if next["uri"] != base+"/api/1.0"+path {
				t.Errorf("uri is %v", next["uri"])
			}
		}
	}
	if len(gids) != 7 || len(slices.CompactFunc(gids, func(a, b any) bool { return a == b })) != 7 {
		t.Errorf("got %v, want the seven active memberships of Acme", gids)
	}
	all := k.get("/api/1.0/workspaces/"+asanatest.Acme+"/workspace_memberships?limit=7", pat)
	if next, there := all.json["next_page"]; !there || next != nil || len(all.list()) != 7 {
		t.Errorf("a page that holds all: %s", all.text)
	}
	for _, query := range []string{"limit=0", "limit=101", "limit=x", "limit=2&offset=x", "offset=x"} {
		if got := k.get("/api/1.0/workspaces?"+query, pat); got.status != 400 {
			t.Errorf("%s: %d %s", query, got.status, got.text)
		}
	}
	other := k.get("/api/1.0/workspaces/"+asanatest.Acme+"/workspace_memberships?limit=1", pat).json["next_page"].(map[string]any)["offset"].(string)
	if got := k.get("/api/1.0/workspaces?limit=1&offset="+url.QueryEscape(other), pat); got.status != 400 {
		t.Errorf("another list's offset: %d %s", got.status, got.text)
	}
}

// TestViewOnlyWrites checks that a view only member cannot write in the
// workspace in which they are view only, but in others.
func TestViewOnlyWrites(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	write := func(bearer, body string) answer {
		r := k.request(http.MethodPost, "/api/1.0/tasks", bearer, body)
		r.Header.Set("Content-Type", "application/json")
		return k.do(r)
	}
	task := func(workspace string) string { return `{"data":{"name":"Buy milk","workspace":"` + workspace + `"}}` }
	sam := k.PersonalAccessToken(asanatest.Several)
	got := write(sam, task(asanatest.Acme))
	if got.status != 403 || got.errorMessage() != "You cannot perform write actions as a view only license member." {
		t.Errorf("view only: %d %s", got.status, got.text)
	}
	got = write(sam, task(asanatest.Globex))
	if got.status != 201 || got.data()["name"] != "Buy milk" || !strings.HasPrefix(got.header.Get("Location"), "/api/1.0/tasks/") {
		t.Errorf("full member: %d %s", got.status, got.text)
	}
	if got := write(k.signIn(granular("tasks:read"), asanatest.Member).AccessToken, task(asanatest.Acme)); got.status != 403 || !strings.HasSuffix(got.errorMessage(), "tasks:write") {
		t.Errorf("write does not come with read: %d %s", got.status, got.text)
	}
	if got := write(k.signIn(granular("tasks:write"), asanatest.Member).AccessToken, task(asanatest.Acme)); got.status != 201 {
		t.Errorf("with tasks:write: %d %s", got.status, got.text)
	}
	for body, want := range map[string]string{`{`: "Could not parse request data, invalid JSON", `{"data":{}}`: "workspace: Missing input"} {
		if got := write(sam, body); got.status != 400 || got.errorMessage() != want {
			t.Errorf("%s: %d %s", body, got.status, got.text)
		}
	}
}

// TestHeaders checks the headers of the API, and that only the API has CORS
// headers.
func TestHeaders(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	got := k.get("/api/1.0/users/me", "")
	for name, want := range map[string]string{"Content-Type": "application/json; charset=UTF-8", "X-Asana-Api-Version": "1.1", "X-Frame-Options": "DENY",
		"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*", "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload"} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.header.Get(name), want)
		}
	}
	preflight := k.do(k.request(http.MethodOptions, "/api/1.0/users/me", "", ""))
	if preflight.status != 204 || !strings.Contains(preflight.header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: %d %v", preflight.status, preflight.header)
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/openid_connect/jwks", "/openid_connect/userinfo", "/nothing"} {
		if got := k.get("/api/1.0"+path, ""); got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %v", path, got.header)
		}
	}
	for _, path := range []string{"/-/oauth_token", "/-/oauth_revoke"} {
		if got := k.post(path); got.header.Get("Access-Control-Allow-Origin") != "" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, got.header)
		}
	}
}
