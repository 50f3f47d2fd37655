package connection_test

import (
	"context"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// In these tests, Asana cannot revoke a grant, neither now nor later. A disconnect must
// then end the connection here, and must not claim that the grant is revoked.

// wantErasedOnly fails the test unless the connection is a tombstone, and the only audit
// line about its end says that Asana has not revoked the grant.
func wantErasedOnly(t *testing.T, inst *authtest.Installation, id string) {
	t.Helper()
	inst.Rows.WantTombstone(id)
	authtest.WantCount(t, "audit lines revoked", inst.Log.Says("audit", "revoked"), 0)
	authtest.WantCount(t, "audit lines disconnected", inst.Log.Says("audit", "disconnected"), 1)
}

func TestARefusedRevocationEndsTheConnection(t *testing.T) {
	t.Parallel()
	refusals := map[string]func(*authtest.Installation){}
	for _, how := range []string{"invalid_request", "invalid_grant", "unsupported_token_type", "403", "404"} {
		refusals[how] = func(inst *authtest.Installation) {
			inst.Switches(func(s *asanatest.Switches) { s.RefuseRevocation = how })
		}
	}
	for name, fault := range map[string]asanatest.Fault{
		"401 about the token":    {Status: 401, Body: `{"error":"invalid_grant"}`},
		"400 without a code":     {Status: 400, Body: `{}`},
		"another code":           {Status: 400, Body: `{"error":"unsupported_grant_type"}`},
		"405":                    {Status: 405},
		"410":                    {Status: 410},
		"451 with an HTML page":  {Status: 451, Body: "<html>", ContentType: "text/html"},
		"400 with a Retry-After": {Status: 400, Header: map[string][]string{"Retry-After": {"60"}}},
	} {
		fault.Path, fault.Times = authtest.RevokePath, -1
		refusals[name] = func(inst *authtest.Installation) { inst.Asana.Inject(fault) }
	}
	for name, refuse := range refusals {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				refuse(inst)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				d, err := p.Disconnect(cookie)
				wantDisconnected(t, d, err, asanaauth.Disconnected, false)
				wantErasedOnly(t, inst, cookie.Reveal())
				authtest.WantCount(t, "revocations", inst.Revocations(), 1)
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "revocation_refused"), 1)
			})
		})
	}
}

// A connection whose revocation waits for the end of an outage must end too if Asana then
// refuses the revocation.
func TestAPendingRevocationEndsIfAsanaRefusesIt(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d := p.Connect("o", asanatest.Member)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Status: 503})
		got, err := p.Connections.Disconnect(authtest.BackendContext(), p.Open(d.ID))
		wantDisconnected(t, got, err, asanaauth.Revoking, false)
		time.Sleep(10 * time.Second)
		inst.Switches(func(s *asanatest.Switches) { s.RefuseRevocation = "invalid_grant" })
		got, err = p.Connections.Disconnect(authtest.BackendContext(), p.Open(d.ID))
		wantDisconnected(t, got, err, asanaauth.Disconnected, false)
		wantErasedOnly(t, inst, d.ID)
	})
}

// foreign returns a process whose client ID differs from that of the connections, as after
// a change of ASANA_CLIENT_ID.
func foreign(inst *authtest.Installation) *authtest.Process {
	return inst.Process(func(s *authtest.Settings) { s.ClientID = "999" })
}

func TestOffBoardingEnds(t *testing.T) {
	t.Parallel()
	refused := func(s *asanatest.Switches) { s.RefuseRevocation = "404" }
	for name, c := range map[string]struct {
		process func(*authtest.Installation) *authtest.Process
		change  func(*asanatest.Switches)
	}{
		"Asana refuses the revocations": {func(inst *authtest.Installation) *authtest.Process { return inst.Process() }, refused},
		"another client ID":             {foreign, func(*asanatest.Switches) {}},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				for _, gid := range []string{asanatest.Member, asanatest.Guest, asanatest.Admin} {
					p.Connect("tenant", gid)
				}
				inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Status: 503, Times: -1})
				if _, err := p.Connections.DisconnectAll(authtest.BackendContext(), connection.Query{Owner: "tenant"}); err != nil {
					t.Fatal(err)
				}
				inst.Asana.ClearFaults()
				inst.Switches(c.change)
				time.Sleep(10 * time.Second)
				got, err := c.process(inst).Connections.DisconnectAll(authtest.BackendContext(), connection.Query{Owner: "tenant"})
				if want := (connection.Disconnections{Disconnected: 3}); err != nil || got != want {
					t.Errorf("DisconnectAll() = %+v, %v; want %+v", got, err, want)
				}
			})
		})
	}
}

// After a change of ASANA_CLIENT_ID, the old connections can be ended. No request is sent
// to Asana, because Asana would not accept the new client's request.
func TestAConnectionOfAnotherClientIDCanBeEnded(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*authtest.Installation, string){
		"active":          func(*authtest.Installation, string) {},
		"broken":          func(inst *authtest.Installation, id string) { inst.Rows.Edit(id, brokenNow) },
		"in a cool-down":  func(inst *authtest.Installation, id string) { inst.Rows.Edit(id, coolDown) },
		"pending":         func(inst *authtest.Installation, id string) { inst.Rows.Edit(id, revokingNow) },
		"without secrets": func(inst *authtest.Installation, id string) { inst.Secrets.Set(authtest.ErrTableDown) },
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				d := inst.Process().Connect("o", asanatest.Member)
				prepare(inst, d.ID)
				p := foreign(inst)
				before := len(inst.Asana.Requests())
				got, err := p.Connections.Disconnect(authtest.BackendContext(), p.Open(d.ID))
				wantDisconnected(t, got, err, asanaauth.Disconnected, false)
				wantErasedOnly(t, inst, d.ID)
				authtest.WantCount(t, "requests to Asana", len(inst.Asana.Requests())-before, 0)
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "wrong_client_id"), 1)
			})
		})
	}
	t.Run("by a session", func(t *testing.T) {
		authtest.Bubble(t, func(t *testing.T) {
			inst := authtest.New(t)
			cookie := inst.Process().SignIn(asanatest.Member)
			d, err := foreign(inst).Disconnect(cookie)
			wantDisconnected(t, d, err, asanaauth.Disconnected, false)
			wantErasedOnly(t, inst, cookie.Reveal())
			authtest.WantCount(t, "revocations", inst.Revocations(), 0)
		})
	})
}

func brokenNow(hot *store.Hot) {
	hot.Status, hot.Access, hot.BrokenAt = string(asanaauth.Broken), nil, time.Now()
}

func revokingNow(hot *store.Hot) { hot.Status, hot.Access = string(asanaauth.Revoking), nil }

func coolDown(hot *store.Hot) { hot.CoolUntil = time.Now().Add(5 * time.Minute) }

// After a change of ASANA_CLIENT_ID, no old token may be returned or used, even if it is
// fresh. Nothing may be changed, because the change can be a mistake.
func TestAConnectionOfAnotherClientIDGivesNoToken(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(p *authtest.Process, id string, cookie secret.String) error{
		"for a backend": func(p *authtest.Process, id string, _ secret.String) error {
			_, err := p.TokenOf(id, token.Request{})
			return err
		},
		"for a frontend": func(p *authtest.Process, _ string, cookie secret.String) error {
			_, err := p.Token(cookie, 0)
			return err
		},
		"with a report": func(p *authtest.Process, id string, _ secret.String) error {
			_, err := p.TokenOf(id, token.Request{RefusedSHA256: store.HashText("another token").String()})
			return err
		},
		"for x/oauth2": func(p *authtest.Process, id string, _ secret.String) error {
			_, err := p.Tokens.Source(context.Background(), id).Token()
			return err
		},
		"for an HTTP client": func(p *authtest.Process, id string, _ secret.String) error {
			_, err := p.Tokens.HTTPClient(id).Get(authtest.AsanaURL + authtest.MePath)
			return err
		},
		"for memberships": func(p *authtest.Process, _ string, cookie secret.String) error {
			_, err := p.Members(cookie)
			return err
		},
		"for capabilities": func(p *authtest.Process, id string, _ secret.String) error {
			_, err := p.Memberships.Capabilities(authtest.BackendContext(), p.Open(id))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				cookie := inst.Process().SignIn(asanatest.Member)
				id := authtest.ConnectionOf(cookie)
				rev := inst.Rows.Hot(id).Rev
				requests := len(inst.Asana.Requests())
				authtest.WantKind(t, use(foreign(inst), id, cookie), asanaauth.Misconfigured)
				authtest.WantCount(t, "requests to Asana", len(inst.Asana.Requests())-requests, 0)
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "wrong_client_id"), 1)
				authtest.WantCount(t, "audit lines", inst.Log.Says("audit", "token_released"), 0)
				if inst.Rows.Hot(id).Rev != rev {
					t.Error("the row has changed")
				}
				inst.Process().MustToken(cookie, 0)
			})
		})
	}
}

// If a caller waits for a refresh, and the person connects again with another client ID
// in the meantime, the caller must not get the token of the new consent.
func TestAWaitingCallerGetsNoTokenOfAnotherClientID(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		inst.Expire()
		inst.InRequest("refresh_token", func() {
			inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) {
				hot.ClientID, hot.Expires = "999", time.Now().Add(time.Hour)
				hot.Grant++
			})
		})
		_, err := inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.Misconfigured)
	})
}
