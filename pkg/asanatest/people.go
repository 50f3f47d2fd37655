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

// The default people and workspaces. All gids are made up.
const (
	Acme   = "1100000000000001" // an organization
	Globex = "1100000000000002" // another one

	Member         = "1200000000000001" // full member of Acme
	Guest          = "1200000000000002" // guest of Acme
	Admin          = "1200000000000003" // admin of Acme
	ViewOnly       = "1200000000000004" // view only licence in Acme
	Deactivated    = "1200000000000005" // deactivated in Acme, still a member of Globex
	Several        = "1200000000000006" // view only in Acme, full member of Globex
	Bot            = "1200000000000007" // an ordinary user that acts through a personal access token
	ServiceAccount = "1200000000000008" // of Acme; not a person, cannot sign in
)

// Person is an Asana user, or a service account. GID is a string of digits.
type Person struct {
	GID, Name, Email string
	Picture          string // URL of a photo; may be empty
	Memberships      []Membership
	Gone             bool // the account is deleted: 401 from the API, invalid_grant for a refresh, cannot sign in
	ServiceAccount   bool // acts only with a token, which has full permissions
}

// Workspace is an Asana workspace or organization.
type Workspace struct {
	GID, Name string
}

// Membership is a person's place in a workspace.
type Membership struct {
	GID       string // if empty, derived from person and workspace
	Workspace Workspace
	Admin     bool
	Guest     bool
	ViewOnly  bool
	Inactive  bool      // deactivated there
	CreatedAt time.Time // if zero, a fixed day
}

// DefaultPeople returns one person of every kind, the full member first.
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

// UpdatePerson changes a person, for example their licence or their name. The
// change is not saved in the state file. UpdatePerson returns an error if the
// gid is unknown. The gid cannot be changed.
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

// directory holds the registered apps and the people.
type directory struct {
	apps   []App
	people []Person
}

// complete fills in what people may leave out. It returns an error if an id is
// wrong or used twice.
func (d *directory) complete() error {
	ids := map[string]bool{}
	for _, app := range d.apps {
		if ids[app.ClientID] || app.ClientID == "" {
			return fmt.Errorf("client id %q is empty or used twice", app.ClientID)
		}
		ids[app.ClientID] = true
	}
	for i := range d.people {
		p := &d.people[i]
		if ids[p.GID] || !isGID(p.GID) {
			return fmt.Errorf("gid %q is not one, or used twice", p.GID)
		}
		ids[p.GID] = true
		p.complete()
	}
	return nil
}

// app returns the app with a client id, or nil.
func (d *directory) app(clientID string) *App {
	i := slices.IndexFunc(d.apps, func(app App) bool { return app.ClientID == clientID })
	if i < 0 {
		return nil
	}
	return &d.apps[i]
}

// person returns the person with a gid, or nil.
func (d *directory) person(gid string) *Person {
	i := slices.IndexFunc(d.people, func(p Person) bool { return p.GID == gid })
	if i < 0 {
		return nil
	}
	return &d.people[i]
}

// complete fills in what a person may leave out.
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

// onlyViews reports whether a person is view only in all their workspaces.
func (p *Person) onlyViews() bool {
	return len(p.Memberships) > 0 && !slices.ContainsFunc(p.Memberships, func(m Membership) bool { return !m.ViewOnly && !m.Inactive })
}

// standing returns what a person is in their workspaces, for the pages.
func (p Person) standing() string {
	var words []string
	for _, m := range p.Memberships {
		words = append(words, m.standing())
	}
	switch {
	case p.Gone:
		return "account is gone"
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

// derivedGID makes a stable gid of 16 digits out of parts.
func derivedGID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return strconv.FormatUint(1e15+binary.BigEndian.Uint64(sum[:8])%9e15, 10)
}

// isGID reports whether s has the form of a gid.
func isGID(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
