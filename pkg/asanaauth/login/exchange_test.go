package login_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// If Asana refuses every authorization of this app, only the operator can help: the error
// must be Misconfigured, and an alarm must name Asana's code.
func TestARefusedAuthorizationRaisesAnAlarm(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	for code, c := range map[string]struct {
		kind   asanaauth.ErrorKind
		alarms int
		logged string // the code in the error
	}{
		"invalid_scope":             {asanaauth.Misconfigured, 1, "invalid_scope"},
		"forbidden_scopes":          {asanaauth.Misconfigured, 1, "forbidden_scopes"},
		"unauthorized_client":       {asanaauth.Misconfigured, 1, "unauthorized_client"},
		"invalid_request":           {asanaauth.Misconfigured, 1, "invalid_request"},
		"unsupported_response_type": {asanaauth.Misconfigured, 1, "unsupported_response_type"},
		"access_denied":             {asanaauth.AccessDenied, 0, "access_denied"},
		"server_error":              {asanaauth.AsanaUnavailable, 0, "server_error"},
		"temporarily_unavailable":   {asanaauth.AsanaUnavailable, 0, "temporarily_unavailable"},
		long:                        {asanaauth.AsanaUnavailable, 0, long},
		long + "a":                  {asanaauth.AsanaUnavailable, 0, "an error code that is not valid"},
		"marker1":                   {asanaauth.AsanaUnavailable, 0, "an error code that is not valid"},
		"Invalid_scope":             {asanaauth.AsanaUnavailable, 0, "an error code that is not valid"},
		"invalid_scope ":            {asanaauth.AsanaUnavailable, 0, "an error code that is not valid"},
	} {
		t.Run(code, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				response := p.Answer(p.Begin(), asanatest.Member)
				response.Error = code
				outcome, err := p.Callback(response)
				authtest.WantKind(t, err, c.kind)
				if outcome.ReturnURL != authtest.ReturnURL {
					t.Errorf("got ReturnURL %q", outcome.ReturnURL)
				}
				var e *asanaauth.Error
				if !errors.As(err, &e) || e.Err == nil || e.Err.Error() != "asana refused the authorization: "+c.logged {
					t.Errorf("Callback() = %v, want the cause %q", err, c.logged)
				}
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "authorization_refused"), c.alarms)
				authtest.WantCount(t, "exchanges", inst.Exchanges(), 0)
				inst.Rows.WantNothingKept()
			})
		})
	}
}

// Without a valid attempt, an error response must raise no alarm: anyone can send one.
func TestARefusalWithoutAnAttemptRaisesNoAlarm(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		response := p.Answer(p.Begin(), asanatest.Member)
		response.Error = "invalid_scope"
		stranger := response
		stranger.Browser = secret.New("another browser")
		_, err := p.Callback(stranger)
		authtest.WantKind(t, err, asanaauth.LoginExpired)
		stranger = response
		stranger.State = "another state"
		_, err = p.Callback(stranger)
		authtest.WantKind(t, err, asanaauth.LoginExpired)
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "authorization_refused"), 0)
	})
}

// The offline Asana refuses the app's scopes with a redirect.
func TestScopesThatAsanaForbids(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Switches(func(s *asanatest.Switches) { s.DefaultWithOpenID, s.ScopeErrorsRedirect = "refuse", true })
		p := inst.Process(func(s *authtest.Settings) { s.Scopes = authtest.OpenIDScopes })
		_, err := p.Callback(p.Answer(p.Begin(), asanatest.Member))
		authtest.WantKind(t, err, asanaauth.Misconfigured)
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "authorization_refused"), 1)
	})
}

func TestErrorsAndIssuersOfTheResponse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err, issuer string
		kind        asanaauth.ErrorKind
	}{
		"the person said no":         {"access_denied", "", asanaauth.AccessDenied},
		"the person said no, signed": {"access_denied", authtest.AsanaURL, asanaauth.AccessDenied},
		"another error":              {"server_error", "", asanaauth.AsanaUnavailable},
		"an unknown error":           {"Access_Denied", "", asanaauth.AsanaUnavailable},
		"another issuer":             {"", "https://issuer.invalid", asanaauth.AsanaUnavailable},
		"a part of the issuer":       {"", "https://asana.examp", asanaauth.AsanaUnavailable},
		"an issuer with a slash":     {"", authtest.AsanaURL + "/", asanaauth.AsanaUnavailable},
		"denied by another issuer":   {"access_denied", "https://issuer.invalid", asanaauth.AsanaUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				response := p.Answer(p.Begin(), asanatest.Member)
				response.Error, response.Issuer = c.err, c.issuer
				outcome, err := p.Callback(response)
				authtest.WantKind(t, err, c.kind)
				if outcome.ReturnURL != authtest.ReturnURL || inst.Rows.AttemptRow(response.State).Taker == "" {
					t.Errorf("got ReturnURL %q, attempt taken: %v", outcome.ReturnURL, inst.Rows.AttemptRow(response.State).Taker != "")
				}
				authtest.WantCount(t, "exchanges", inst.Exchanges(), 0)
				inst.Rows.WantNothingKept()
				response.Error, response.Issuer = "", ""
				again, err := p.Callback(response)
				authtest.WantKind(t, err, c.kind)
				if again != outcome {
					t.Errorf("got outcome %+v, and then %+v", outcome, again)
				}
				authtest.WantCount(t, "exchanges", inst.Exchanges(), 0)
			})
		})
	}
}

func TestAsanasTwoIssuersAreAccepted(t *testing.T) {
	t.Parallel()
	for which, issuer := range map[string]string{"oauth": authtest.AsanaURL, "openid": authtest.AsanaURL + "/api/1.0", "other": "https://issuer.invalid"} {
		t.Run(which, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.Switches(func(s *asanatest.Switches) { s.IssInRedirect = which })
				p := inst.Process()
				response := p.Answer(p.Begin(), asanatest.Member)
				if response.Issuer != issuer {
					t.Fatalf("iss = %q", response.Issuer)
				}
				_, err := p.Callback(response)
				if which == "other" {
					authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
				} else if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestTheCodeIsRedeemedOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   asanatest.Fault
		kind    asanaauth.ErrorKind
		timeout bool
	}{
		"invalid_grant":   {asanatest.Fault{Status: 400, Body: `{"error":"invalid_grant"}`}, asanaauth.LoginExpired, false},
		"invalid_scope":   {asanatest.Fault{Status: 400, Body: `{"error":"invalid_scope"}`}, asanaauth.Misconfigured, false},
		"forbidden":       {asanatest.Fault{Status: 400, Body: `{"error":"forbidden_scopes"}`}, asanaauth.Misconfigured, false},
		"invalid_request": {asanatest.Fault{Status: 400, Body: `{"error":"invalid_request"}`}, asanaauth.AsanaUnavailable, false},
		"a 500":           {asanatest.Fault{Status: 500, Body: `{"error":"invalid_grant"}`}, asanaauth.AsanaUnavailable, false},
		"a 429":           {asanatest.Fault{Status: 429}, asanaauth.TryAgain, false},
		"nonsense":        {asanatest.Fault{Body: "nonsense"}, asanaauth.AsanaUnavailable, false},
		"a cut":           {asanatest.Fault{Cut: true}, asanaauth.AsanaUnavailable, false},
		"a cut after it":  {asanatest.Fault{CutAfterApply: true}, asanaauth.AsanaUnavailable, false},
		"nine seconds":    {asanatest.Fault{Delay: 9 * time.Second}, asanaauth.AsanaUnavailable, true},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.Secrets.Set(nil, authtest.ClientSecret, authtest.NextSecret)
				p := inst.Process()
				c.fault.GrantType = "authorization_code"
				inst.Asana.Inject(c.fault)
				began := time.Now()
				outcome, err := p.Callback(p.Answer(p.Begin(), asanatest.Member))
				authtest.WantKind(t, err, c.kind)
				var e *asanaauth.Error
				if errors.As(err, &e) && e.Timeout != c.timeout {
					t.Errorf("Timeout = %v", e.Timeout)
				}
				if took := time.Since(began); took > 8*time.Second {
					t.Errorf("the code request took %v", took)
				}
				if outcome.ReturnURL != authtest.ReturnURL {
					t.Errorf("got ReturnURL %q", outcome.ReturnURL)
				}
				authtest.WantCount(t, "exchanges", inst.Exchanges(), 1)
				alarms := 0
				if c.kind == asanaauth.Misconfigured {
					alarms = 1
				}
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "authorization_refused"), alarms)
				inst.Rows.WantNothingKept()
			})
		})
	}
}

func TestTheCodeIsRedeemedWithEitherClientSecret(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values    []string
		exchanges int
		kind      asanaauth.ErrorKind
	}{
		"the current one works": {[]string{authtest.ClientSecret, authtest.NextSecret}, 1, ""},
		"the next one works":    {[]string{"old secret", authtest.NextSecret}, 2, ""},
		"none works":            {[]string{"old secret", "older secret"}, 2, asanaauth.Misconfigured},
		"the same one twice":    {[]string{"old secret", "old secret"}, 1, asanaauth.Misconfigured},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.Secrets.Set(nil, c.values...)
				p := inst.Process()
				outcome, err := p.Callback(p.Answer(p.Begin(), asanatest.Member))
				authtest.WantCount(t, "exchanges", inst.Exchanges(), c.exchanges)
				if c.kind == "" {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				authtest.WantKind(t, err, c.kind)
				if outcome.ReturnURL != authtest.ReturnURL {
					t.Errorf("got ReturnURL %q", outcome.ReturnURL)
				}
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "client_secret_rejected"), 1)
				inst.Rows.WantNothingKept()
			})
		})
	}
}

func TestATokenResponseWithoutARefreshTokenIsRejected(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Switches(func(s *asanatest.Switches) { s.OmitRefreshToken = true })
		p := inst.Process()
		_, err := p.Callback(p.Answer(p.Begin(), asanatest.Member))
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		inst.Rows.WantNothingKept()
	})
}
