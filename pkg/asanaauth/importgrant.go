package asanaauth

import (
	"context"
	"errors"
	"fmt"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// verifyGrant introspects a refresh token, which changes nothing at Asana.
func (c *Connections) verifyGrant(ctx context.Context, refresh secret.String) error {
	told, err := c.tokenInfo(ctx, refresh)
	switch {
	case err != nil:
		return err
	case !told.Active:
		return errNoGrant(nil)
	case told.ClientID != "" && told.ClientID != c.Asana.ClientID():
		return errNoGrant(errors.New("the grant was issued to another client id"))
	}
	return nil
}

func errNoGrant(err error) error {
	return rejected(rejectedInactive, "Asana does not take this refresh token from this app.", err)
}

// importGrant keeps an OAuth grant. Nobody knows whose it is before it is refreshed.
func (c *Connections) importGrant(ctx context.Context, ring *seal.Ring, r ImportRequest, caller string) (Imported, error) {
	if err := c.canAsk(); err != nil {
		return Imported{}, err
	}
	if err := c.Secrets.Ready(ctx); err != nil {
		return Imported{}, err
	}
	if c.left(ctx) < 2*requestTime+saveReserve {
		return Imported{}, tryAgain(0, errors.New("no time left to ask Asana"))
	}
	// From here on a caller who goes away does not count: the token may rotate.
	ctx, cancel := c.detached(ctx)
	defer cancel()
	tokens, err := c.refreshOnce(ctx, r.RefreshToken)
	if err != nil {
		return Imported{}, err
	}
	got, err := c.keepGrant(ctx, ring, tokens, r, caller)
	if err != nil && rotated(tokens, r.RefreshToken) {
		c.alarm(ctx, alarmUnsaved, "", err)
	}
	return got, err
}

func rotated(t asana.Tokens, sent secret.String) bool {
	return !t.Refresh.IsZero() && !t.Refresh.Equal(sent)
}

func (c *Connections) refreshOnce(ctx context.Context, refresh secret.String) (asana.Tokens, error) {
	ctx, cancel := c.bound(ctx, requestTime)
	defer cancel()
	var tokens asana.Tokens
	err := c.Secrets.send(ctx, func(clientSecret secret.String) (err error) {
		tokens, err = c.Asana.Refresh(ctx, clientSecret, refresh)
		return err
	})
	var answer *asana.Error
	switch {
	case errors.Is(err, errSecretRejected):
		c.alarm(ctx, alarmSecretRejected, "", err)
		return tokens, &Error{Kind: Misconfigured, Err: err}
	case errors.As(err, &answer) && answer.Code == asana.InvalidGrant:
		return tokens, errNoGrant(err)
	case err != nil:
		return tokens, overLimit(fromParts(fmt.Errorf("refreshing: %w", err)))
	}
	return tokens, nil
}

func (c *Connections) keepGrant(ctx context.Context, ring *seal.Ring, tokens asana.Tokens, r ImportRequest, caller string) (Imported, error) {
	issued := c.now()
	user, err := c.identify(ctx, tokens.Access)
	if KindOf(err) == TokenRejected {
		user, err = c.identifyOtherwise(ctx, tokens, err)
	}
	if err != nil {
		return Imported{}, err
	}
	if told := tokens.User.GID; told != "" && told != user.GID {
		return Imported{}, &Error{Kind: AsanaUnavailable, Err: errDisagree}
	}
	if tokens.Refresh.IsZero() {
		tokens.Refresh = r.RefreshToken
	}
	return c.keepImport(ctx, ring, consent{kind: store.OAuth, tokens: tokens, user: user, issued: issued}, r, caller)
}

// identifyOtherwise finds out whose a grant is that does not open users/me: by OpenID
// Connect, or by the token answer itself. Else refused is the answer.
func (c *Connections) identifyOtherwise(ctx context.Context, tokens asana.Tokens, refused error) (asana.User, error) {
	ctx, cancel := c.bound(ctx, requestTime)
	defer cancel()
	info, err := c.Asana.UserInfo(ctx, tokens.Access)
	switch {
	case err == nil && info.User.GID != "":
		return info.User, nil
	case tokens.User.GID != "":
		return tokens.User, nil
	}
	return asana.User{}, refused
}
