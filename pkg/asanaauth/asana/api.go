package asana

import (
	"context"

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
