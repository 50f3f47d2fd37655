package asanaauth_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// Seed 1067: the table's answer to the mark `broken` was lost, and nobody heard
// that a rotated token was. It is said, too, where the table stays away.
func TestALostTokenIsSaidWhateverTheTableDoes(t *testing.T) {
	for name, times := range map[string]int{"the answer is lost": 1, "the table stays away": 1000} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				cookie := h.process().signIn(asanatest.Member)
				h.expire()
				h.edit(cookie, func(hot *store.Hot) { hot.Unsettled = true })
				h.switches(func(s *asanatest.Switches) { s.RefuseRefresh = true })
				left := times
				h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
					if op.Name == "write" && op.Changes[0].Row.(*store.Hot).Status == store.Broken && left > 0 {
						left--
						return true, errAway
					}
					return true, nil
				}
				_, err := h.process().token(cookie, 0)
				wantKind(t, err, asanaauth.ReconnectRequired)
				wantCount(t, "alarms", h.log.says("alarm", "rotated_token_lost"), 1)
			})
		})
	}
}

// Seed 1422: a refresh fails when the person has connected again, and ended
// that connection, too. What the refresh knew of the row counts no more.
func TestARefreshThatFailsServesNoRowOfTheirs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		time.Sleep(58 * time.Minute)
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Status: 503, Before: func(*http.Request) {
			_, err := h.process().disconnect(h.process().signIn(asanatest.Member))
			if err != nil {
				t.Error(err)
			}
		}})
		_, err := h.process().token(cookie, asanaauth.DefaultMinTTL)
		wantKind(t, err, asanaauth.AsanaUnavailable)
	})
}

// Seeds 1675 and 1848: a holder stalls past its lease, and the next one sends
// the same token again; or it stalls before it sends, and is itself the second.
// An Asana that ends a consent whose rotated token comes again then ends the
// token that was saved, which must not look like any other refusal.
func TestATokenSentTwiceIsRemembered(t *testing.T) {
	for name, c := range map[string]struct {
		wakesLate wakesLate
		fault     asanatest.Fault // of the second holder's request
	}{
		"after Asana answered":    {wakesLate{after: 18 * time.Second}, asanatest.Fault{AnswerDelay: 5 * time.Second}},
		"before Asana was asked":  {wakesLate{before: 18 * time.Second}, asanatest.Fault{}},
		"and its answer was lost": {wakesLate{before: 18 * time.Second, err: errors.New("lost")}, asanatest.Fault{}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens, s.ReuseRevokes = true, true })
				cookie := h.process().signIn(asanatest.Member)
				time.Sleep(59*time.Minute + 30*time.Second)
				if c.wakesLate.after > 0 { // the first request to come is the late one's
					h.asana.Inject(asanatest.Fault{GrantType: "refresh_token"})
				}
				c.fault.GrantType = "refresh_token"
				h.asana.Inject(c.fault)
				first, second := make(chan error), make(chan error)
				c.wakesLate.next = h.wire
				go func() {
					late := h.process(func(s *settings) { s.transport = c.wakesLate })
					_, err := late.token(cookie, asanaauth.DefaultMinTTL)
					first <- err
				}()
				go func() {
					time.Sleep(15 * time.Second)
					_, err := h.process().token(cookie, asanaauth.DefaultMinTTL)
					second <- err
				}()
				if err := errors.Join(<-second, <-first); err != nil {
					t.Fatal(err)
				}
				wantCount(t, "refreshes", h.refreshes(), 2)
				h.expire()
				_, err := h.process().token(cookie, 0)
				wantKind(t, err, asanaauth.ReconnectRequired)
				wantCount(t, "alarms", h.log.says("alarm", "rotated_token_lost"), 1)
			})
		})
	}
}

// wakesLate is a process that is not run for a while before its requests, or
// when their answers are there.
type wakesLate struct {
	next          http.RoundTripper
	before, after time.Duration
	err           error
}

func (w wakesLate) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(w.before)
	answer, err := w.next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
	time.Sleep(w.after)
	if w.err != nil {
		return nil, w.err
	}
	return answer, err
}
