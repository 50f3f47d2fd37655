package refresher_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func refuseRefresh(s *asanatest.Switches) { s.RefuseRefresh = true }

func TestTransientFailuresDoNotBreakAConnection(t *testing.T) {
	for name, fault := range map[string]asanatest.Fault{
		"500":                           {Status: 500},
		"503":                           {Status: 503},
		"429":                           {Status: 429},
		"302":                           {Status: 302, Header: http.Header{"Location": {"https://elsewhere.example/"}}},
		"no response":                   {Cut: true},
		"nonsense":                      {Body: "<html>", ContentType: "text/html"},
		"empty object":                  {Body: "{}"},
		"empty refresh token":           {Body: `{"access_token":"a","refresh_token":"","token_type":"bearer","expires_in":3600}`},
		"another error":                 {Status: 400, Body: `{"error":"invalid_request"}`},
		"invalid_grant with status 500": {Status: 500, Body: `{"error":"invalid_grant"}`},
		"invalid_grant with status 200": {Status: 200, Body: `{"error":"invalid_grant"}`},
		"response lost":                 {CutAfterApply: true},
	} {
		t.Run(name, func(t *testing.T) {
			expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
				fault.GrantType = refreshGrant
				inst.Asana.Inject(fault)
				want := asanaauth.AsanaUnavailable
				if fault.Status == http.StatusTooManyRequests {
					want = asanaauth.TryAgain
				}
				_, err := inst.Process().Token(cookie, 0)
				authtest.WantKind(t, err, want)
				_, err = inst.Process().Token(cookie, 0)
				authtest.WantKind(t, err, asanaauth.TryAgain)
				authtest.WantCount(t, "requests during the cool-down", inst.Refreshes(), 1)
				if hot := inst.Rows.Hot(cookie.Reveal()); hot.Status != row.Active || hot.Lease != "" {
					t.Errorf("status %s, lease %q", hot.Status, hot.Lease)
				}
				time.Sleep(8 * time.Second)
				inst.Process().MustToken(cookie, 0)
			})
		})
	}
}

func TestCoolDown(t *testing.T) {
	for name, c := range map[string]struct {
		retryAfter string
		low, high  time.Duration
	}{
		"jitter":               {"", 2 * time.Second, 8 * time.Second},
		"Retry-After":          {"60", time.Minute, time.Minute},
		"Retry-After too long": {"86400", 5 * time.Minute, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
				inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Status: 429, Header: http.Header{"Retry-After": {c.retryAfter}}})
				inst.Table.Reset()
				_, first := inst.Process().Token(cookie, 0)
				authtest.WantCount(t, "writes (lease; cool-down and no lease)", inst.Table.Count("write"), 2)
				left := time.Until(inst.Rows.Hot(cookie.Reveal()).CoolUntil)
				if left < c.low || left > c.high {
					t.Errorf("the cool-down is %v, want %v to %v", left, c.low, c.high)
				}
				_, second := inst.Process().Token(cookie, 0)
				for _, err := range []error{first, second} {
					authtest.WantKind(t, err, asanaauth.TryAgain)
					var e *asanaauth.Error
					if !errors.As(err, &e) || e.RetryAfter < left {
						t.Errorf("%v: RetryAfter is less than the %v of the cool-down", err, left)
					}
				}
			})
		})
	}
}

func TestInvalidGrantBreaksAConnection(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(refuseRefresh)
		_, err := inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		hot := inst.Rows.Hot(cookie.Reveal())
		if hot.Status != row.Broken || hot.Reason != asanaauth.ReasonInvalidGrant || hot.Lease != "" || !hot.BrokenAt.Equal(time.Now()) {
			t.Errorf("got row: %s, %s, lease %q, broken at %v", hot.Status, hot.Reason, hot.Lease, hot.BrokenAt)
		}
		if len(hot.Refresh) == 0 || len(hot.Access) > 0 {
			t.Errorf("refresh token kept: %v, want true; access token kept: %v, want false", len(hot.Refresh) > 0, len(hot.Access) > 0)
		}
		_, err = inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		authtest.WantCount(t, "requests", inst.Refreshes(), 1)
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditReconnect), 1)
	})
}

// If a different writer changes the tokens while Asana processes a refresh request, an
// invalid_grant response must not break the connection, because the row's new refresh
// token may still be valid.
func TestInvalidGrantForAnOldGrantBreaksNothing(t *testing.T) {
	for name, change := range map[string]func(*store.Hot){
		"another grant":      func(hot *store.Hot) { hot.Grant++; hot.Expires = time.Now().Add(time.Hour) },
		"another generation": func(hot *store.Hot) { hot.Generation++; hot.Expires = time.Now().Add(time.Hour) },
		"another lease":      leasedFor(time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
				inst.Asana.Inject(asanatest.Fault{
					GrantType: refreshGrant, Status: 400, Body: `{"error":"invalid_grant"}`,
					Before: func(*http.Request) { inst.Rows.Edit(cookie.Reveal(), change) },
				})
				inst.Process().MustToken(cookie, 0)
				if got := inst.Rows.Hot(cookie.Reveal()).Status; got != row.Active {
					t.Errorf("status = %s, want active", got)
				}
			})
		})
	}
}

// While Asana processes a refresh request, a disconnect marks the connection as revoking.
// If Asana then rejects the refresh token, the status must stay revoking: the disconnect
// must still erase the connection.
func TestInvalidGrantDoesNotBreakARevokingConnection(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Asana.Inject(asanatest.Fault{
			GrantType: refreshGrant, Status: 400, Body: `{"error":"invalid_grant"}`,
			Before: func(*http.Request) {
				inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Status, hot.Epoch, hot.Access = row.Revoking, "another", nil })
			},
		})
		_, err := inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Status != row.Revoking || hot.Reason != "" || hot.Lease != "" || len(hot.Refresh) == 0 {
			t.Errorf("got status %s, reason %q, lease %q", hot.Status, hot.Reason, hot.Lease)
		}
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditReconnect), 0)
	})
}

func TestARotatedTokenThatDiedWithItsHolderIsAnAlarm(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		var dead atomic.Bool
		dying := &storetest.Faulty{Store: inst.Rows, Hook: func(context.Context, storetest.Op) (bool, error) {
			return !dead.Load(), authtest.FailIf(dead.Load(), authtest.ErrTableDown)
		}}
		inst.InRequest(refreshGrant, func() { dead.Store(true) })
		if _, err := inst.Process(withStore(dying)).Token(cookie, 0); err == nil {
			t.Fatal("a rotated token was returned although it was not saved")
		}
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmUnsaved), 1)
		_, err := inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		if got := inst.Rows.Hot(cookie.Reveal()).Reason; got != asanaauth.ReasonLostToken {
			t.Errorf("reason = %q", got)
		}
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmLost), 1)
	})
}

// A refresh fails, and Asana later rejects the refresh token, which breaks the
// connection. If Asana may have rotated the token in the failed refresh, the connection's
// reason must be ReasonLostToken. If Asana refused the first request, it must be a
// different reason.
func TestAnUnknownOutcomeIsRemembered(t *testing.T) {
	for name, c := range map[string]struct {
		fault asanatest.Fault
		lost  bool
	}{
		"no response":         {asanatest.Fault{CutAfterApply: true}, true},
		"too late":            {asanatest.Fault{AnswerDelay: 9 * time.Second}, true},
		"a gateway's error":   {asanatest.Fault{Status: 502, Apply: true}, true},
		"nonsense in a 200":   {asanatest.Fault{Body: "{}", Apply: true}, true},
		"rate limit":          {asanatest.Fault{Status: 429}, false},
		"another OAuth error": {asanatest.Fault{Status: 400, Body: `{"error":"invalid_request"}`}, false},
		"a redirect":          {asanatest.Fault{Status: 302}, false},
		"a rejected client":   {asanatest.Fault{Status: 401, Body: `{"error":"invalid_client"}`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
				inst.Switches(rotate)
				c.fault.GrantType = refreshGrant
				inst.Asana.Inject(c.fault)
				if _, err := inst.Process().Token(cookie, 0); err == nil {
					t.Error("got a token, want an error")
				}
				time.Sleep(8 * time.Second)
				inst.Switches(refuseRefresh)
				_, err := inst.Process().Token(cookie, 0)
				authtest.WantKind(t, err, asanaauth.ReconnectRequired)
				if got := inst.Rows.Hot(cookie.Reveal()).Reason == asanaauth.ReasonLostToken; got != c.lost {
					t.Errorf("reason %q", inst.Rows.Hot(cookie.Reveal()).Reason)
				}
				if got := inst.Log.Says("alarm", row.AlarmLost) == 1; got != c.lost {
					t.Errorf("alarm: %v, want %v", got, c.lost)
				}
			})
		})
	}
}

// A doubt lasts for one more save, and then ends.
func TestADoubtLastsForOneMoreSave(t *testing.T) {
	for saves, want := range []string{asanaauth.ReasonLostToken, asanaauth.ReasonLostToken, asanaauth.ReasonInvalidGrant} {
		t.Run(fmt.Sprint(saves, " saves"), func(t *testing.T) {
			expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
				inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Cut: true})
				_, err := inst.Process().Token(cookie, 0)
				authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
				authtest.WantCount(t, "doubted grant", int(inst.Rows.Hot(cookie.Reveal()).DoubtedGrant), 1)
				time.Sleep(8 * time.Second)
				for range saves {
					inst.Process().MustToken(cookie, 0)
					inst.Expire()
				}
				inst.Switches(refuseRefresh)
				_, err = inst.Process().Token(cookie, 0)
				authtest.WantKind(t, err, asanaauth.ReconnectRequired)
				if got := inst.Rows.Hot(cookie.Reveal()).Reason; got != want {
					t.Errorf("reason = %q, want %q", got, want)
				}
				lost := 0
				if want == asanaauth.ReasonLostToken {
					lost = 1
				}
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmLost), lost)
			})
		})
	}
}

// A holder stalls past its lease. A different holder overtakes it, and a second refresh
// follows at once. Then the first holder's request reaches Asana, and the first holder
// dies. Asana ends the consent, because an old token is used again. The connection then
// breaks, and the reason must be a lost token.
func TestASaveAfterADeadHoldersLeaseKeepsTheDoubt(t *testing.T) {
	for name, saves := range map[string]int{"one save": 1, "two saves": 2} {
		t.Run(name, func(t *testing.T) {
			expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
				inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens, s.ReuseRevokes = true, true })
				var dead atomic.Bool
				dying := &storetest.Faulty{Store: inst.Rows, Hook: func(context.Context, storetest.Op) (bool, error) {
					return !dead.Load(), authtest.FailIf(dead.Load(), authtest.ErrTableDown)
				}}
				stalling := inst.Process(withStore(dying), func(s *authtest.Settings) {
					s.Transport = stalls{next: inst.Wire, before: 20 * time.Second}
				})
				first := make(chan error, 1)
				go func() {
					_, err := stalling.Token(cookie, 0)
					first <- err
				}()
				time.Sleep(time.Second)
				p := inst.Process()
				got := p.MustToken(cookie, 0)
				if saves == 2 {
					if _, err := p.Refused(cookie, got); err != nil {
						t.Fatal(err)
					}
				}
				dead.Store(true)
				if err := <-first; err == nil {
					t.Fatal("the stalled holder got a token")
				}
				authtest.WantCount(t, "grant", int(inst.Rows.Hot(cookie.Reveal()).Grant), 1+saves)
				inst.Expire()
				_, err := p.Token(cookie, 0)
				authtest.WantKind(t, err, asanaauth.ReconnectRequired)
				if got := inst.Rows.Hot(cookie.Reveal()).Reason; got != asanaauth.ReasonLostToken {
					t.Errorf("reason = %q", got)
				}
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmLost), 1)
			})
		})
	}
}

// A stalled holder's request arrives after several saves, when the doubt of the first save
// has ended. The holder must put the row in doubt, because its request may have ended the
// row's token.
func TestARequestThatArrivesAfterSeveralSavesIsNoted(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens, s.ReuseRevokes = true, true })
		stalling := inst.Process(func(s *authtest.Settings) {
			s.Transport = stalls{next: inst.Wire, before: 100 * time.Second}
		})
		first := make(chan error, 1)
		go func() {
			_, err := stalling.Token(cookie, 0)
			first <- err
		}()
		time.Sleep(time.Second)
		p := inst.Process()
		got := p.MustToken(cookie, 0)
		for range 2 {
			time.Sleep(31 * time.Second)
			var err error
			if got, err = p.Refused(cookie, got); err != nil {
				t.Fatal(err)
			}
		}
		<-first
		authtest.WantCount(t, "grant", int(inst.Rows.Hot(cookie.Reveal()).Grant), 4)
		inst.Expire()
		_, err := p.Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		if got := inst.Rows.Hot(cookie.Reveal()).Reason; got != asanaauth.ReasonLostToken {
			t.Errorf("reason = %q", got)
		}
	})
}
