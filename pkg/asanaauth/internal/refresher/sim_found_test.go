package refresher_test

import (
	"context"
	"errors"
	"net/http"
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

// Each of these tests reproduces a bug that the simulation found.

// When a lost token makes a connection broken, the alarm must be raised even if the
// response to the write is lost, once or every time.
func TestALostTokenIsAnAlarmWhateverTheTableDoes(t *testing.T) {
	for name, times := range map[string]int{"the response is lost": 1, "the table stays down": 1000} {
		t.Run(name, func(t *testing.T) {
			expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
				inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.DoubtedGrant = hot.Grant })
				inst.Switches(refuseRefresh)
				left := times
				inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
					if isWrite(op) && op.Changes[0].Row.(*store.Hot).Status == row.Broken && left > 0 {
						left--
						return true, authtest.ErrTableDown
					}
					return true, nil
				}
				_, err := inst.Process().Token(cookie, 0)
				authtest.WantKind(t, err, asanaauth.ReconnectRequired)
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmLost), 1)
			})
		})
	}
}

// While Asana processes a refresh request, the person connects again and then
// disconnects. The request fails. The caller must get an error, and not the token that
// was in the row before the refresh.
func TestAFailedRefreshDoesNotServeTheRowOfAnotherConsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		time.Sleep(58 * time.Minute)
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Status: 503, Before: func(*http.Request) {
			if _, err := inst.Process().Disconnect(inst.Process().SignIn(asanatest.Member)); err != nil {
				t.Error(err)
			}
		}})
		_, err := inst.Process().Token(cookie, someTTL)
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
	})
}

// If a holder is suspended past the end of its lease, two holders send the same refresh
// token. Asana then ends the consent, because a rotated token is used again. When Asana
// rejects the saved token, the alarm about a lost token must be raised.
func TestATokenSentTwiceIsRemembered(t *testing.T) {
	for name, c := range map[string]struct {
		stalls stalls
		fault  asanatest.Fault // the fault for the second holder's request
	}{
		"after Asana responded":     {stalls{after: 18 * time.Second}, asanatest.Fault{AnswerDelay: 5 * time.Second}},
		"before Asana was asked":    {stalls{before: 18 * time.Second}, asanatest.Fault{}},
		"and its response was lost": {stalls{before: 18 * time.Second, err: errors.New("lost")}, asanatest.Fault{}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens, s.ReuseRevokes = true, true })
				cookie := inst.Process().SignIn(asanatest.Member)
				time.Sleep(59*time.Minute + 30*time.Second)
				if c.stalls.after > 0 { // the stalled holder's request reaches Asana first
					inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant})
				}
				c.fault.GrantType = refreshGrant
				inst.Asana.Inject(c.fault)
				first, second := make(chan error), make(chan error)
				c.stalls.next = inst.Wire
				go func() {
					stalling := inst.Process(func(s *authtest.Settings) { s.Transport = c.stalls })
					_, err := stalling.Token(cookie, someTTL)
					first <- err
				}()
				go func() {
					time.Sleep(15 * time.Second)
					_, err := inst.Process().Token(cookie, someTTL)
					second <- err
				}()
				if err := errors.Join(<-second, <-first); err != nil {
					t.Fatal(err)
				}
				authtest.WantCount(t, "refreshes", inst.Refreshes(), 2)
				inst.Expire()
				_, err := inst.Process().Token(cookie, 0)
				authtest.WantKind(t, err, asanaauth.ReconnectRequired)
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmLost), 1)
			})
		})
	}
}

// A takes the lease and stalls. B overtakes A, and Asana rotates the token for B. Then A's
// request arrives, Asana ends the consent because the token is used again, and A gives up.
// B saves only after that. The save must not end the doubt, because the next refresh
// breaks the connection, and the reason is a lost token.
func TestAStalledHoldersRequestThatArrivesBeforeTheSaveIsRemembered(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens, s.ReuseRevokes = true, true })
		stalling := inst.Process(func(s *authtest.Settings) {
			s.Transport = stalls{next: inst.Wire, before: 16 * time.Second}
		})
		inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, Apply: true, AnswerDelay: 5 * time.Second}) // for B, which sends first
		a := make(chan error, 1)
		go func() {
			_, err := stalling.Token(cookie, 0)
			a <- err
		}()
		time.Sleep(time.Second)
		inst.Process().MustToken(cookie, 0)
		if err := <-a; err != nil {
			t.Logf("the stalled holder: %v", err)
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 2)
		inst.Expire()
		_, err := inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		if got := inst.Rows.Hot(cookie.Reveal()).Reason; got != asanaauth.ReasonLostToken {
			t.Errorf("reason = %q, want %q", got, asanaauth.ReasonLostToken)
		}
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmLost), 1)
	})
}

// stalls is an HTTP transport that suspends the process before it sends a request, or
// after Asana's response.
type stalls struct {
	next          http.RoundTripper
	before, after time.Duration
	err           error
}

func (s stalls) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(s.before)
	resp, err := s.next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
	time.Sleep(s.after)
	if s.err != nil {
		return nil, s.err
	}
	return resp, err
}
