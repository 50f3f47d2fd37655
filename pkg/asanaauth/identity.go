package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// identifier finds out who a person is. Asana says it in several places, none
// of which is always there; all that are there must agree.
type identifier struct {
	l      *Login
	nonce  string
	code   secret.String
	scopes string // asked for

	subjects []claim // what ID tokens and UserInfo call the person
	gids     []claim // by what each source says the gid is, the most trusted first
}

type claim struct{ source, value string }

var errDisagree = errors.New("what Asana says of the person's identity disagrees")

// fromFragment takes the ID token that came with the code. Where the response
// type has one it must be there, and it must carry the attempt's nonce.
func (i *identifier) fromFragment(ctx context.Context, raw secret.String) error {
	if raw.IsZero() {
		if i.l.UsesFragment() {
			return &Error{Kind: AsanaUnavailable, Err: errors.New("the answer has no ID token")}
		}
		return nil
	}
	ctx, cancel := i.l.bound(ctx, requestTime)
	defer cancel()
	id, err := i.l.Asana.VerifyIDToken(ctx, raw, asana.Want{Nonce: i.nonce, Code: i.code})
	if err != nil {
		return &Error{Kind: AsanaUnavailable, Err: fmt.Errorf("verifying the answer's ID token: %w", err)}
	}
	i.subject("fragment", id.Subject)
	return nil
}

// fromTokens takes what came with the tokens, and asks Asana for the rest. The
// user has at least a gid.
func (i *identifier) fromTokens(ctx context.Context, t asana.Tokens) (asana.User, error) {
	if err := i.fromTokenAnswer(ctx, t); err != nil {
		return asana.User{}, err
	}
	i.gid("token answer", t.User.GID)
	profile, err := i.ask(ctx, t.Access)
	if err != nil && (len(i.gids) == 0 || answered(err)) {
		return asana.User{}, fromParts(fmt.Errorf("asking who the person is: %w", err))
	}
	if err := i.agree(ctx); err != nil {
		return asana.User{}, &Error{Kind: AsanaUnavailable, Err: err}
	}
	return asana.User{
		GID:     i.gids[0].value,
		Name:    firstOf(profile.Name, t.User.Name),
		Email:   firstOf(profile.Email, t.User.Email),
		Picture: profile.Picture,
	}, nil
}

// fromTokenAnswer takes an ID token of the token answer. Asana documents
// neither it nor its nonce, so one without a nonce proves nothing and counts
// as absent; one with a wrong nonce is somebody else's.
func (i *identifier) fromTokenAnswer(ctx context.Context, t asana.Tokens) error {
	if t.ID.IsZero() {
		return nil
	}
	ctx, cancel := i.l.bound(ctx, requestTime)
	defer cancel()
	id, err := i.l.Asana.VerifyIDToken(ctx, t.ID, asana.Want{Nonce: i.nonce, Access: t.Access, Code: i.code})
	if errors.Is(err, asana.ErrNoNonce) {
		return nil
	}
	if err != nil {
		return &Error{Kind: AsanaUnavailable, Err: fmt.Errorf("verifying the ID token: %w", err)}
	}
	i.subject("id token", id.Subject)
	return nil
}

// ask asks Asana for the person's profile, where the scopes allow it. What it
// says of the identity counts; a request that fails is missed only where
// nothing else said who the person is.
func (i *identifier) ask(ctx context.Context, access secret.String) (asana.User, error) {
	ctx, cancel := i.l.bound(ctx, requestTime)
	defer cancel()
	if asksFor(i.scopes, "openid") {
		info, err := i.l.Asana.UserInfo(ctx, access)
		if err == nil {
			i.subject("userinfo", info.Subject)
		}
		if answered(err) || len(i.gids) > 0 {
			return info.User, err
		}
	}
	user, err := i.l.Asana.Me(ctx, access)
	if err == nil {
		i.gid("users/me", user.GID)
	}
	return user, err
}

func (i *identifier) subject(source, value string) {
	i.subjects = append(i.subjects, claim{source, value})
	i.gid(source, value)
}

// gid notes a gid. A subject that is none neither decides nor disagrees.
func (i *identifier) gid(source, value string) {
	if asana.IsGID(value) {
		i.gids = append(i.gids, claim{source, value})
	}
}

// agree demands one subject of those that name one, and one gid of all.
func (i *identifier) agree(ctx context.Context) error {
	for _, claims := range [][]claim{i.subjects, i.gids} {
		for _, c := range claims {
			if c.value == claims[0].value {
				continue
			}
			i.l.Log.LogAttrs(ctx, slog.LevelError, "identities disagree",
				slog.String("source", claims[0].source), slog.String("other", c.source))
			return errDisagree
		}
	}
	if len(i.gids) == 0 {
		return errors.New("no source names the person's gid")
	}
	return nil
}

// answered reports that Asana did answer, and that it cannot be believed: a
// profile that names nobody (an empty sub) is no missing one.
func answered(err error) bool {
	var e *asana.Error
	return errors.As(err, &e) && e.Status == http.StatusOK
}

func firstOf(values ...secret.String) secret.String {
	for _, v := range values {
		if !v.IsZero() {
			return v
		}
	}
	return secret.String{}
}
