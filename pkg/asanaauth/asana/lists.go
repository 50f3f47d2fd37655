package asana

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Workspace is a workspace or an organization in Asana. Name is at most 1 KiB, and "" if
// Asana sent no name or a longer one. In Name, U+FFFD replaces each control character.
type Workspace struct{ GID, Name string }

// Workspaces returns all workspaces that the token can access. Workspaces makes one
// request, GET /workspaces, for each page of 100 workspaces. It leaves out an entry that
// is not a workspace with a gid. If the list is too long, or none of its entries is a
// workspace, Workspaces returns an error.
//
// Every error is an [*Error]. The Code is [MissingScope] if the token has granular scopes
// but lacks workspaces:read.
func (c *Client) Workspaces(ctx context.Context, access secret.String) ([]Workspace, error) {
	const op = "workspaces"
	list, err := c.list(ctx, op, "/workspaces", "name", access)
	if err != nil {
		return nil, err
	}
	all := make([]Workspace, 0, len(list))
	for _, entry := range list {
		if w := workspaceOf(entry); w.GID != "" {
			all = append(all, w)
		}
	}
	// An empty list would look like a user without workspaces.
	if len(all) == 0 && len(list) > 0 {
		return nil, badResponse(op, "no workspace has a gid")
	}
	return all, nil
}

// Member is the user to whom a [Membership] belongs.
type Member struct {
	GID  string
	Name secret.String // at most 1 KiB; zero if Asana sent none
}

// Membership is a user's membership in one workspace. Active, Admin, Guest and ViewOnly
// come from the JSON fields is_active, is_admin, is_guest and is_view_only. A flag is nil
// if Asana sent neither true nor false. Do not treat nil as false.
type Membership struct {
	GID                            string // "" if Asana sent no valid gid
	Workspace                      Workspace
	User                           Member
	Active, Admin, Guest, ViewOnly *bool
}

const membershipFields = "user,user.name,workspace,workspace.name,is_active,is_admin,is_guest,is_view_only"

// Memberships returns a user's memberships in all workspaces that the token can access.
// userGID is the user's gid, or "me" for the user on whose behalf the token acts.
// Memberships makes one request, GET /users/{user_gid}/workspace_memberships, for each
// page of 100 memberships. It leaves out an entry that has no workspace or no user, or
// that belongs to a different user. If the list is too long, Memberships returns an error.
//
// Every error is an [*Error]. If the token has granular scopes, the Status is 403 and the
// Code is [FullPermissionsRequired], because such tokens cannot use this endpoint.
func (c *Client) Memberships(ctx context.Context, access secret.String, userGID string) ([]Membership, error) {
	const op = "workspace_memberships"
	if !IsGID(userGID) && userGID != "me" {
		return nil, notSent(op, "the user's gid is malformed")
	}
	list, err := c.list(ctx, op, "/users/"+userGID+"/workspace_memberships", membershipFields, access)
	if err != nil {
		return nil, err
	}
	all := make([]Membership, 0, len(list))
	for _, entry := range list {
		m := membershipOf(entry)
		if m.Workspace.GID != "" && m.User.GID != "" && (userGID == "me" || m.User.GID == userGID) {
			all = append(all, m)
		}
	}
	return all, nil
}

// membershipOf converts an entry of a list. A part of the entry that is malformed is zero
// in the result.
func membershipOf(entry any) Membership {
	m, _ := entry.(map[string]any)
	user, _ := m["user"].(map[string]any)
	return Membership{
		GID: gidOf(m), Workspace: workspaceOf(m["workspace"]), User: Member{gidOf(user), personalText(user["name"])},
		Active: flagOf(m["is_active"]), Admin: flagOf(m["is_admin"]), Guest: flagOf(m["is_guest"]), ViewOnly: flagOf(m["is_view_only"]),
	}
}

func workspaceOf(entry any) Workspace {
	m, _ := entry.(map[string]any)
	return Workspace{gidOf(m), personalText(m["name"]).Reveal()}
}

func flagOf(v any) *bool {
	if flag, ok := v.(bool); ok {
		return &flag
	}
	return nil
}

// Limits of a list. Asana's own lists are much smaller. A list is at most 4 MiB, so that a
// response with all entries is smaller than the 6 MB that Lambda allows.
const (
	pageSize  = 100 // the largest page size that Asana accepts
	maxPages  = 50
	maxItems  = pageSize * maxPages
	listLimit = 4 << 20 // bytes of all entries
)

// list fetches every page of a list (https://developers.asana.com/docs/pagination). To
// find the next page, list reads the field "offset" of the object "next_page". It ignores
// the field "uri", because that URL could name a host that is not Asana's. The limits
// apply to the whole list, not to a page.
func (c *Client) list(ctx context.Context, op, path, fields string, access secret.String) ([]any, error) {
	q := url.Values{"opt_fields": {fields}, "limit": {strconv.Itoa(pageSize)}}
	seen := make(map[string]bool)
	var all []any
	size := 0
	for range maxPages {
		var page struct {
			Data []json.RawMessage `json:"data"`
			Next *struct {
				Offset string `json:"offset"`
			} `json:"next_page"`
		}
		if err := c.get(ctx, op, c.base+apiPath+path+"?"+q.Encode(), access, &page); err != nil {
			return nil, err
		}
		if page.Data == nil {
			return nil, badResponse(op, "the response has no data")
		}
		if len(all)+len(page.Data) > maxItems {
			return nil, badResponse(op, "the list is too long")
		}
		for _, raw := range page.Data {
			size += len(raw)
			var entry any
			json.Unmarshal(raw, &entry) // never fails, because get has checked the JSON
			all = append(all, entry)
		}
		switch {
		case size > listLimit:
			return nil, badResponse(op, "the list is too large")
		case page.Next == nil || page.Next.Offset == "":
			return all, nil
		case seen[page.Next.Offset] || len(page.Next.Offset) > 4<<10:
			return nil, badResponse(op, "the list does not end")
		}
		seen[page.Next.Offset] = true
		q.Set("offset", page.Next.Offset)
	}
	return nil, badResponse(op, "the list does not end")
}
