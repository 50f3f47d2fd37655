package asanatest_test

import (
	"fmt"
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

var apiCases = map[string]switchCase{
	"membership_full_permissions_only": {func(s *switches) { s.MembershipFullPermissionsOnly = false }, func(k *kit) string {
		tok := k.signIn(granular("users:read", "workspaces:read"), asanatest.Member).AccessToken
		return fmt.Sprint(k.get("/api/1.0/users/me/workspace_memberships", tok).status, k.get("/api/1.0/workspaces/"+asanatest.Acme+"/audit_log_events", tok).errorMessage() == fullOnly)
	}, "403 true", "200 true"},
	"membership_status": {func(s *switches) { s.MembershipStatus = 451 }, func(k *kit) string {
		pat := k.PersonalAccessToken(asanatest.Member)
		return fmt.Sprint(k.get("/api/1.0/users/me/workspace_memberships", pat).status, k.get("/api/1.0/workspaces", pat).status)
	}, "200 200", "451 200"},
	"odd_membership": {func(s *switches) { s.OddMembership = "null" }, func(k *kit) string {
		pat := k.PersonalAccessToken(asanatest.Several)
		first := func() string {
			m, _ := k.get("/api/1.0/users/me/workspace_memberships?opt_fields=user,workspace,is_view_only", pat).list()[0].(map[string]any)
			user, _ := m["user"].(map[string]any)
			return fmt.Sprintf("%v %v %v %v", m != nil, m["workspace"] != nil, user["gid"] == asanatest.Several, m["is_view_only"])
		}
		all := first()
		for _, odd := range []string{"no_workspace", "wrong_flags", "other_user"} {
			k.set(func(s *switches) { s.OddMembership = odd })
			all += ", " + first()
		}
		return all
	}, "true true true true, true false true true, true true true false, true true false true",
		"false false false <nil>, true false true true, true true true false, true true false true"},
	"list_inactive_memberships": {func(s *switches) { s.ListInactiveMemberships = true }, func(k *kit) string {
		got := k.get("/api/1.0/workspaces/"+asanatest.Acme+"/workspace_memberships?opt_fields=is_active&user="+asanatest.Deactivated, k.PersonalAccessToken(asanatest.Admin))
		for _, m := range got.list() {
			return fmt.Sprint(m.(map[string]any)["is_active"])
		}
		return "absent"
	}, "absent", "false"},
	"hidden_record_status": {func(s *switches) { s.HiddenRecordStatus = 404 }, func(k *kit) string {
		pat := k.PersonalAccessToken(asanatest.Member)
		return fmt.Sprint(k.get("/api/1.0/workspaces/"+asanatest.Globex, pat).status)
	}, "403", "404"},
	"view_only_error_code": {func(s *switches) { s.ViewOnlyErrorCode = "top" }, func(k *kit) string {
		write := func() string {
			r := k.request(http.MethodPost, "/api/1.0/tasks", k.PersonalAccessToken(asanatest.ViewOnly), `{"data":{"workspace":"`+asanatest.Acme+`"}}`)
			r.Header.Set("Content-Type", "application/json")
			got := k.do(r).json
			return fmt.Sprint(got["error"], " ", got["errors"].([]any)[0].(map[string]any)["error"])
		}
		first := write()
		k.set(func(s *switches) { s.ViewOnlyErrorCode = "absent" })
		return first + ", " + write()
	}, "<nil> view_only_api_access_failure, <nil> <nil>", "view_only_api_access_failure <nil>, <nil> <nil>"},
	"blocked_workspace": {func(s *switches) { s.BlockedWorkspace = asanatest.Acme }, func(k *kit) string {
		pat := k.PersonalAccessToken(asanatest.Several)
		record := k.get("/api/1.0/workspace_memberships/"+newKit(k.T).membershipGID(asanatest.Admin, asanatest.Acme), pat).status
		return fmt.Sprint(record, len(k.get("/api/1.0/workspaces", pat).list()), k.get("/api/1.0/workspaces/"+asanatest.Acme, pat).status, len(k.memberships(pat)))
	}, "200 2 200 2", "401 1 401 1"},
	"service_account_email": {func(s *switches) { s.ServiceAccountEmail = "null" }, func(k *kit) string {
		look := func() string {
			email, there := k.get("/api/1.0/users/me", k.ServiceAccountToken(asanatest.ServiceAccount)).data()["email"]
			return fmt.Sprint(there, " ", email)
		}
		first := look()
		k.set(func(s *switches) { s.ServiceAccountEmail = "present" })
		return first + ", " + look()
	}, "false <nil>, true reporting@acme.example", "true <nil>, true reporting@acme.example"},
	"service_account_only_status": {func(s *switches) { s.ServiceAccountOnlyStatus = 402 }, func(k *kit) string {
		return fmt.Sprint(k.get("/api/1.0/workspaces/"+asanatest.Acme+"/audit_log_events", k.PersonalAccessToken(asanatest.Admin)).status)
	}, "403", "402"},
	"www_authenticate": {func(s *switches) { s.WWWAuthenticate = true }, func(k *kit) string {
		return k.get("/api/1.0/users/me", "").header.Get("WWW-Authenticate")
	}, "", `Bearer realm="Asana"`},
}
