package main_test

import (
	"net/http"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// membership is the schema Membership in docs/openapi.yaml.
type membership struct {
	Workspace struct{ GID, Name string }
	User      struct {
		GID  string
		Name *string
	}
	IsActive   *bool `json:"is_active"`
	IsAdmin    *bool `json:"is_admin"`
	IsGuest    *bool `json:"is_guest"`
	IsViewOnly *bool `json:"is_view_only"`
	CanWrite   *bool `json:"can_write"`
	Unknown    map[string]string
	AskedWith  string `json:"asked_with"`
	CheckedAt  string `json:"checked_at"`
}

func word(flag *bool) string {
	switch {
	case flag == nil:
		return "unknown"
	case *flag:
		return "yes"
	}
	return "no"
}

// TestBackendMembership uses a token with full permissions. With such a token, the
// service can find out every property of a membership.
func TestBackendMembership(t *testing.T) {
	t.Parallel()
	withEachHeader(t, func(t *testing.T, s *backend) {
		path := "/connections/" + s.connect("acme", asanatest.Several).ID + "/membership"
		var all struct{ Data []membership }
		s.get(http.StatusOK, &all, "GET", path, "")
		if len(all.Data) != 2 {
			t.Fatalf("got %d memberships, want 2: %+v", len(all.Data), all)
		}
		var in membership
		for _, test := range []struct{ workspace, user, viewOnly, canWrite string }{
			{asanatest.Acme, "", "yes", "no"},
			{asanatest.Globex, "", "no", "yes"},
			{asanatest.Acme, asanatest.Several, "yes", "no"},
			{asanatest.Acme, asanatest.Admin, "no", "yes"}, // not the connection's own user
		} {
			query := "?owner=acme&workspace=" + test.workspace
			if test.user != "" {
				query += "&user=" + test.user
			}
			s.get(http.StatusOK, &in, "GET", path+query, "")
			if in.Workspace.GID != test.workspace || word(in.IsViewOnly) != test.viewOnly || word(in.CanWrite) != test.canWrite || in.AskedWith != "connection" || in.CheckedAt == "" {
				t.Errorf("%s: got %+v, want view only %s, can write %s", query, in, test.viewOnly, test.canWrite)
			}
			if test.user != "" && in.User.GID != test.user {
				t.Errorf("%s: got user %s, want %s", query, in.User.GID, test.user)
			}
		}
		for _, query := range []string{"?workspace=acme", "?workspace=", "?user=me", "?workspace=1&workspace=2", "?workspace=" + asanatest.Acme + "&user=me"} {
			s.wantProblem(400, "invalid-request", "GET", path+query, "")
		}
		s.wantProblem(404, "not-found", "GET", path+"?workspace=1100000000000009", "")
		s.wantProblem(404, "not-found", "GET", path+"?owner=globex", "")
	})
}

var granularScopes = []string{"ASANA_SCOPES=users:read workspaces:read tasks:read"}

// TestReader checks that membership requests use the token of the workspace's reader,
// because the person's own token cannot read the license.
func TestReader(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), granularScopes)
	s := newBackend(p, bearer(p.backendKey()))
	person := s.connect("acme", asanatest.ViewOnly)
	path := "/connections/" + person.ID + "/membership?workspace=" + asanatest.Acme
	var before, after membership
	s.get(http.StatusOK, &before, "GET", path, "")
	if word(before.IsViewOnly) != "unknown" || word(before.CanWrite) != "unknown" || before.Unknown["is_view_only"] != "full-permissions-required" || before.Unknown["can_write"] != "full-permissions-required" || before.AskedWith != "connection" {
		t.Errorf("without a reader: got %+v, want unknown flags", before)
	}
	account, bot := s.importToken("reports", asanatest.ServiceAccount), s.importToken("reports", asanatest.Bot)
	of := object("reader_of", `["`+asanatest.Acme+`"]`)
	s.wantProblem(409, "not-allowed-for-kind", "PATCH", "/connections/"+bot.ID, of)
	s.wantProblem(404, "not-found", "PATCH", "/connections/"+account.ID+"?owner=acme", of)
	s.wantProblem(404, "not-found", "PATCH", "/connections/"+account.ID, object("reader_of", `["`+asanatest.Globex+`"]`))
	s.wantProblem(400, "invalid-request", "PATCH", "/connections/"+account.ID, object("reader_of", `["acme"]`))
	s.wantProblem(400, "invalid-request", "PATCH", "/connections/"+account.ID, "{}")
	s.get(http.StatusOK, &account, "PATCH", "/connections/"+account.ID+"?owner=reports", of)
	if len(account.ReaderOf) != 1 || account.ReaderOf[0] != asanatest.Acme {
		t.Errorf("got reader_of %q, want %s", account.ReaderOf, asanatest.Acme)
	}
	s.get(http.StatusOK, &after, "GET", path, "")
	if word(after.IsViewOnly) != "yes" || word(after.CanWrite) != "no" || after.AskedWith != "reader" {
		t.Errorf("with a reader: got %+v, want view only", after)
	}
	// Check that a request for the membership of a different user does not use the
	// reader's token.
	var of2 membership
	s.get(http.StatusOK, &of2, "GET", path+"&user="+asanatest.Admin, "")
	if of2.AskedWith == "reader" || word(of2.IsAdmin) != "unknown" {
		t.Errorf("another user: got %+v, want it without the reader", of2)
	}
	s.get(http.StatusOK, &account, "PATCH", "/connections/"+account.ID, object("reader_of", "[]"))
	s.get(http.StatusOK, &after, "GET", path, "")
	if after.AskedWith == "reader" {
		t.Errorf("after removing the reader: got %+v, want it without the reader", after)
	}
}

// capabilities is the schema Capabilities in docs/openapi.yaml.
type capabilities struct {
	Active         *bool
	Kind           string
	AttributedTo   *struct{ GID string } `json:"attributed_to"`
	ScopeRequested *string               `json:"scope_requested"`
	ScopeGranted   *string               `json:"scope_granted"`
	ScopeMissing   *string               `json:"scope_missing"`
	Workspaces     []membership
	Unknown        map[string]string
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), granularScopes)
	s := newSigningBackend(p, p.backendKey(), p.value("backend-secret"))
	for _, test := range []struct {
		c         connection
		user      string
		requested string
		canWrite  string
	}{
		{s.connect("acme", asanatest.ViewOnly), asanatest.ViewOnly, "users:read workspaces:read tasks:read", "unknown"},
		{s.importToken("acme", asanatest.Bot), asanatest.Bot, "", "yes"},
		{s.importToken("acme", asanatest.ServiceAccount), asanatest.ServiceAccount, "", "yes"},
	} {
		var can capabilities
		s.get(http.StatusOK, &can, "GET", "/connections/"+test.c.ID+"/capabilities?owner=acme", "")
		if can.Kind != test.c.Kind || word(can.Active) != "yes" || can.AttributedTo == nil || can.AttributedTo.GID != test.user {
			t.Errorf("%s: got %+v, want it active for user %s", test.c.Kind, can, test.user)
		}
		if requested := can.ScopeRequested; (test.requested == "") != (requested == nil || *requested == "") || test.requested != "" && *requested != test.requested {
			t.Errorf("%s: got scope_requested %v, want %q", test.c.Kind, requested, test.requested)
		}
		if test.requested != "" && (can.ScopeGranted == nil || *can.ScopeMissing != "") {
			t.Errorf("%s: got scope_granted %v, scope_missing %v; want none missing", test.c.Kind, can.ScopeGranted, can.ScopeMissing)
		}
		if len(can.Workspaces) != 1 || word(can.Workspaces[0].CanWrite) != test.canWrite {
			t.Errorf("%s: got workspaces %+v, want one, can write %s", test.c.Kind, can.Workspaces, test.canWrite)
		}
		s.wantProblem(404, "not-found", "GET", "/connections/"+test.c.ID+"/capabilities?owner=globex", "")
	}
	s.wantProblem(404, "not-found", "GET", "/connections/con_unknown/capabilities", "")
}
