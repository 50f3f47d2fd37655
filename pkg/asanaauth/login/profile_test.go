package login_test

import (
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// If the profile request fails and the token response contains the person's gid, the
// sign-in succeeds with the name from the token response. If no source has the gid, the
// sign-in fails.
func TestTheProfileComesFromTheSourceThatResponds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path                 string
		scopes               string
		name, email, picture string
	}{
		"UserInfo":              {"", authtest.OpenIDScopes, "Mia Member", "mia@acme.example", "https://photos.example/mia.png"},
		"users/me":              {"", "default", "Mia Member", "mia@acme.example", "https://photos.example/mia.png"},
		"data, UserInfo down":   {authtest.UserInfoPath, authtest.OpenIDScopes, "Mia Member", "mia@acme.example", ""},
		"data, users/me down":   {authtest.MePath, "default", "Mia Member", "mia@acme.example", ""},
		"UserInfo without name": {"", "default openid", "Mia Member", "mia@acme.example", ""},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.Switches(func(s *asanatest.Switches) { s.IDTokenInTokenResponse = false })
				if c.path != "" {
					inst.Asana.Inject(asanatest.Fault{Path: c.path, Status: 503})
				}
				p := inst.Process(func(s *authtest.Settings) { s.Scopes = c.scopes })
				profile, err := p.Sessions.Profile(t.Context(), p.Session(p.SignIn(mia)))
				if err != nil {
					t.Fatal(err)
				}
				if profile.Name.Reveal() != c.name || profile.Email.Reveal() != c.email || profile.Picture.Reveal() != c.picture {
					t.Errorf("profile: %q, %q, %q", profile.Name.Reveal(), profile.Email.Reveal(), profile.Picture.Reveal())
				}
				if profile.AsanaUser != mia || profile.Status != asanaauth.Active || profile.Scope != c.scopes ||
					!profile.ExpiresAt.Equal(time.Now().Add(720*time.Hour)) {
					t.Errorf("profile: %+v", profile)
				}
			})
		})
	}
}
