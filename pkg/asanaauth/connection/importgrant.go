package connection

import (
	"context"
	"errors"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/consent"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// importGrant begins with a refresh request, because it needs an access token to request
// the grant's user from Asana.
func (c *Connections) importGrant(ctx context.Context, ring *seal.Ring, r ImportRequest) (Imported, error) {
	if err := c.requests.Ready(ctx); err != nil {
		return Imported{}, err
	}
	if c.rows.Remaining(ctx) < 2*row.RequestTime+row.SaveReserve {
		return Imported{}, row.TryAgain(0, errors.New("no time left to ask Asana"))
	}
	// From here on, ignore the caller's cancellation, because a rotated token must be
	// saved.
	ctx, cancel := c.rows.Detach(ctx)
	defer cancel()
	tokens, err := c.refreshOnce(ctx, r.RefreshToken)
	if err != nil {
		return Imported{}, err
	}
	got, err := c.saveGrant(ctx, ring, tokens, r)
	if err != nil && isRotated(tokens, r.RefreshToken) {
		c.rows.Alarm(ctx, row.AlarmUnsaved, "", err)
	}
	return got, err
}

func isRotated(t asana.Tokens, sent secret.String) bool {
	return !t.Refresh.IsZero() && !t.Refresh.Equal(sent)
}

func (c *Connections) refreshOnce(ctx context.Context, refresh secret.String) (asana.Tokens, error) {
	tokens, err := c.requests.Refresh(ctx, "", refresh)
	var response *asana.Error
	switch {
	case err == nil, asanaauth.KindOf(err) == asanaauth.Misconfigured:
		return tokens, err
	case errors.As(err, &response) && response.Code == asana.InvalidGrant:
		return tokens, rejectedGrant(err)
	}
	return tokens, err
}

func (c *Connections) saveGrant(ctx context.Context, ring *seal.Ring, tokens asana.Tokens, r ImportRequest) (Imported, error) {
	issued := c.rows.Now()
	asking, cancel := c.rows.WithTimeout(ctx, c.rows.Remaining(ctx)-row.SaveReserve)
	defer cancel()
	user, err := c.identify(asking, tokens.Access)
	if err != nil {
		user, err = c.identifyOtherwise(asking, tokens, err)
	}
	if err != nil {
		return Imported{}, err
	}
	if tokens.NamesOther(user.GID) {
		return Imported{}, &asanaauth.Error{Kind: asanaauth.AsanaUnavailable, Err: requests.ErrIdentitiesDisagree}
	}
	if tokens.Refresh.IsZero() {
		tokens.Refresh = r.RefreshToken
	}
	got := consent.Consent{Kind: asanaauth.OAuth, ClientID: c.clientID, Tokens: tokens, User: user, Issued: issued}
	return c.saveImport(ctx, ring, got, r)
}

// identifyOtherwise finds the user of a grant if /users/me does not name the user: Asana
// refuses the request or does not respond. Without a user, a rotated token would be lost.
// The user comes from the UserInfo endpoint (OpenID Connect) or, if UserInfo names no
// user, from the token response. If neither names a user, identifyOtherwise returns
// refusal, the error from /users/me. If the request to UserInfo failed for another reason
// than a refusal, identifyOtherwise returns that failure, because the same import may
// succeed later.
func (c *Connections) identifyOtherwise(ctx context.Context, tokens asana.Tokens, refusal error) (asana.User, error) {
	info, err := c.requests.UserInfo(ctx, tokens.Access)
	switch {
	case err == nil && info.User.GID != "":
		return info.User, nil
	case tokens.User.GID != "":
		return tokens.User, nil
	case err != nil && !isRefused(err):
		return asana.User{}, err
	}
	return asana.User{}, refusal
}
