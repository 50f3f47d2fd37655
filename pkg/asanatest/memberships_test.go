package asanatest_test

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func (k *kit) membershipGID(person, workspace string) string {
	k.Helper()
	for _, m := range k.memberships(k.PersonalAccessToken(person)) {
		if m["workspace"].(map[string]any)["gid"] == workspace {
			return m["gid"].(string)
		}
	}
	k.Fatalf("API returned no membership of %s in %s", person, workspace)
	return ""
}

func (k *kit) memberships(bearer string) (list []map[string]any) {
	k.Helper()
	for _, m := range k.get("/api/1.0/users/me/workspace_memberships", bearer).list() {
		list = append(list, m.(map[string]any))
	}
	return list
}

// Lists contain compact records, opt_fields adds flags, and a single record contains all
// fields.
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
		t.Errorf("compact record: got keys %v", keys)
	}
	flags := "is_active,is_admin,is_guest,is_view_only"
	for gid, want := range map[string]string{
		asanatest.Member: "true false false false", asanatest.Guest: "true false true false", asanatest.Admin: "true true false false",
		asanatest.ViewOnly: "true false false true", asanatest.Several: "true false false true",
	} {
		list := k.get("/api/1.0/workspaces/"+asanatest.Acme+"/workspace_memberships?user="+gid+"&opt_fields="+flags, pat).list()
		if len(list) != 1 {
			t.Fatalf("%s: got %v, want one membership", gid, list)
		}
		m := list[0].(map[string]any)
		if got := fmt.Sprint(m["is_active"], m["is_admin"], m["is_guest"], m["is_view_only"]); got != want || len(m) != 5 {
			t.Errorf("%s: got %s (%v), want %s", gid, got, m, want)
		}
	}
	record := k.get("/api/1.0/workspace_memberships/"+k.membershipGID(asanatest.ViewOnly, asanatest.Acme), pat).data()
	if record["is_view_only"] != true || record["created_at"] != "2026-05-15T13:12:35.328Z" || record["user_task_list"] == nil {
		t.Errorf("full record: got %v", record)
	}
	if got := k.get("/api/1.0/workspaces/"+asanatest.Acme+"/workspace_memberships?user="+asanatest.Deactivated, pat); len(got.list()) != 0 {
		t.Errorf("deactivated member: got %s, want an empty list", got.text)
	}
	nested := k.get("/api/1.0/users/me/workspace_memberships?opt_fields=user.email,user.name,workspace", pat).list()[0].(map[string]any)
	if !reflect.DeepEqual(nested["user"], map[string]any{"gid": asanatest.Admin, "email": "ada@acme.example", "name": "Ada Admin"}) ||
		!reflect.DeepEqual(nested["workspace"], map[string]any{"gid": asanatest.Acme, "resource_type": "workspace", "name": "Acme"}) {
		t.Errorf("nested fields: got %v", nested)
	}
	departed := k.memberships(k.PersonalAccessToken(asanatest.Deactivated))
	if len(departed) != 1 || departed[0]["workspace"].(map[string]any)["gid"] != asanatest.Globex {
		t.Errorf("deactivated member of Acme: got %v, want only Globex", departed)
	}
}

// Deactivated people cannot see the workspace. People without a common workspace cannot
// see each other.
func TestVisibility(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	dan := k.PersonalAccessToken(asanatest.Deactivated)
	for _, path := range []string{"/api/1.0/workspaces", "/api/1.0/users/me?opt_fields=workspaces"} {
		if got := k.get(path, dan); strings.Contains(got.text, asanatest.Acme) || !strings.Contains(got.text, asanatest.Globex) {
			t.Errorf("%s: got %s", path, got.text)
		}
	}
	if got := k.get("/api/1.0/workspaces/"+asanatest.Acme, dan); got.status != 403 {
		t.Errorf("former workspace: got %d %s, want 403", got.status, got.text)
	}
	mia := k.PersonalAccessToken(asanatest.Member)
	if got := k.get("/api/1.0/users/"+asanatest.Several, mia); got.status != 200 {
		t.Errorf("a colleague: got %d %s, want 200", got.status, got.text)
	}
	k.UpdatePerson(asanatest.Several, func(p *asanatest.Person) { p.Memberships = p.Memberships[1:] })
	if got := k.get("/api/1.0/users/"+asanatest.Several, mia); got.status != 403 {
		t.Errorf("a stranger: got %d %s, want 403", got.status, got.text)
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	pat := k.PersonalAccessToken(asanatest.Admin)
	path := "/workspaces/" + asanatest.Acme + "/workspace_memberships?limit=2&opt_fields=is_guest"
	var gids []any
	for pages := 0; path != "" && pages < 10; pages++ {
		got := k.get("/api/1.0"+path, pat)
		if got.status != 200 || len(got.list()) > 2 {
			t.Fatalf("%s: got %d %s, want 200", path, got.status, got.text)
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
		t.Errorf("a page that holds all: got %s", all.text)
	}
	for _, query := range []string{"limit=0", "limit=101", "limit=x", "limit=2&offset=x", "offset=x"} {
		if got := k.get("/api/1.0/workspaces?"+query, pat); got.status != 400 {
			t.Errorf("%s: got %d %s, want 400", query, got.status, got.text)
		}
	}
	other := k.get("/api/1.0/workspaces/"+asanatest.Acme+"/workspace_memberships?limit=1", pat).json["next_page"].(map[string]any)["offset"].(string)
	if got := k.get("/api/1.0/workspaces?limit=1&offset="+url.QueryEscape(other), pat); got.status != 400 {
		t.Errorf("another list's offset: got %d %s, want 400", got.status, got.text)
	}
}
