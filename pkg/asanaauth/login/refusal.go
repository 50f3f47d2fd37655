package login

import (
	"cmp"
	"context"
	"errors"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
)

// refused returns the error for an authorization error response (RFC 6749 section
// 4.1.2.1).
func (r *Receiver) refused(ctx context.Context, code string) error {
	err := errors.New("asana refused the authorization: " + cmp.Or(asana.ErrorCode(code), "an error code that is not valid"))
	switch {
	case code == "access_denied":
		return &asanaauth.Error{Kind: asanaauth.AccessDenied, Err: err}
	case code == "invalid_request", isMisconfiguration(code):
		return r.misconfigured(ctx, err)
	}
	return untrusted(err)
}

// isMisconfiguration reports whether an OAuth error code means that this deployment does
// not match the app at Asana, so that no one can sign in. Only the operator can fix that.
// forbidden_scopes is Asana's own code. Asana sends it if the app is not registered for a
// scope.
func isMisconfiguration(code string) bool {
	switch code {
	case "invalid_scope", "forbidden_scopes", "unsupported_response_type", asana.UnauthorizedClient:
		return true
	}
	return false
}

func (r *Receiver) misconfigured(ctx context.Context, err error) error {
	r.rows.Alarm(ctx, row.AlarmRefused, "", err)
	return &asanaauth.Error{Kind: asanaauth.Misconfigured, Err: err}
}

func untrusted(err error) error {
	return &asanaauth.Error{Kind: asanaauth.AsanaUnavailable, Err: err}
}
