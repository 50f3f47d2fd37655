package membership_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func mustMembers(p *authtest.Process, cookie secret.String) []membership.Membership {
	p.Installation.T.Helper()
	list, err := p.Members(cookie)
	if err != nil {
		p.Installation.T.Fatalf("List() = %v", err)
	}
	return list
}

func can(p *authtest.Process, id string) (membership.Capabilities, error) {
	return p.Memberships.Capabilities(p.Installation.T.Context(), p.Open(id))
}

// flags shows each flag as y, as n, or as the reason why the flag is unknown.
func flags(m membership.Membership) string {
	one := func(f membership.Flag) string {
		switch {
		case !f.Known && f.Unknown == "":
			return "unknown without a reason"
		case !f.Known && f.Value:
			return "unknown and yes"
		case !f.Known:
			return f.Unknown
		case f.Unknown != "":
			return "known with a reason"
		case f.Value:
			return "y"
		}
		return "n"
	}
	return fmt.Sprintf("%s: active %s, admin %s, guest %s, view only %s, can write %s", m.Workspace.Name,
		one(m.Active), one(m.Admin), one(m.Guest), one(m.ViewOnly), one(m.CanWrite()))
}

// allUnknown returns the result of flags for a membership whose flags are all unknown for
// the same reason.
func allUnknown(workspace, why string) string {
	return fmt.Sprintf("%s: active %s, admin %s, guest %s, view only %s, can write %s", workspace, why, why, why, why, why)
}

// granular returns an installation whose app has only granular scopes, which do not give
// access to the membership endpoints.
func granular(t *testing.T) (*authtest.Installation, *authtest.Process) {
	inst := authtest.New(t)
	inst.App(func(a *asanatest.App) { a.Scopes = []string{"users:read", "workspaces:read"} })
	return inst, inst.Process(func(s *authtest.Settings) { s.Scopes = "users:read workspaces:read" })
}

func importReader(p *authtest.Process, owner string, workspaces ...string) string {
	p.Installation.T.Helper()
	d, _ := p.ImportToken(owner, asanatest.ServiceAccount)
	setReader(p, d.ID, workspaces...)
	return d.ID
}

// setReader makes a service account the reader of workspaces, even if they have a reader
// that belongs to a different owner.
func setReader(p *authtest.Process, id string, workspaces ...string) {
	p.Installation.T.Helper()
	d, err := p.Memberships.SetReaderOf(context.Background(), p.Open(id), workspaces, true)
	if err != nil || strings.Join(d.ReaderOf, " ") != strings.Join(workspaces, " ") {
		p.Installation.T.Fatalf("SetReaderOf() = %v, %v", d.ReaderOf, err)
	}
}

// pointers returns the connection IDs of the readers of Acme and Globex. The keys of the
// map are the gids of the workspaces.
func pointers(inst *authtest.Installation) map[string]string {
	inst.T.Helper()
	got := map[string]string{}
	for _, row := range inst.Rows.All() {
		if r, ok := row.(*store.Reader); ok {
			for _, gid := range []string{asanatest.Acme, asanatest.Globex} {
				if r.Workspace == store.HashText(gid) {
					got[gid] = r.Connection
				}
			}
		}
	}
	return got
}

// addToWorkspaces adds the service account to workspaces. Before the call, it is a member
// of Acme only.
func addToWorkspaces(inst *authtest.Installation, workspaces ...asanatest.Workspace) {
	inst.T.Helper()
	if err := inst.Asana.UpdatePerson(asanatest.ServiceAccount, func(p *asanatest.Person) {
		for _, w := range workspaces {
			p.Memberships = append(p.Memberships, asanatest.Membership{Workspace: w})
		}
	}); err != nil {
		inst.T.Fatal(err)
	}
}
