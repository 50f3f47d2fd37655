package asana

import (
	"context"
	"net/url"
	"strconv"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// UserInfo is the response of Asana's UserInfo endpoint (OpenID Connect Core section
// 5.3.2).
type UserInfo struct {
	User    User   // GID is Subject if Subject is a gid, otherwise ""
	Subject string // sub: 1 to 255 printable ASCII characters
}

// UserInfo returns the user on whose behalf the access token acts (OpenID Connect Core
// section 5.3). The token must have the scope openid. UserInfo makes one request.
//
// Every error is an [*Error]. The Code is [MissingScope] if the token lacks the scope
// openid.
func (c *Client) UserInfo(ctx context.Context, access secret.String) (UserInfo, error) {
	const op = "userinfo"
	var m map[string]any
	if err := c.get(ctx, op, c.base+apiPath+"/openid_connect/userinfo", access, &m); err != nil {
		return UserInfo{}, err
	}
	sub, ok := subjectOf(m["sub"])
	if !ok {
		return UserInfo{}, badResponse(op, "sub is missing or malformed")
	}
	u := userOf(m)
	u.GID = ""
	if IsGID(sub) {
		u.GID = sub
	}
	return UserInfo{User: u, Subject: sub}, nil
}

// subjectOf returns v as a string, and reports whether v is a valid sub claim. A valid
// sub claim has 1 to 255 printable ASCII characters (OpenID Connect Core section 2).
func subjectOf(v any) (string, bool) {
	s, ok := v.(string)
	return s, ok && s != "" && len(s) <= 255 && printable(s)
}

// Me returns the user on whose behalf the token acts. Me accepts OAuth access tokens,
// personal access tokens and tokens of service accounts. Me makes one request, GET
// /users/me. The GID of the returned User is never empty.
//
// Every error is an [*Error].
func (c *Client) Me(ctx context.Context, access secret.String) (User, error) {
	const op = "users/me"
	var v struct {
		Data map[string]any `json:"data"`
	}
	if err := c.get(ctx, op, c.base+apiPath+"/users/me?opt_fields=name,email,photo", access, &v); err != nil {
		return User{}, err
	}
	u := userOf(v.Data)
	if u.GID == "" {
		return User{}, badResponse(op, "the user has no gid")
	}
	return u, nil
}

// Workspace is a workspace or an organization in Asana. Name is "" if Asana sent no name.
// In Name, U+FFFD replaces each control character.
type Workspace struct{ GID, Name string }

// Workspaces returns all workspaces that the token can access. Workspaces makes one
// request, GET /workspaces, for each page of 100 workspaces. If the list has more than 50
// pages, Workspaces returns an error.
//
// Every error is an [*Error]. The Code is [MissingScope] if the token has granular scopes
// but lacks workspaces:read.
func (c *Client) Workspaces(ctx context.Context, access secret.String) ([]Workspace, error) {
	const op = "workspaces"
	list, err := listAll[compactRecord](ctx, c, op, "/workspaces", "name", access)
	if err != nil {
		return nil, err
	}
	all := make([]Workspace, 0, len(list))
	for _, w := range list {
		if !IsGID(w.GID) {
			return nil, badResponse(op, "a workspace has no gid")
		}
		all = append(all, w.workspace())
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
// if Asana did not send the field. Do not treat nil as false.
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
// page of 100 memberships. If the list has more than 50 pages, Memberships returns an
// error.
//
// Every error is an [*Error]. If the token has granular scopes, the Status is 403 and the
// Code is [FullPermissionsRequired], because such tokens cannot use this endpoint. If the
// response contains a membership of a different user, the Status is 200, the status of
// that response.
func (c *Client) Memberships(ctx context.Context, access secret.String, userGID string) ([]Membership, error) {
	const op = "workspace_memberships"
	if !IsGID(userGID) && userGID != "me" {
		return nil, notSent(op, "the user's gid is malformed")
	}
	list, err := listAll[membership](ctx, c, op, "/users/"+userGID+"/workspace_memberships", membershipFields, access)
	if err != nil {
		return nil, err
	}
	all := make([]Membership, 0, len(list))
	for _, m := range list {
		if !IsGID(m.Workspace.GID) || !IsGID(m.User.GID) {
			return nil, badResponse(op, "a membership has no user gid or no workspace gid")
		}
		if userGID != "me" && m.User.GID != userGID {
			return nil, badResponse(op, "a membership belongs to another user")
		}
		all = append(all, m.exported())
	}
	return all, nil
}

type compactRecord struct {
	GID  string `json:"gid"`
	Name string `json:"name"`
}

func (r compactRecord) workspace() Workspace { return Workspace{r.GID, replaceControls(r.Name)} }

type membership struct {
	GID       string        `json:"gid"`
	User      compactRecord `json:"user"`
	Workspace compactRecord `json:"workspace"`
	Active    *bool         `json:"is_active"`
	Admin     *bool         `json:"is_admin"`
	Guest     *bool         `json:"is_guest"`
	ViewOnly  *bool         `json:"is_view_only"`
}

func (m membership) exported() Membership {
	if !IsGID(m.GID) {
		m.GID = ""
	}
	return Membership{
		GID: m.GID, Workspace: m.Workspace.workspace(), User: Member{m.User.GID, personalText(m.User.Name)},
		Active: m.Active, Admin: m.Admin, Guest: m.Guest, ViewOnly: m.ViewOnly,
	}
}

const (
	pageSize = 100 // the largest page size that Asana accepts
	maxPages = 50  // listAll returns an error if a list has more pages
	maxItems = pageSize * maxPages
)

// listAll fetches every page of a list (https://developers.asana.com/docs/pagination).
// To find the next page, listAll reads the field "offset" of the object "next_page". It
// ignores the field "uri", because that URL could name a host that is not Asana's.
func listAll[T any](ctx context.Context, c *Client, op, path, fields string, access secret.String) ([]T, error) {
	q := url.Values{"opt_fields": {fields}, "limit": {strconv.Itoa(pageSize)}}
	seen := make(map[string]bool)
	var all []T
	for range maxPages {
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
			return nil, badResponse(op, "the response has no data")
		}
		all = append(all, page.Data...)
		if page.Next == nil || page.Next.Offset == "" {
			return all, nil
		}
		if seen[page.Next.Offset] || len(page.Next.Offset) > 4<<10 || len(all) > maxItems {
			break
		}
		seen[page.Next.Offset] = true
		q.Set("offset", page.Next.Offset)
	}
	return nil, badResponse(op, "the list does not end")
}
