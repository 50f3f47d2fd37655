package main_test

import (
	"net/http"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// membership is the JSON of a membership, as docs/openapi.yaml has it.
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

// word is a flag in a word.
func word(flag *bool) string {
	switch {
	case flag == nil:
		return "unknown"
	case *flag:
		return "yes"
	}
	return "no"
}

// TestBackendMembership asks for licences of a token with full permissions.
func TestBackendMembership(t *testing.T) {
	t.Parallel()
	asEach(t, func(t *testing.T, s *backend) {
		path := "/connections/" + s.connects("acme", asanatest.Several).ID + "/membership"
		var all struct{ Data []membership }
		s.get(http.StatusOK, &all, "GET", path, "")
		if len(all.Data) != 2 {
			t.Fatalf("%d workspaces: %+v", len(all.Data), all)
		}
		var in membership
		for _, test := range []struct{ workspace, user, viewOnly, canWrite string }{
			{asanatest.Acme, "", "yes", "no"},
			{asanatest.Globex, "", "no", "yes"},
			{asanatest.Acme, asanatest.Several, "yes", "no"},
			{asanatest.Acme, asanatest.Admin, "no", "yes"}, // of others as far as Asana tells this token
		} {
			query := "?owner=acme&workspace=" + test.workspace
			if test.user != "" {
				query += "&user=" + test.user
			}
			s.get(http.StatusOK, &in, "GET", path+query, "")
			if in.Workspace.GID != test.workspace || word(in.IsViewOnly) != test.viewOnly || word(in.CanWrite) != test.canWrite || in.AskedWith != "connection" || in.CheckedAt == "" {
				t.Errorf("%s: %+v", query, in)
			}
			if test.user != "" && in.User.GID != test.user {
				t.Errorf("%s: it is of %s", query, in.User.GID)
			}
		}
		for _, query := range []string{"?workspace=acme", "?workspace=", "?user=me", "?workspace=1&workspace=2", "?workspace=" + asanatest.Acme + "&user=me"} {
			s.refused(400, "invalid-request", "GET", path+query, "")
		}
		s.refused(404, "not-found", "GET", path+"?workspace=1100000000000009", "")
		s.refused(404, "not-found", "GET", path+"?owner=globex", "")
	})
}

// granularScopes are those of an app without full permissions.
var granularScopes = []string{"ASANA_SCOPES=users:read workspaces:read tasks:read"}

// TestReader asks with a service account where the person's own token may not.
func TestReader(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), granularScopes)
	s := newBackend(p, bearer(p.backendKey()))
	person := s.connects("acme", asanatest.ViewOnly)
	path := "/connections/" + person.ID + "/membership?workspace=" + asanatest.Acme
	var before, after membership
	s.get(http.StatusOK, &before, "GET", path, "")
	if word(before.IsViewOnly) != "unknown" || word(before.CanWrite) != "unknown" || before.Unknown["is_view_only"] != "full-permissions-required" || before.Unknown["can_write"] != "full-permissions-required" || before.AskedWith != "connection" {
		t.Errorf("without a reader: %+v", before)
	}
	account, bot := s.imports("reports", asanatest.ServiceAccount), s.imports("reports", asanatest.Bot)
	of := object("reader_of", `["`+asanatest.Acme+`"]`)
	s.refused(409, "not-allowed-for-kind", "PATCH", "/connections/"+bot.ID, of)
	s.refused(404, "not-found", "PATCH", "/connections/"+account.ID+"?owner=acme", of)
	s.refused(404, "not-found", "PATCH", "/connections/"+account.ID, object("reader_of", `["`+asanatest.Globex+`"]`))
	s.refused(400, "invalid-request", "PATCH", "/connections/"+account.ID, object("reader_of", `["acme"]`))
	s.refused(400, "invalid-request", "PATCH", "/connections/"+account.ID, "{}")
	s.get(http.StatusOK, &account, "PATCH", "/connections/"+account.ID+"?owner=reports", of)
	if len(account.ReaderOf) != 1 || account.ReaderOf[0] != asanatest.Acme {
		t.Errorf("it reads %q", account.ReaderOf)
	}
	s.get(http.StatusOK, &after, "GET", path, "")
	if word(after.IsViewOnly) != "yes" || word(after.CanWrite) != "no" || after.AskedWith != "reader" {
		t.Errorf("with a reader: %+v", after)
	}
	// It is asked about the connection's own user only.
	var of2 membership
	s.get(http.StatusOK, &of2, "GET", path+"&user="+asanatest.Admin, "")
	if of2.AskedWith == "reader" || word(of2.IsAdmin) != "unknown" {
		t.Errorf("of somebody else: %+v", of2)
	}
	s.get(http.StatusOK, &account, "PATCH", "/connections/"+account.ID, object("reader_of", "[]"))
	s.get(http.StatusOK, &after, "GET", path, "")
	if after.AskedWith == "reader" {
		t.Errorf("of a reader that was dismissed: %+v", after)
	}
}

// capabilities is the JSON of capabilities, as docs/openapi.yaml has it.
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

// TestCapabilities asks what each kind of credential can do.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), granularScopes)
	s := newBackend(p, sigv4(p.backendKey()))
	for _, test := range []struct {
		c         connection
		user      string
		requested string
		canWrite  string
	}{
		{s.connects("acme", asanatest.ViewOnly), asanatest.ViewOnly, "users:read workspaces:read tasks:read", "unknown"},
		{s.imports("acme", asanatest.Bot), asanatest.Bot, "", "yes"},
		{s.imports("acme", asanatest.ServiceAccount), asanatest.ServiceAccount, "", "yes"},
	} {
		var can capabilities
		s.get(http.StatusOK, &can, "GET", "/connections/"+test.c.ID+"/capabilities?owner=acme", "")
		if can.Kind != test.c.Kind || word(can.Active) != "yes" || can.AttributedTo == nil || can.AttributedTo.GID != test.user {
			t.Errorf("%s: %+v", test.c.Kind, can)
		}
		if requested := can.ScopeRequested; (test.requested == "") != (requested == nil || *requested == "") || test.requested != "" && *requested != test.requested {
			t.Errorf("%s: requested were %v", test.c.Kind, requested)
		}
		if test.requested != "" && (can.ScopeGranted == nil || *can.ScopeMissing != "") {
			t.Errorf("%s: granted %v, missing %v", test.c.Kind, can.ScopeGranted, can.ScopeMissing)
		}
		if len(can.Workspaces) != 1 || word(can.Workspaces[0].CanWrite) != test.canWrite {
			t.Errorf("%s: in its workspaces %+v", test.c.Kind, can.Workspaces)
		}
		s.refused(404, "not-found", "GET", "/connections/"+test.c.ID+"/capabilities?owner=globex", "")
	}
	s.refused(404, "not-found", "GET", "/connections/con_unknown/capabilities", "")
}
