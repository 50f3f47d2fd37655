package main_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/internal/awstest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestCommandsOnAWS uses local servers instead of the AWS APIs.
func TestCommandsOnAWS(t *testing.T) {
	t.Parallel()
	asana, deployed := newExternalAsana(t), awstest.New(t, "s")
	environ := append(deployed.Environ(), "ASANA_CLIENT_ID="+localClientID, "ASANA_BASE_URL="+asana.url)
	refresh, pat := asana.grant(asanatest.Member), asana.PersonalAccessToken(asanatest.Bot)
	lines := []string{fmt.Sprintf(`{"owner":"acme","refresh_token":%q}`, refresh)}
	for i := range 30 {
		lines = append(lines, fmt.Sprintf(`{"owner":"owner %d","token":%q,"kind":"personal_access_token"}`, i, pat))
	}
	file := importFile(t, lines...)
	for _, want := range []string{"imported", "already"} {
		out, errs := wantOutcome(t, 0, environ, "import", file, "-parallel", "8")
		report := reportLines(t, out)
		if len(report) != len(lines) || !strings.Contains(errs, fmt.Sprintf(`"lines":31,%q:31`, want)) {
			t.Errorf("got %d report lines, stderr %s; want %d, all %s", len(report), errs, len(lines), want)
		}
	}

	out, _ := wantOutcome(t, 0, environ, "connections", "list", "-json")
	all := connectionLines(t, out)
	if len(all) != len(lines) {
		t.Fatalf("list: got %d connections, want %d", len(all), len(lines))
	}
	human := all[slices.IndexFunc(all, func(c connectionLine) bool { return *c.Owner == "acme" })].ID
	shown, _ := wantOutcome(t, 0, environ, "connections", "show", human)
	ended, _ := wantOutcome(t, 0, environ, "connections", "disconnect", human)
	if !strings.Contains(shown, `"gid": "`+asanatest.Member+`"`) || !strings.Contains(ended, `"revoked_at_asana":true`) {
		t.Errorf("show: %s; disconnect: %s", shown, ended)
	}
	if strings.Contains(out+shown+ended, refresh) || strings.Contains(out+shown+ended, pat) {
		t.Error("a token was printed")
	}

	_, errs := wantOutcome(t, 1, append(environ, "TABLE_NAME=another"), "connections", "list")
	if !strings.Contains(errs, "the table in TABLE_NAME does not exist in this region") {
		t.Errorf("missing table: got stderr %s, want ResourceNotFoundException", errs)
	}
}
