package asana

import (
	"context"
	"net/url"
	"strconv"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// UserInfo is who a token belongs to, as OpenID Connect tells it.
type UserInfo struct {
	User    User   // its GID is the subject where that is a gid, else ""
	Subject string // as it was told: 1 to 255 printable characters
}

// UserInfo asks whose token it is, OpenID Connect Core section 5.3; the token needs
// the scope openid.
func (c *Client) UserInfo(ctx context.Context, access secret.String) (UserInfo, error) {
	const op = "userinfo"
	var m map[string]any
	if err := c.get(ctx, op, c.base+apiPath+"/openid_connect/userinfo", access, &m); err != nil {
		return UserInfo{}, err
	}
	sub, ok := subjectOf(m["sub"])
	if !ok {
		return UserInfo{}, nonsense(op, "sub is missing or malformed")
	}
	u := person(m)
	u.GID = ""
	if IsGID(sub) {
		u.GID = sub
	}
	return UserInfo{User: u, Subject: sub}, nil
}

// subjectOf is a sub claim: a string of at most 255 characters, as OpenID Connect
// Core section 2 has it.
func subjectOf(v any) (string, bool) {
	s, ok := v.(string)
	return s, ok && s != "" && len(s) <= 255 && printable(s)
}

// Me asks whose token it is, of any kind: GET /users/me. The answer has a gid.
func (c *Client) Me(ctx context.Context, access secret.String) (User, error) {
	const op = "users/me"
	var v struct {
		Data map[string]any `json:"data"`
	}
	if err := c.get(ctx, op, c.base+apiPath+"/users/me?opt_fields=name,email,photo", access, &v); err != nil {
		return User{}, err
	}
	u := person(v.Data)
	if u.GID == "" {
		return User{}, nonsense(op, "the user has no gid")
	}
	return u, nil
}

// Workspace is one that a token reaches.
type Workspace struct{ GID, Name string }

// Workspaces lists those that a token reaches: GET /workspaces, all pages.
func (c *Client) Workspaces(ctx context.Context, access secret.String) ([]Workspace, error) {
	const op = "workspaces"
	list, err := pages[compact](ctx, c, op, "/workspaces", "name", access)
	if err != nil {
		return nil, err
	}
	all := make([]Workspace, 0, len(list))
	for _, w := range list {
		if !IsGID(w.GID) {
			return nil, nonsense(op, "a workspace has no gid")
		}
		all = append(all, Workspace(w))
	}
	return all, nil
}

// Member is the person of a membership.
type Member struct {
	GID  string
	Name secret.String
}

// Membership is what Asana says of a person in a workspace. Lists are compact: a
// flag that Asana did not report is nil, which is not false.
type Membership struct {
	GID                            string // "" where not told
	Workspace                      Workspace
	User                           Member
	Active, Admin, Guest, ViewOnly *bool
}

const membershipFields = "user,user.name,workspace,workspace.name,is_active,is_admin,is_guest,is_view_only"

// Memberships lists a user's memberships in the workspaces that the token reaches,
// all pages: GET /users/{user_gid}/workspace_memberships. userGID is a gid or "me".
// No granular scope opens this: such a token gets an [Error] with status 403 and
// [FullPermissionsRequired]. An answer about somebody else is refused.
func (c *Client) Memberships(ctx context.Context, access secret.String, userGID string) ([]Membership, error) {
	const op = "workspace_memberships"
	if !IsGID(userGID) && userGID != "me" {
		return nil, refused(op, "the user's gid is malformed")
	}
	list, err := pages[membership](ctx, c, op, "/users/"+userGID+"/workspace_memberships", membershipFields, access)
	if err != nil {
		return nil, err
	}
	all := make([]Membership, 0, len(list))
	for _, m := range list {
		if !IsGID(m.Workspace.GID) || !IsGID(m.User.GID) {
			return nil, nonsense(op, "a membership has no user or no workspace")
		}
		if userGID != "me" && m.User.GID != userGID {
			return nil, nonsense(op, "a membership is somebody else's")
		}
		all = append(all, m.exported())
	}
	return all, nil
}

// compact is how the API writes what is only mentioned.
type compact struct {
	GID  string `json:"gid"`
	Name string `json:"name"`
}

type membership struct {
	GID       string  `json:"gid"`
	User      compact `json:"user"`
	Workspace compact `json:"workspace"`
	Active    *bool   `json:"is_active"`
	Admin     *bool   `json:"is_admin"`
	Guest     *bool   `json:"is_guest"`
	ViewOnly  *bool   `json:"is_view_only"`
}

func (m membership) exported() Membership {
	if !IsGID(m.GID) {
		m.GID = ""
	}
	return Membership{
		GID: m.GID, Workspace: Workspace(m.Workspace), User: Member{m.User.GID, personal(m.User.Name)},
		Active: m.Active, Admin: m.Admin, Guest: m.Guest, ViewOnly: m.ViewOnly,
	}
}

const (
	pageSize  = 100 // the most that Asana takes
	mostPages = 50  // a person in 5000 workspaces is an endless answer
	mostItems = pageSize * mostPages
)

// pages asks for every page of a list, https://developers.asana.com/docs/pagination.
// Only the offset is taken from an answer: its "uri" could lead anywhere.
func pages[T any](ctx context.Context, c *Client, op, path, fields string, access secret.String) ([]T, error) {
	q := url.Values{"opt_fields": {fields}, "limit": {strconv.Itoa(pageSize)}}
	seen := make(map[string]bool)
	var all []T
	for range mostPages {
		var page struct {
			Data []T `json:"data"`
			Next *struct {
				Offset string `json:"offset"`
			} `json:"next_page"`
		}
		if err := c.get(ctx, op, c.base+apiPath+path+"?"+q.Encode(), access, &page); err != nil {
			return nil, err
		}
		if page.Data == nil {
			return nil, nonsense(op, "the answer has no data")
		}
		all = append(all, page.Data...)
		if page.Next == nil || page.Next.Offset == "" {
			return all, nil
		}
		if seen[page.Next.Offset] || len(page.Next.Offset) > 4<<10 || len(all) > mostItems {
			break
		}
		seen[page.Next.Offset] = true
		q.Set("offset", page.Next.Offset)
	}
	return nil, nonsense(op, "the list does not end")
}
