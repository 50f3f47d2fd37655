package asanatest

import (
	"net/http"
	"slices"
	"strings"
)

// viewer is the person who calls the API. The methods of viewer find only records that
// the person can see.
type viewer struct {
	memory    *memory
	directory *directory
	person    *Person
}

// Only active members can see a workspace, and only if the workspace does not block the
// app. If the switch list_inactive_memberships is set, a deactivated member can see the
// workspace too.
func (v *viewer) canSee(workspace string) bool {
	m := v.person.membership(workspace)
	s := v.memory.Switches
	return m != nil && (!m.Inactive || s.ListInactiveMemberships) && s.BlockedWorkspace != workspace
}

func (v *viewer) shares(p *Person) bool {
	return p.GID == v.person.GID || slices.ContainsFunc(p.Memberships, func(m Membership) bool { return v.canSee(m.Workspace.GID) })
}

func (v *viewer) hiddenError(what string) *apiError {
	if v.memory.Switches.HiddenRecordStatus == http.StatusNotFound {
		return fail(http.StatusNotFound, "%s: Unknown object", what)
	}
	return fail(http.StatusForbidden, "%s: You do not have access to this %s", what, what)
}

// The parameter id is a gid, an email address, or "me" for the viewer.
func (v *viewer) findUser(id string) (*Person, *apiError) {
	if id == "me" {
		return v.person, nil
	}
	for i := range v.directory.people {
		p := &v.directory.people[i]
		if p.GID == id || strings.Contains(id, "@") && strings.EqualFold(p.Email, id) {
			if !v.shares(p) {
				return nil, v.hiddenError("user")
			}
			return p, nil
		}
	}
	if !isGID(id) && !strings.Contains(id, "@") {
		return nil, fail(http.StatusBadRequest, "user: Not a recognized ID: %s", id)
	}
	return nil, fail(http.StatusNotFound, "user: Unknown object: %s", id)
}

func (v *viewer) findWorkspace(gid string) (Workspace, *apiError) {
	if !isGID(gid) {
		return Workspace{}, fail(http.StatusBadRequest, "workspace: Not a recognized ID: %s", gid)
	}
	for _, p := range v.directory.people {
		m := p.membership(gid)
		switch {
		case m == nil:
			continue
		case gid == v.memory.Switches.BlockedWorkspace && v.person.membership(gid) != nil:
			return Workspace{}, &apiError{status: http.StatusUnauthorized, message: notAuthorized}
		case !v.canSee(gid):
			return Workspace{}, v.hiddenError("workspace")
		}
		return m.Workspace, nil
	}
	return Workspace{}, fail(http.StatusNotFound, "workspace: Unknown object: %s", gid)
}

// People can read their own membership even if they are deactivated in the workspace.
func (v *viewer) findMembership(gid string) (*Person, Membership, *apiError) {
	if !isGID(gid) {
		return nil, Membership{}, fail(http.StatusBadRequest, "workspace_membership: Not a recognized ID: %s", gid)
	}
	for i := range v.directory.people {
		p := &v.directory.people[i]
		for _, m := range p.Memberships {
			switch {
			case m.GID != gid:
				continue
			case m.Workspace.GID == v.memory.Switches.BlockedWorkspace:
				return nil, m, &apiError{status: http.StatusUnauthorized, message: notAuthorized}
			case !v.canSee(m.Workspace.GID) && p.GID != v.person.GID:
				return nil, m, v.hiddenError("workspace_membership")
			}
			return p, m, nil
		}
	}
	return nil, Membership{}, fail(http.StatusNotFound, "workspace_membership: Unknown object: %s", gid)
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

// The records are compact: a record contains a flag such as is_guest only if opt_fields
// lists the flag. Like the real Asana, membershipList omits inactive memberships. If the
// switch list_inactive_memberships is set, membershipList includes inactive memberships.
func (c *call) membershipList(p *Person, list []object, include func(Membership) bool) []object {
	for _, m := range p.Memberships {
		if include(m) && (!m.Inactive || c.memory.Switches.ListInactiveMemberships) {
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
	people := c.directory.people
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
	list := c.membershipList(p, nil, func(m Membership) bool { return c.canSee(m.Workspace.GID) })
	if len(list) > 0 {
		list[0] = c.memory.Switches.spoilMembership(list[0])
	}
	return c.pageOf(list)
}

// spoilMembership returns record with the defect that the switch odd_membership selects.
func (s Switches) spoilMembership(record object) object {
	switch s.OddMembership {
	case "null":
		return nil
	case "no_workspace":
		delete(record, "workspace")
	case "wrong_flags":
		record["is_active"], record["is_admin"], record["is_guest"], record["is_view_only"] = 1, "false", []int{}, "false"
	case "other_user":
		record["user"] = object{"gid": "1299999999999999", "resource_type": "user", "name": "Someone Else"}
	}
	return record
}

// Unlike the records in lists, a single membership contains all fields.
func (c *call) membership() (any, *apiError) {
	p, m, failure := c.findMembership(c.PathValue("membership"))
	if failure != nil {
		return nil, failure
	}
	return c.selected(membershipRecord(p, m), "resource_type", "user", "workspace", "user_task_list",
		"is_active", "is_admin", "is_guest", "is_view_only", "vacation_dates", "created_at"), nil
}
