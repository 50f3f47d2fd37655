package asanaauth_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// rateLimited is a request to Asana that fails with 429, and the call that sends it.
type rateLimited struct {
	path    string // the request's path, or a prefix followed by *
	grant   string // the grant type, if the request is a token request
	process func(*authtest.Settings)
	// prepare makes what the call needs, before the faults are added. call makes the
	// call.
	prepare func(*authtest.Process) (call func() error)
}

// If any request to Asana fails with 429, the caller must get TryAgain. RetryAfter is then
// Asana's, but at most five minutes.
func TestRateLimitsOfEveryEndpointAreTryAgain(t *testing.T) {
	t.Parallel()
	const keys = "/api/1.0/openid_connect/jwks"
	for name, c := range map[string]rateLimited{
		"refresh":                            {path: authtest.TokenPath, grant: "refresh_token", prepare: tokenAfterAnHour},
		"code exchange":                      {path: authtest.TokenPath, grant: "authorization_code", prepare: callback(nil)},
		"users/me at a sign-in":              {path: authtest.MePath, prepare: callback(withoutUser)},
		"UserInfo and users/me at a sign-in": {path: "/api/1.0/*", process: authtest.WithOpenID, prepare: callback(withoutUser)},
		"signing keys":                       {path: keys, process: authtest.WithOpenID, prepare: callback(nil)},
		"discovery":                          {path: "/api/1.0/.well-known/*", process: authtest.WithOpenID, prepare: callback(nil)},
		"signing keys for the redirect's ID token": {path: keys, process: func(s *authtest.Settings) {
			authtest.WithOpenID(s)
			s.ResponseType = login.ResponseCodeIDToken
		}, prepare: callback(nil)},
		"introspection at an import": {path: authtest.IntrospectPath, prepare: importToken},
		"users/me at an import":      {path: authtest.MePath, prepare: importToken},
		"refresh at an import":       {path: authtest.TokenPath, grant: "refresh_token", prepare: importGrant},
		"UserInfo at an import": {path: authtest.UserInfoPath, prepare: func(p *authtest.Process) func() error {
			call := importGrant(p)
			p.Installation.Switches(withoutUser)
			p.Installation.Asana.Inject(asanatest.Fault{Path: authtest.MePath, Status: 403, Times: -1})
			return call
		}},
		"introspection of a reported long-lived token": {path: authtest.IntrospectPath, prepare: func(p *authtest.Process) func() error {
			d, value := p.ImportToken("o", asanatest.Bot)
			time.Sleep(time.Minute)
			return func() error { _, err := p.TokenOf(d.ID, token.Request{Refused: value}); return err }
		}},
		"introspection of a token that is reported again": {path: authtest.IntrospectPath, prepare: func(p *authtest.Process) func() error {
			cookie := p.SignIn(asanatest.Member)
			next, err := p.Refused(cookie, p.MustToken(cookie, 0))
			if err != nil {
				p.Installation.T.Fatal(err)
			}
			return func() error { _, err := p.Refused(cookie, next); return err }
		}},
		"introspection for capabilities": {path: authtest.IntrospectPath, prepare: capabilities},
		"users/me for capabilities":      {path: authtest.MePath, prepare: capabilities},
		"workspaces for capabilities":    {path: authtest.WorkspacesPath, prepare: capabilities},
		"memberships for capabilities":   {path: authtest.MembershipsPath(asanatest.Member), prepare: capabilities},
		"workspaces":                     {path: authtest.WorkspacesPath, prepare: members},
		"memberships":                    {path: authtest.MembershipsPath(asanatest.Member), prepare: members},
		"workspaces of a reader": {path: authtest.WorkspacesPath, prepare: func(p *authtest.Process) func() error {
			d, _ := p.ImportToken("o", asanatest.ServiceAccount)
			return func() error {
				_, err := p.Memberships.SetReaderOf(authtest.BackendContext(), p.Open(d.ID), []string{asanatest.Acme}, false)
				return err
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for header, want := range map[string]time.Duration{"42": 42 * time.Second, "86400": 5 * time.Minute} {
				t.Run("Retry-After "+header, func(t *testing.T) {
					authtest.Bubble(t, func(t *testing.T) { c.test(t, header, want) })
				})
			}
		})
	}
}

func (c rateLimited) test(t *testing.T, header string, want time.Duration) {
	inst := authtest.New(t)
	p := inst.Process()
	if c.process != nil {
		p = inst.Process(c.process)
	}
	call := c.prepare(p)
	before := len(inst.Asana.Requests())
	inst.Asana.Inject(asanatest.Fault{Path: c.path, GrantType: c.grant, Status: 429, Header: http.Header{"Retry-After": {header}}, Times: -1})
	err := call()
	if len(inst.Asana.Requests()) == before {
		t.Fatal("the call sent no request to Asana")
	}
	authtest.WantKind(t, err, asanaauth.TryAgain)
	var e *asanaauth.Error
	if errors.As(err, &e) && e.RetryAfter != want {
		t.Errorf("RetryAfter = %v, want %v", e.RetryAfter, want)
	}
}

// withoutUser makes Asana name the user neither in token responses nor in an ID token.
func withoutUser(s *asanatest.Switches) {
	s.DataOnCode, s.DataOnRefresh, s.IDTokenInTokenResponse = false, false, false
}

func tokenAfterAnHour(p *authtest.Process) func() error {
	cookie := p.SignIn(asanatest.Member)
	p.Installation.Expire()
	return func() error { _, err := p.Token(cookie, 0); return err }
}

func callback(change func(*asanatest.Switches)) func(*authtest.Process) func() error {
	return func(p *authtest.Process) func() error {
		if change != nil {
			p.Installation.Switches(change)
		}
		answer := p.Answer(p.Begin(), asanatest.Member)
		return func() error { _, err := p.Callback(answer); return err }
	}
}

func importToken(p *authtest.Process) func() error {
	r := connection.ImportRequest{
		Owner: "o", Kind: asanaauth.PersonalAccessToken, Token: secret.New(p.Installation.Asana.PersonalAccessToken(asanatest.Bot)),
	}
	return func() error { _, err := p.Import(r); return err }
}

func importGrant(p *authtest.Process) func() error {
	r := connection.ImportRequest{Owner: "o", RefreshToken: p.Installation.Grant(asanatest.Member)}
	return func() error { _, err := p.Import(r); return err }
}

func capabilities(p *authtest.Process) func() error {
	d := p.Connect("o", asanatest.Member)
	return func() error {
		_, err := p.Memberships.Capabilities(authtest.BackendContext(), p.Open(d.ID))
		return err
	}
}

func members(p *authtest.Process) func() error {
	cookie := p.SignIn(asanatest.Member)
	return func() error { _, err := p.Members(cookie); return err }
}
