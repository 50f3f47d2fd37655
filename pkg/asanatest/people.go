package asanatest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Gids of the [DefaultPeople] and their workspaces.
const (
	Acme   = "1100000000000001" // an organization
	Globex = "1100000000000002" // another organization

	Member         = "1200000000000001" // full member of Acme
	Guest          = "1200000000000002" // guest of Acme
	Admin          = "1200000000000003" // admin of Acme
	ViewOnly       = "1200000000000004" // view-only license in Acme
	Deactivated    = "1200000000000005" // deactivated in Acme, guest of Globex
	Several        = "1200000000000006" // view only in Acme, full member of Globex
	Bot            = "1200000000000007" // guest of Acme; an ordinary user, meant for personal access tokens
	ServiceAccount = "1200000000000008" // service account of Acme; cannot sign in
)

// Person is an Asana user or a service account. The GID is a string of digits.
type Person struct {
	GID, Name, Email string
	Picture          string // URL of a photo; may be empty
	Memberships      []Membership
	Gone             bool // the account was deleted: sign-in fails, the API returns 401 and a refresh invalid_grant
	ServiceAccount   bool // cannot sign in; has only tokens with full permissions
}

// Workspace is an Asana workspace or organization.
type Workspace struct {
	GID, Name string
}

// Membership is a person's membership in a workspace. If no flag is set, the person is a
// full member.
type Membership struct {
	GID       string // by default derived from person and workspace
	Workspace Workspace
	Admin     bool
	Guest     bool
	ViewOnly  bool
	Inactive  bool      // deactivated in the workspace
	CreatedAt time.Time // by default a fixed time
}

// DefaultPeople returns people with different roles, such as a guest and an admin. The
// first person is a full member.
func DefaultPeople() []Person {
	acme, globex := Workspace{Acme, "Acme"}, Workspace{Globex, "Globex"}
	in := func(m ...Membership) []Membership { return m }
	return []Person{
		{GID: Member, Name: "Mia Member", Email: "mia@acme.example", Picture: "https://photos.example/mia.png", Memberships: in(Membership{Workspace: acme})},
		{GID: Guest, Name: "Gus Guest", Email: "gus@partner.example", Memberships: in(Membership{Workspace: acme, Guest: true})},
		{GID: Admin, Name: "Ada Admin", Email: "ada@acme.example", Memberships: in(Membership{Workspace: acme, Admin: true})},
		{GID: ViewOnly, Name: "Vic Viewer", Email: "vic@acme.example", Memberships: in(Membership{Workspace: acme, ViewOnly: true})},
		{GID: Deactivated, Name: "Dan Departed", Email: "dan@acme.example", Memberships: in(Membership{Workspace: acme, Inactive: true}, Membership{Workspace: globex, Guest: true})},
		{GID: Several, Name: "Sam Several", Email: "sam@globex.example", Memberships: in(Membership{Workspace: acme, ViewOnly: true}, Membership{Workspace: globex})},
		{GID: Bot, Name: "Build Bot", Email: "bot@acme.example", Memberships: in(Membership{Workspace: acme, Guest: true})},
		{GID: ServiceAccount, Name: "Acme Reporting", Email: "reporting@acme.example", ServiceAccount: true, Memberships: in(Membership{Workspace: acme})},
	}
}

// UpdatePerson calls change to modify the person with the given gid. The function change
// can, for example, set another name or another license. The function cannot change the
// gid, and must not call methods of a. A restart undoes the change, because the state
// file does not contain people. UpdatePerson returns an error if the gid is unknown.
func (a *Asana) UpdatePerson(gid string, change func(*Person)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.directory.person(gid)
	if p == nil {
		return fmt.Errorf("asanatest: no person %q", gid)
	}
	change(p)
	p.GID = gid
	p.complete()
	return nil
}

type directory struct {
	apps   []App
	people []Person
}

// complete checks the apps and people, and sets fields that have defaults. It returns an
// error if a client ID or gid is malformed or used twice.
func (d *directory) complete() error {
	ids := map[string]bool{}
	for _, app := range d.apps {
		if ids[app.ClientID] || app.ClientID == "" {
			return fmt.Errorf("client ID %q is empty or used twice", app.ClientID)
		}
		ids[app.ClientID] = true
	}
	for i := range d.people {
		p := &d.people[i]
		if ids[p.GID] || !isGID(p.GID) {
			return fmt.Errorf("gid %q is malformed or used twice", p.GID)
		}
		ids[p.GID] = true
		p.complete()
	}
	return nil
}

func (d *directory) app(clientID string) *App {
	i := slices.IndexFunc(d.apps, func(app App) bool { return app.ClientID == clientID })
	if i < 0 {
		return nil
	}
	return &d.apps[i]
}

func (d *directory) person(gid string) *Person {
	i := slices.IndexFunc(d.people, func(p Person) bool { return p.GID == gid })
	if i < 0 {
		return nil
	}
	return &d.people[i]
}

func (p *Person) complete() {
	p.Memberships = slices.Clone(p.Memberships)
	for i := range p.Memberships {
		m := &p.Memberships[i]
		if m.GID == "" {
			m.GID = derivedGID("membership", p.GID, m.Workspace.GID)
		}
		if m.CreatedAt.IsZero() {
			m.CreatedAt = time.Date(2026, 5, 15, 13, 12, 35, 328e6, time.UTC)
		}
	}
}

func (p *Person) membership(workspace string) *Membership {
	i := slices.IndexFunc(p.Memberships, func(m Membership) bool { return m.Workspace.GID == workspace })
	if i < 0 {
		return nil
	}
	return &p.Memberships[i]
}

func (p *Person) onlyViews() bool {
	return len(p.Memberships) > 0 && !slices.ContainsFunc(p.Memberships, func(m Membership) bool { return !m.ViewOnly && !m.Inactive })
}

// standing returns a description of the person's memberships for the pages, such as
// "guest of Acme".
func (p Person) standing() string {
	var words []string
	for _, m := range p.Memberships {
		words = append(words, m.standing())
	}
	switch {
	case p.Gone:
		return "account was deleted"
	case len(words) == 0:
		return "in no workspace"
	case p.ServiceAccount:
		return "service account of " + p.Memberships[0].Workspace.Name
	}
	return strings.Join(words, ", ")
}

func (m Membership) standing() string {
	switch {
	case m.Inactive:
		return "deactivated in " + m.Workspace.Name
	case m.ViewOnly:
		return "view only in " + m.Workspace.Name
	case m.Guest:
		return "guest of " + m.Workspace.Name
	case m.Admin:
		return "admin of " + m.Workspace.Name
	}
	return "full member of " + m.Workspace.Name
}

// For the same parts, derivedGID returns the same 16 digits after each restart.
func derivedGID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return strconv.FormatUint(1e15+binary.BigEndian.Uint64(sum[:8])%9e15, 10)
}

// Every gid is a string of digits.
func isGID(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
