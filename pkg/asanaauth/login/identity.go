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

// identifier finds out who a person is. Asana names the user in several places. Each of
// them may be missing, and those that are present must agree.
type identifier struct {
	r      *Receiver
	nonce  string
	code   secret.String
	scopes string // requested

	subjects []claim // the subjects of ID tokens and UserInfo
	gids     []claim // the gids of all sources; the first is used
}

type claim struct{ source, value string }

// fromFragment verifies the ID token that came with the code. With ResponseCodeIDToken the
// token is required and must have the attempt's nonce.
func (i *identifier) fromFragment(ctx context.Context, raw secret.String) error {
	if raw.IsZero() {
		if i.r.UsesFragment() {
			return untrusted(errors.New("the response has no ID token"))
		}
		return nil
	}
	id, err := i.verify(ctx, raw, asana.Want{Nonce: i.nonce, Code: i.code})
	if err != nil {
		return untrusted(fmt.Errorf("verifying the response's ID token: %w", err))
	}
	i.addSubject("fragment", id.Subject)
	return nil
}

func (i *identifier) verify(ctx context.Context, raw secret.String, want asana.Want) (asana.Identity, error) {
	ctx, cancel := i.r.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	return i.r.asana.VerifyIDToken(ctx, raw, want)
}

// fromTokens uses the identity in the token response, and asks Asana for the profile. The
// user that it returns has at least a gid.
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

// fromTokenResponse verifies the ID token of the token response, if there is one. Asana
// documents neither this token nor its nonce. A token without a nonce is ignored. A token
// with a wrong nonce belongs to another attempt, which is an error.
func (i *identifier) fromTokenResponse(ctx context.Context, t asana.Tokens) error {
	if t.ID.IsZero() {
		return nil
	}
	id, err := i.verify(ctx, t.ID, asana.Want{Nonce: i.nonce, Access: t.Access, Code: i.code})
	if errors.Is(err, asana.ErrNoNonce) {
		return nil
	}
	if err != nil {
		return untrusted(fmt.Errorf("verifying the ID token: %w", err))
	}
	i.addSubject("id token", id.Subject)
	return nil
}

// fetchProfile asks Asana for the person's profile: from UserInfo if the scopes include
// openid, otherwise from users/me. If the gid is still unknown after UserInfo, it also asks
// users/me. The caller may ignore most errors if another source has the gid.
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

// addGID adds a gid. It ignores a value that is not a gid.
func (i *identifier) addGID(source, value string) {
	if asana.IsGID(value) {
		i.gids = append(i.gids, claim{source, value})
	}
}

// checkAgreement returns an error unless all subjects are equal, all gids are equal, and
// there is at least one gid.
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

// isUnusable reports whether err is about a response with status 200 that cannot be used.
// For example, an empty sub is an error, not a missing profile.
func isUnusable(err error) bool { return requests.IsStatus(err, http.StatusOK) }

func firstOf(values ...secret.String) secret.String {
	for _, v := range values {
		if !v.IsZero() {
			return v
		}
	}
	return secret.String{}
}
