package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// identifier finds out who a person is. Asana can name the user in an ID token, in the
// token response, at UserInfo and at /users/me. Any of these sources may be missing. All
// sources that are present must name the same user.
type identifier struct {
	r      *Receiver
	nonce  string
	code   secret.String
	scopes string // the scopes that the attempt requested

	subjects []claim // the subjects in ID tokens and UserInfo
	gids     []claim // the gids from all sources; they must be equal
}

// claim is a user ID and the source that reported it.
type claim struct{ source, value string }

// fromFragment verifies the ID token in the fragment of the redirect URI. The ID token
// must contain the attempt's nonce. A missing ID token is an error only with
// ResponseCodeIDToken.
func (i *identifier) fromFragment(ctx context.Context, raw secret.String) error {
	if raw.IsZero() {
		if i.r.UsesFragment() {
			return untrusted(errors.New("the response has no ID token"))
		}
		return nil
	}
	id, err := i.verify(ctx, raw, asana.Want{Nonce: i.nonce, Code: i.code})
	if err != nil {
		return unverified(fmt.Errorf("verifying the response's ID token: %w", err))
	}
	i.addSubject("fragment", id.Subject)
	return nil
}

// unverified returns the error for an ID token that could not be verified: err comes from
// Asana if the signing keys could not be fetched. Otherwise, the ID token is not valid.
func unverified(err error) error {
	if errors.Is(err, asana.ErrIDToken) || errors.Is(err, asana.ErrNoNonce) {
		return untrusted(err)
	}
	return requests.ErrorOf(err)
}

func (i *identifier) verify(ctx context.Context, raw secret.String, want asana.Want) (asana.Identity, error) {
	ctx, cancel := i.r.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	return i.r.asana.VerifyIDToken(ctx, raw, want)
}

// fromTokens identifies the user from the token response and from the profile that
// fetchProfile requests. If the error is nil, the user has a gid.
func (i *identifier) fromTokens(ctx context.Context, t asana.Tokens) (asana.User, error) {
	if err := i.fromTokenResponse(ctx, t); err != nil {
		return asana.User{}, err
	}
	i.addGID("token response", t.User.GID)
	profile, err := i.fetchProfile(ctx, t.Access)
	if err != nil && (len(i.gids) == 0 || isUnusable(err)) {
		return asana.User{}, requests.ErrorOf(fmt.Errorf("asking who the person is: %w", err))
	}
	if err := i.checkAgreement(ctx); err != nil {
		return asana.User{}, untrusted(err)
	}
	return asana.User{
		GID:     i.gids[0].value,
		Name:    firstOf(profile.Name, t.User.Name),
		Email:   firstOf(profile.Email, t.User.Email),
		Picture: profile.Picture,
	}, nil
}

// fromTokenResponse verifies the ID token in the token response, if the response has one.
// Asana documents neither this ID token nor its nonce, so an ID token without a nonce is
// ignored. A wrong nonce is an error, because it shows that the ID token belongs to a
// different attempt.
func (i *identifier) fromTokenResponse(ctx context.Context, t asana.Tokens) error {
	if t.ID.IsZero() {
		return nil
	}
	id, err := i.verify(ctx, t.ID, asana.Want{Nonce: i.nonce, Access: t.Access, Code: i.code})
	if errors.Is(err, asana.ErrNoNonce) {
		return nil
	}
	if err != nil {
		return unverified(fmt.Errorf("verifying the ID token: %w", err))
	}
	i.addSubject("id token", id.Subject)
	return nil
}

// fetchProfile requests UserInfo if the scopes include openid. If they do not, or if
// neither UserInfo nor an earlier source named a gid, fetchProfile requests /users/me. If
// an earlier source named a gid, the caller may ignore an error for which isUnusable is
// false.
func (i *identifier) fetchProfile(ctx context.Context, access secret.String) (asana.User, error) {
	ctx, cancel := i.r.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	if hasScope(i.scopes, "openid") {
		info, err := i.r.asana.UserInfo(ctx, access)
		if err == nil {
			i.addSubject("userinfo", info.Subject)
		}
		if isUnusable(err) || len(i.gids) > 0 {
			return info.User, err
		}
	}
	user, err := i.r.asana.Me(ctx, access)
	if err == nil {
		i.addGID("users/me", user.GID)
	}
	return user, err
}

func (i *identifier) addSubject(source, value string) {
	i.subjects = append(i.subjects, claim{source, value})
	i.addGID(source, value)
}

// addGID adds value to the gids if it is a gid. An ID token's subject can be another ID.
func (i *identifier) addGID(source, value string) {
	if asana.IsGID(value) {
		i.gids = append(i.gids, claim{source, value})
	}
}

// checkAgreement returns an error if two subjects or two gids differ, or if no source
// named a gid.
func (i *identifier) checkAgreement(ctx context.Context) error {
	for _, claims := range [][]claim{i.subjects, i.gids} {
		for _, c := range claims {
			if c.value == claims[0].value {
				continue
			}
			i.r.rows.Error(ctx, "identities disagree", slog.String("source", claims[0].source), slog.String("other", c.source))
			return requests.ErrIdentitiesDisagree
		}
	}
	if len(i.gids) == 0 {
		return errors.New("no source names the person's gid")
	}
	return nil
}

// isUnusable reports whether Asana responded with status 200 but with a body that cannot
// be used, such as a UserInfo response with an empty sub. The sign-in must then fail,
// even if other sources named the user.
func isUnusable(err error) bool { return requests.IsStatus(err, http.StatusOK) }

func firstOf(values ...secret.String) secret.String {
	for _, v := range values {
		if !v.IsZero() {
			return v
		}
	}
	return secret.String{}
}
