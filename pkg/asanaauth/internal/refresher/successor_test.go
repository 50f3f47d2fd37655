package refresher_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A refresh loses Asana's response. If Asana may have rotated the refresh token, its
// successor may still be valid, so a disconnect must not claim that the grant was revoked.
func TestADisconnectInDoubtDoesNotClaimARevocation(t *testing.T) {
	var (
		answerLost  = asanatest.Fault{GrantType: refreshGrant, CutAfterApply: true}
		requestLost = asanatest.Fault{GrantType: refreshGrant, Cut: true}
	)
	for name, c := range map[string]struct {
		rotates       bool
		before, after int // successful refreshes before and after the loss
		fault         asanatest.Fault
		want          connection.Disconnection
	}{
		"rotation was seen":                             {true, 1, 0, answerLost, erased},
		"rotation was seen, the request was lost":       {true, 1, 0, requestLost, erased},
		"rotation was seen, one save":                   {true, 1, 1, requestLost, erased},
		"rotation was seen, two saves end the doubt":    {true, 1, 2, requestLost, revoked},
		"rotation was seen, no loss":                    {true, 1, 0, asanatest.Fault{}, revoked},
		"the first answer was lost":                     {true, 0, 0, answerLost, erased},
		"the first request was lost":                    {true, 0, 0, requestLost, revoked},
		"Asana does not rotate":                         {false, 1, 0, answerLost, revoked},
		"Asana does not rotate, first answer was lost":  {false, 0, 0, answerLost, revoked},
		"Asana does not rotate, first request was lost": {false, 0, 0, requestLost, revoked},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = c.rotates })
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				for range c.before {
					inst.Expire()
					p.MustToken(cookie, 0)
				}
				inst.Expire()
				if c.fault.GrantType != "" {
					inst.Asana.Inject(c.fault)
					_, err := p.Token(cookie, 0)
					authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
					time.Sleep(8 * time.Second)
				}
				for range c.after {
					p.MustToken(cookie, 0)
					inst.Expire()
				}
				d, err := inst.Process().Disconnect(cookie)
				wantDisconnection(t, d, err, c.want)
				wantAlarmOnlyIf(t, inst, !c.want.Revoked)
			})
		})
	}
}

// If the connection is in doubt and Asana does not say whether the token is still active, a
// disconnect must not claim that the grant was revoked.
func TestADisconnectInDoubtWithoutAnIntrospection(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Cut: true})
		_, err := inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		time.Sleep(8 * time.Second)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.IntrospectPath, Status: 503})
		d, err := inst.Process().Disconnect(cookie)
		wantDisconnection(t, d, err, erased)
		wantAlarmOnlyIf(t, inst, true)
		authtest.WantCount(t, "revocations", inst.Revocations(), 1)
	})
}

func wantAlarmOnlyIf(t *testing.T, inst *authtest.Installation, doubtful bool) {
	t.Helper()
	alarms, audits := 0, 1
	if doubtful {
		alarms, audits = 1, 0
	}
	authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmLost), alarms)
	authtest.WantCount(t, "audit lines about a revocation", inst.Log.Says("audit", row.AuditRevoked), audits)
}

// A consent does not change whether Asana rotates.
func TestANewConsentKeepsWhatIsKnownAboutRotation(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		inst.Process().MustToken(cookie, 0)
		cookie = inst.Process().SignIn(asanatest.Member)
		if hot := inst.Rows.Hot(cookie.Reveal()); !hot.Rotates || hot.DoubtedGrant != 0 {
			t.Errorf("got rotates %v, doubted grant %d", hot.Rotates, hot.DoubtedGrant)
		}
	})
}

// The connection broke because a rotated token was lost. This token may still be valid.
func TestADisconnectAfterALostTokenDoesNotClaimARevocation(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		p := inst.Process()
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, CutAfterApply: true})
		_, err := p.Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		time.Sleep(8 * time.Second)
		_, err = p.Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		d, err := p.Disconnect(cookie)
		wantDisconnection(t, d, err, erased)
		authtest.WantCount(t, "alarms (break, disconnect)", inst.Log.Says("alarm", row.AlarmLost), 2)
	})
}

// A process that dies while it revokes sends no refresh request, so no rotated token can be
// lost, and the next disconnect may claim the revocation.
func TestADeadRevokersLeaseIsNoDoubt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Switches(rotate)
		cookie := inst.Process().SignIn(asanatest.Member)
		id := authtest.ConnectionOf(cookie)
		var dead atomic.Bool
		dying := &storetest.Faulty{Store: inst.Rows, Hook: func(context.Context, storetest.Op) (bool, error) {
			return !dead.Load(), authtest.FailIf(dead.Load(), authtest.ErrTableDown)
		}}
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Apply: true, AnswerDelay: time.Millisecond})
		time.AfterFunc(time.Millisecond/2, func() { dead.Store(true) })
		if d, err := inst.Process(withStore(dying)).Disconnect(cookie); err == nil && d.Status == asanaauth.Disconnected {
			t.Fatalf("got %+v from a dead process", d)
		}
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Status != row.Revoking || hot.Lease == "" {
			t.Fatalf("got status %s, lease %q; want a dead revoker's lease", hot.Status, hot.Lease)
		}
		time.Sleep(time.Minute)
		p := inst.Process()
		d, err := p.Connections.Disconnect(t.Context(), p.Open(id))
		wantDisconnection(t, d, err, revoked)
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmLost), 0)
	})
}
