package login_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func withIDToken(s *authtest.Settings) { s.ResponseType = login.ResponseCodeIDToken }

// If Asana returns an invalid ID token, the sign-in must fail, even if all other sources
// name the right person. The cause names the failed check, for the operator.
func TestOfflineIDTokens(t *testing.T) {
	t.Parallel()
	for how, why := range map[string]string{
		"": "", "unsigned": "not signed with RS256", "hs256": "not signed with RS256", "wrong_key": "none of Asana's keys verifies the signature",
		"wrong_issuer": "the issuer is wrong", "wrong_audience": "the client ID is not the only audience", "second_audience": "the client ID is not the only audience",
		"wrong_azp": "azp is wrong", "wrong_subject": requests.ErrIdentitiesDisagree.Error(), "no_subject": "sub is missing", "expired": "it has expired",
		"future": "iat is in the future", "wrong_nonce": "the nonce is wrong", "wrong_at_hash": "at_hash is wrong", "wrong_c_hash": "c_hash is wrong",
	} {
		t.Run("spoiled: "+how, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.Switches(func(s *asanatest.Switches) { s.SpoilIDToken = how })
				p := inst.Process(authtest.WithOpenID)
				_, err := p.Callback(p.Answer(p.Begin(), mia))
				if why == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
				if cause := errors.Unwrap(err); cause == nil || !strings.HasSuffix(cause.Error(), why) {
					t.Errorf("Callback() = %v, want the cause %q", cause, why)
				}
				inst.Rows.WantNothingKept()
			})
		})
	}
}

// Asana documents neither an ID token in the token response nor the claims of an ID token.
// The sign-in must succeed without the ID token, and without its optional claims.
func TestSignInWithoutWhatAnIDTokenMayLack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change     func(*asanatest.Switches)
		keyFetches int // a verification of an ID token fetches the keys once
	}{
		"by default":  {func(*asanatest.Switches) {}, 1},
		"no ID token": {func(s *asanatest.Switches) { s.IDTokenInTokenResponse = false }, 0},
		"no nonce":    {func(s *asanatest.Switches) { s.NonceInIDToken = false }, 1},
		"no at_hash":  {func(s *asanatest.Switches) { s.AtHash = false }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.Switches(c.change)
				p := inst.Process(authtest.WithOpenID)
				p.MustToken(p.SignIn(mia), 0)
				authtest.WantCount(t, "key fetches", inst.Asana.CountRequests("/api/1.0/openid_connect/jwks"), c.keyFetches)
				inst.Rows.WantOneConnection(1)
			})
		})
	}
}

// OpenID providers may send their keys with the media type of RFC 7517.
func TestKeysWithTheirOwnMediaType(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Switches(func(s *asanatest.Switches) { s.KeySetMediaType = "application/jwk-set+json" })
		p := inst.Process(authtest.WithOpenID)
		p.MustToken(p.SignIn(mia), 0)
	})
}

func TestCodeAndIDToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*asanatest.Switches, *login.CallbackRequest)
		good   bool
	}{
		"as Asana sends it": {func(*asanatest.Switches, *login.CallbackRequest) {}, true},
		"no c_hash":         {func(s *asanatest.Switches, _ *login.CallbackRequest) { s.CHash = false }, true},
		"no ID token from the token endpoint": {func(s *asanatest.Switches, _ *login.CallbackRequest) {
			s.IDTokenInTokenResponse = false
		}, true},
		"no ID token": {func(_ *asanatest.Switches, r *login.CallbackRequest) {
			if r != nil {
				r.IDToken = secret.String{}
			}
		}, false},
		"another code": {func(_ *asanatest.Switches, r *login.CallbackRequest) {
			if r != nil {
				r.Code = secret.New("0/other")
			}
		}, false},
		"no nonce": {func(s *asanatest.Switches, _ *login.CallbackRequest) { s.NonceInIDToken = false }, false},
		"a stranger": {func(s *asanatest.Switches, _ *login.CallbackRequest) {
			s.SpoilIDToken = "wrong_subject"
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.Switches(func(s *asanatest.Switches) { c.change(s, nil) })
				p := inst.Process(authtest.WithOpenID, withIDToken)
				response := p.Answer(p.Begin(), mia)
				if response.IDToken.IsZero() {
					t.Fatal("the response has no ID token")
				}
				c.change(&asanatest.Switches{}, &response)
				outcome, err := p.Callback(response)
				if c.good {
					if err != nil {
						t.Fatal(err)
					}
					p.MustToken(outcome.Session, 0)
					return
				}
				authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
				inst.Rows.WantNothingKept()
				if name != "a stranger" {
					authtest.WantCount(t, "exchanges", inst.Exchanges(), 0)
				}
			})
		})
	}
}

// An ID token from a different attempt is rejected, even if both attempts are in the same
// browser, because each attempt has its own nonce.
func TestAnIDTokenOfAnotherAttempt(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process(authtest.WithOpenID, withIDToken)
		one, other := p.Answer(p.Begin(), mia), p.Answer(p.Begin(), mia)
		one.IDToken = other.IDToken
		_, err := p.Callback(one)
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		inst.Rows.WantNothingKept()
	})
}

// The nonce is derived from the browser's secret and the row's salt. If the row's salt is
// replaced, the ID token's nonce must no longer match.
func TestTheNonceDependsOnBothHalves(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process(authtest.WithOpenID, withIDToken)
		mine := p.Answer(p.Begin(), mia)
		row := inst.Rows.AttemptRow(mine.State)
		row.Salt = inst.Rows.AttemptRow(p.Answer(p.Begin(), mia).State).Salt
		inst.Rows.Forge(row)
		_, err := p.Callback(mine)
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		authtest.WantCount(t, "exchanges", inst.Exchanges(), 0)
	})
}

// If Asana's signing keys cannot be fetched, the ID token cannot be verified, and the
// sign-in fails.
func TestIDTokensWhileAsanasKeysAreDown(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Asana.Inject(asanatest.Fault{Path: "/api/1.0/openid_connect/jwks", Status: 503})
		p := inst.Process(authtest.WithOpenID, withIDToken)
		_, err := p.Callback(p.Answer(p.Begin(), mia))
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		inst.Rows.WantNothingKept()
	})
}
