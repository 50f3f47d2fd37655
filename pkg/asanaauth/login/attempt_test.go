package login_test

import (
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// After the callback, whether it succeeds or fails, the browser goes to the return URL
// that the app chose, with the app's app_state.
func TestReturnURLAndAppStateComeBack(t *testing.T) {
	t.Parallel()
	const second = "https://app.example.com/second?x=1"
	state := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-" + strings.Repeat("z", 192)
	for name, change := range map[string]func(*login.CallbackRequest){
		"connected":  func(*login.CallbackRequest) {},
		"denied":     func(r *login.CallbackRequest) { r.Error = "access_denied" },
		"wrong code": func(r *login.CallbackRequest) { r.Code = secret.New("0/wrong") },
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process(func(s *authtest.Settings) { s.ReturnURLs = []string{authtest.ReturnURL, second} })
				attempt, err := p.Authorizer.Authorize(t.Context(), login.AuthorizeRequest{ReturnTo: second, AppState: state})
				if err != nil {
					t.Fatal(err)
				}
				response := p.Answer(attempt, asanatest.Member)
				change(&response)
				outcome, err := p.Callback(response)
				if (err == nil) != (name == "connected") || outcome.Session.IsZero() != (err != nil) {
					t.Errorf("Callback() = %v", err)
				}
				if outcome.ReturnURL != second || outcome.AppState != state {
					t.Errorf("got ReturnURL %q with %q", outcome.ReturnURL, outcome.AppState)
				}
			})
		})
	}
}

// A different browser can neither use an attempt, nor repeat an attempt that the right
// browser has used.
func TestAnotherBrowserCannotUseAnAttempt(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		response := p.Answer(p.Begin(), asanatest.Member)
		inst.Table.Reset()
		strangers := map[string]func(*login.CallbackRequest){
			"another browser's secret": func(r *login.CallbackRequest) { r.Browser = p.Begin().Browser },
			"no secret":                func(r *login.CallbackRequest) { r.Browser = secret.String{} },
			"an unknown state":         func(r *login.CallbackRequest) { r.State = "unknown" },
			"no state":                 func(r *login.CallbackRequest) { r.State = "" },
			"another browser, denied":  func(r *login.CallbackRequest) { r.Browser, r.Error = secret.New("x"), "access_denied" },
			"the hash of the secret": func(r *login.CallbackRequest) {
				r.Browser = secret.New(store.HashText(r.Browser.Reveal()).String())
			},
		}
		try := func(when string) {
			for name, change := range strangers {
				stranger := response
				change(&stranger)
				outcome, err := p.Callback(stranger)
				if asanaauth.KindOf(err) != asanaauth.LoginExpired || outcome != (login.Outcome{}) {
					t.Errorf("%s, %s: got %+v, %v", name, when, outcome, err)
				}
			}
		}
		try("unused attempt")
		authtest.WantCount(t, "exchanges", inst.Exchanges(), 0)
		if _, err := p.Callback(response); err != nil {
			t.Errorf("the right browser: %v", err)
		}
		try("used attempt")
	})
}

func TestAnAttemptExpiresAfterTenMinutes(t *testing.T) {
	t.Parallel()
	for wait, good := range map[time.Duration]bool{
		10*time.Minute - time.Millisecond: true,
		10 * time.Minute:                  false,
	} {
		t.Run(wait.String(), func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				attempt := p.Begin()
				time.Sleep(wait)
				_, err := p.Callback(p.Answer(attempt, asanatest.Member))
				if good && err != nil {
					t.Errorf("Callback() = %v", err)
				}
				if !good {
					authtest.WantKind(t, err, asanaauth.LoginExpired)
					authtest.WantCount(t, "exchanges", inst.Exchanges(), 0)
				}
			})
		})
	}
}

func TestAReturnURLThatIsNoLongerAllowed(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		response := p.Answer(p.Begin(), asanatest.Member)
		outcome, err := inst.Process(func(s *authtest.Settings) { s.ReturnURLs = []string{"https://app.example.com/new"} }).Callback(response)
		authtest.WantKind(t, err, asanaauth.LoginExpired)
		if outcome.ReturnURL != "" || inst.Rows.AttemptRow(response.State).Taker != "" {
			t.Errorf("got ReturnURL %q, attempt taken: %v", outcome.ReturnURL, inst.Rows.AttemptRow(response.State).Taker != "")
		}
		if _, err := p.Callback(response); err != nil {
			t.Errorf("a process that allows it: %v", err)
		}
	})
}

// If the configured scopes change while a person is at Asana, the connection records the
// scopes that the attempt requested.
func TestTheAttemptsScopesAreUsed(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process(authtest.WithOpenID)
		response := p.Answer(p.Begin(), asanatest.Member)
		outcome, err := inst.Process().Callback(response)
		if err != nil {
			t.Fatal(err)
		}
		authtest.WantCount(t, "UserInfo requests", inst.Asana.CountRequests(authtest.UserInfoPath), 1)
		if got := inst.Rows.Cold(outcome.Session.Reveal()).ScopeRequested; got != authtest.OpenIDScopes {
			t.Errorf("scopes requested: %q", got)
		}
	})
}

// If the configured redirect URI changes while a person is at Asana, the token request
// must still contain the redirect URI of the authorization request (RFC 6749 section
// 4.1.3).
func TestTheAttemptsRedirectURIIsSent(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		const other = "https://old.example.com/callback"
		inst := authtest.New(t)
		inst.App(func(app *asanatest.App) { app.RedirectURIs = append(app.RedirectURIs, other) })
		sniffed := &sniffer{next: inst.Wire}
		p := inst.Process(func(s *authtest.Settings) { s.Transport = sniffed })
		c := authorizerConfig(inst)
		c.RedirectURI = other
		authorizer, err := login.NewAuthorizer(c)
		if err != nil {
			t.Fatal(err)
		}
		attempt, err := authorizer.Authorize(t.Context(), login.AuthorizeRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Callback(p.Answer(attempt, asanatest.Member)); err != nil {
			t.Error(err)
		}
		if got := sniffed.seen()[0].Get("redirect_uri"); got != other {
			t.Errorf("redirect_uri = %q", got)
		}
	})
}

// The PKCE verifier is derived from the browser's secret and the row's salt. If the row's
// salt is replaced, Asana must reject the verifier.
func TestTheVerifierDependsOnBothHalves(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		mine := p.Answer(p.Begin(), asanatest.Member)
		row := inst.Rows.AttemptRow(mine.State)
		row.Salt = inst.Rows.AttemptRow(p.Answer(p.Begin(), asanatest.Member).State).Salt
		inst.Rows.Forge(row)
		_, err := p.Callback(mine)
		authtest.WantKind(t, err, asanaauth.LoginExpired)
		authtest.WantCount(t, "exchanges", inst.Exchanges(), 1)
		inst.Rows.WantNothingKept()
	})
}
