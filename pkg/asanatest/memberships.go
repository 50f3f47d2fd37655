package asanatest

import "net/http"

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
		if include(m) && (!m.Inactive || c.asana.state.Switches.ListInactiveMemberships) {
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
	people := c.asana.people
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
	for i := range c.asana.people {
		p := &c.asana.people[i]
		for _, m := range p.Memberships {
			switch {
			case m.GID != gid:
				continue
			case m.Workspace.GID == c.asana.state.Switches.BlockedWorkspace:
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
