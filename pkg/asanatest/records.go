package asanatest

import (
	"encoding/json"
	"net/http"
	"strings"
)

func (c *call) user() (any, *apiError) {
	p, failure := c.findUser(c.PathValue("user"))
	if failure != nil {
		return nil, failure
	}
	return c.selected(c.userRecord(p), "resource_type", "name", "email", "photo", "workspaces"), nil
}

func (c *call) userRecord(p *Person) object {
	record := object{"gid": p.GID, "resource_type": "user", "name": p.Name, "email": p.Email, "photo": photo(p.Picture), "custom_fields": []object{}}
	if p.ServiceAccount {
		switch c.memory.Switches.ServiceAccountEmail {
		case "absent":
			delete(record, "email")
		case "null":
			record["email"] = nil
		}
	}
	workspaces := []object{}
	for _, m := range p.Memberships {
		if c.canSee(m.Workspace.GID) {
			workspaces = append(workspaces, workspaceRecord(m.Workspace))
		}
	}
	record["workspaces"] = workspaces
	return record
}

func photo(picture string) any {
	if picture == "" {
		return nil
	}
	sizes := object{}
	for _, size := range []string{"21x21", "27x27", "36x36", "60x60", "128x128", "1024x1024"} {
		sizes["image_"+size] = picture
	}
	return sizes
}

func workspaceRecord(w Workspace) object {
	return object{"gid": w.GID, "resource_type": "workspace", "name": w.Name, "is_organization": true,
		"email_domains": []string{strings.ToLower(w.Name) + ".example"}}
}

func (c *call) workspaces() (any, *apiError) {
	var list []object
	for _, m := range c.person.Memberships {
		if c.canSee(m.Workspace.GID) {
			list = append(list, c.selected(workspaceRecord(m.Workspace), "resource_type", "name"))
		}
	}
	return c.pageOf(list)
}

func (c *call) workspace() (any, *apiError) {
	w, failure := c.findWorkspace(c.PathValue("workspace"))
	if failure != nil {
		return nil, failure
	}
	return c.selected(workspaceRecord(w), "resource_type", "name", "email_domains", "is_organization"), nil
}

// auditLog serves the audit log, which is always empty. Tests use the endpoint to check
// which tokens may read the audit log.
func (c *call) auditLog() (any, *apiError) {
	if _, failure := c.findWorkspace(c.PathValue("workspace")); failure != nil {
		return nil, failure
	}
	if c.token.Kind != serviceAccount {
		return nil, fail(c.memory.Switches.ServiceAccountOnlyStatus, "Only service accounts can access audit log events.")
	}
	return page{items: []object{}, paged: true}, nil
}

// createTask responds like Asana but does not store the task. Tests use this endpoint to
// check whether a token and its user's license allow writes.
func (c *call) createTask() (any, *apiError) {
	var body struct {
		Data struct{ Name, Workspace string }
	}
	if strings.HasPrefix(c.Header.Get("Content-Type"), "application/json") {
		if err := json.NewDecoder(c.Body).Decode(&body); err != nil {
			return nil, fail(http.StatusBadRequest, "Could not parse request data, invalid JSON")
		}
	} else {
		body.Data.Name, body.Data.Workspace = c.PostForm.Get("name"), c.PostForm.Get("workspace")
	}
	if body.Data.Workspace == "" {
		return nil, fail(http.StatusBadRequest, "workspace: Missing input")
	}
	w, failure := c.findWorkspace(body.Data.Workspace)
	if failure != nil {
		return nil, failure
	}
	if m := c.person.membership(w.GID); m.ViewOnly {
		failure := fail(http.StatusForbidden, "You cannot perform write actions as a view only license member.")
		failure.code = "view_only_api_access_failure"
		return nil, failure
	}
	gid := derivedGID("task", randomHex(8))
	task := object{"gid": gid, "resource_type": "task", "resource_subtype": "default_task", "name": body.Data.Name, "workspace": workspaceRecord(w)}
	return created{"/tasks/" + gid, c.selected(task, "resource_type", "resource_subtype", "name", "workspace")}, nil
}
