package asanatest

import (
	"net/http"
	"slices"
	"strings"
)

// reaches says whether the caller can see a workspace: an active member who is
// not blocked there.
func (c *call) reaches(workspace string) bool {
	m := c.person.membership(workspace)
	s := c.api.memory.Switches
	return m != nil && (!m.Inactive || s.ListInactiveMemberships) && s.BlockedWorkspace != workspace
}

// shares says whether the caller and p are in some workspace together.
func (c *call) shares(p *Person) bool {
	return p.GID == c.person.GID || slices.ContainsFunc(p.Memberships, func(m Membership) bool { return c.reaches(m.Workspace.GID) })
}

func (c *call) hidden(what string) *apiError {
	if c.api.memory.Switches.HiddenRecordStatus == http.StatusNotFound {
		return fail(http.StatusNotFound, "%s: Unknown object", what)
	}
	return fail(http.StatusForbidden, "%s: You do not have access to this %s", what, what)
}

// findUser resolves me, an email or a gid.
func (c *call) findUser(id string) (*Person, *apiError) {
	if id == "me" {
		return c.person, nil
	}
	for i := range c.api.directory.people {
		p := &c.api.directory.people[i]
		if p.GID == id || strings.Contains(id, "@") && strings.EqualFold(p.Email, id) {
			if !c.shares(p) {
				return nil, c.hidden("user")
			}
			return p, nil
		}
	}
	if !isGID(id) && !strings.Contains(id, "@") {
		return nil, fail(http.StatusBadRequest, "user: Not a recognized ID: %s", id)
	}
	return nil, fail(http.StatusNotFound, "user: Unknown object: %s", id)
}

// findWorkspace resolves a gid to a workspace that the caller reaches.
func (c *call) findWorkspace(gid string) (Workspace, *apiError) {
	if !isGID(gid) {
		return Workspace{}, fail(http.StatusBadRequest, "workspace: Not a recognized ID: %s", gid)
	}
	for _, p := range c.api.directory.people {
		m := p.membership(gid)
		switch {
		case m == nil:
			continue
		case gid == c.api.memory.Switches.BlockedWorkspace && c.person.membership(gid) != nil:
			return Workspace{}, &apiError{status: http.StatusUnauthorized, message: notAuthorized}
		case !c.reaches(gid):
			return Workspace{}, c.hidden("workspace")
		}
		return m.Workspace, nil
	}
	return Workspace{}, fail(http.StatusNotFound, "workspace: Unknown object: %s", gid)
}

func membershipRecord(p *Person, m Membership) object {
	user := object{"gid": p.GID, "resource_type": "user", "name": p.Name, "email": p.Email}
	workspace := workspaceRecord(m.Workspace)
	return object{
		"gid": m.GID, "resource_type": "workspace_membership", "user": user, "workspace": workspace,
		"user_task_list": object{"gid": derivedGID("task list", m.GID), "resource_type": "user_task_list",
			"name": "My tasks in " + m.Workspace.Name, "owner": user, "workspace": workspace},
		"is_active": !m.Inactive, "is_admin": m.Admin, "is_guest": m.Guest, "is_view_only": m.ViewOnly,
		"vacation_dates": nil, "created_at": m.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z"),
	}
}

// membershipList is compact: flags come only where opt_fields names them.
// Inactive memberships are left out, as seen live, unless the switch says so.
func (c *call) membershipList(p *Person, list []object, include func(Membership) bool) []object {
	for _, m := range p.Memberships {
		if include(m) && (!m.Inactive || c.api.memory.Switches.ListInactiveMemberships) {
			list = append(list, c.selected(membershipRecord(p, m), "resource_type", "user", "workspace"))
		}
	}
	return list
}

func (c *call) workspaceMemberships() (any, *apiError) {
	w, failure := c.findWorkspace(c.PathValue("workspace"))
	if failure != nil {
		return nil, failure
	}
	people := c.api.directory.people
	if c.URL.Query().Has("user") {
		p, failure := c.findUser(c.URL.Query().Get("user"))
		if failure != nil {
			return nil, failure
		}
		people = []Person{*p}
	}
	var list []object
	for i := range people {
		list = c.membershipList(&people[i], list, func(m Membership) bool { return m.Workspace.GID == w.GID })
	}
	return c.pageOf(list)
}

func (c *call) userMemberships() (any, *apiError) {
	p, failure := c.findUser(c.PathValue("user"))
	if failure != nil {
		return nil, failure
	}
	return c.pageOf(c.membershipList(p, nil, func(m Membership) bool { return c.reaches(m.Workspace.GID) }))
}

// membership is the full record. A person reads their own even where they are
// deactivated: it is how is_active is seen to be false.
func (c *call) membership() (any, *apiError) {
	gid := c.PathValue("membership")
	if !isGID(gid) {
		return nil, fail(http.StatusBadRequest, "workspace_membership: Not a recognized ID: %s", gid)
	}
	for i := range c.api.directory.people {
		p := &c.api.directory.people[i]
		for _, m := range p.Memberships {
			switch {
			case m.GID != gid:
				continue
			case m.Workspace.GID == c.api.memory.Switches.BlockedWorkspace:
				return nil, &apiError{status: http.StatusUnauthorized, message: notAuthorized}
			case !c.reaches(m.Workspace.GID) && p.GID != c.person.GID:
				return nil, c.hidden("workspace_membership")
			}
			return c.selected(membershipRecord(p, m), "resource_type", "user", "workspace", "user_task_list",
				"is_active", "is_admin", "is_guest", "is_view_only", "vacation_dates", "created_at"), nil
		}
	}
	return nil, fail(http.StatusNotFound, "workspace_membership: Unknown object: %s", gid)
}
