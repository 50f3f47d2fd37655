package asanaauth_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The tests of this file follow "Letting go" sentence by sentence.

func (p *process) disconnect(cookie secret.String) (asanaauth.Disconnected, error) {
	ctx := context.Background()
	s, err := p.conns.Session(ctx, cookie)
	if err != nil {
		return asanaauth.Disconnected{}, err
	}
	return p.conns.Disconnect(ctx, s)
}

func (h *house) revocations() int { return h.asana.CountRequests("/-/oauth_revoke") }

func wantDisconnected(t *testing.T, got asanaauth.Disconnected, err error, status store.Status, revoked bool) {
	t.Helper()
	if err != nil || got.Status != status || got.Revoked != revoked {
		t.Fatalf("got %+v, %v; want %s, revoked %v", got, err, status, revoked)
	}
}

// wantEnded checks that a tombstone is all that is left.
func (h *house) wantEnded(cookie secret.String) {
	h.t.Helper()
	hot := h.hot(cookie)
	if hot.Status != store.Disconnected || len(hot.Access)+len(hot.Refresh) > 0 || hot.AsanaGID != "" {
		h.t.Errorf("the tombstone is more than one: %+v", hot)
	}
	if hot.Connection == "" || hot.Kind != store.OAuth || hot.Epoch == "" || hot.Owner.IsZero() {
		h.t.Errorf("the tombstone lacks id, kind, epoch or owner's hash: %+v", hot)
	}
	rows, _, err := h.rows.Scan(context.Background(), "")
	if err != nil {
		h.t.Fatal(err)
	}
	for _, row := range rows {
		switch row.(type) {
		case *store.Cold, *store.UserPointer, *store.Session:
			h.t.Errorf("a %T is left", row)
		}
	}
}

func TestDisconnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		epoch := h.hot(cookie).Epoch
		d, err := p.disconnect(cookie)
		wantDisconnected(t, d, err, store.Disconnected, true)
		wantCount(t, "revocations", h.revocations(), 1)
		h.wantEnded(cookie)
		hot := h.hot(cookie)
		if hot.Epoch == epoch {
			t.Error("the epoch is the old one")
		}
		wantCount(t, "grant", int(hot.Grant), 2)
		defer func() {
			p.signIn(asanatest.Member)
			wantCount(t, "generation of the next consent", int(h.hot(cookie).Generation), 2)
		}()
		if want := time.Now().Add(30 * 24 * time.Hour); !hot.End.Equal(want) {
			t.Errorf("the tombstone ends %v, want %v", hot.End, want)
		}
		_, err = p.conns.Session(context.Background(), cookie)
		wantKind(t, err, asanaauth.Unauthenticated)
		wantCount(t, "audit lines", h.log.says("audit", "revoked"), 1)
	})
}

// From the first write on no token is given out, whatever Asana does.
func TestNoTokenOnceMarked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		other := h.process().signIn(asanatest.Member)
		s := p.session(other)
		h.asana.Inject(asanatest.Fault{Path: "/-/oauth_revoke", Before: func(*http.Request) {
			for _, c := range []secret.String{cookie, other} {
				_, err := h.process().token(c, 0)
				wantKind(t, err, asanaauth.Unauthenticated)
			}
			hot := h.hot(cookie)
			if hot.Status != store.Revoking || len(hot.Access) > 0 || len(hot.Refresh) == 0 {
				t.Errorf("while revoking: %s, access %v, refresh %v", hot.Status, hot.Access, hot.Refresh)
			}
		}})
		if _, err := p.disconnect(cookie); err != nil {
			t.Fatal(err)
		}
		h.expire()
		_, err := p.conns.Token(context.Background(), s, asanaauth.TokenRequest{})
		wantKind(t, err, asanaauth.ReconnectRequired)
	})
}

func TestDisconnectWithAsanaAway(t *testing.T) {
	for name, fault := range map[string]asanatest.Fault{
		"503":      {Status: 503},
		"400":      {Status: 400, Body: `{"error":"invalid_request"}`},
		"cut":      {Cut: true},
		"slow":     {Delay: time.Minute},
		"redirect": {Status: 302, Header: http.Header{"Location": {"https://elsewhere.example"}}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				cookie := p.signIn(asanatest.Member)
				fault.Path = "/-/oauth_revoke"
				h.asana.Inject(fault)
				d, err := p.disconnect(cookie)
				wantDisconnected(t, d, err, store.Revoking, false)
				hot := h.hot(cookie)
				if hot.Status != store.Revoking || len(hot.Access) > 0 || len(hot.Refresh) == 0 || hot.Lease != "" {
					t.Errorf("row: %+v", hot)
				}
				if !hot.CoolUntil.After(time.Now()) {
					t.Error("Asana would be asked again at once")
				}
				if !hot.End.IsZero() {
					t.Error("a revoking row has a TTL")
				}
				_, err = p.token(cookie, 0)
				wantKind(t, err, asanaauth.Unauthenticated)
				wantCount(t, "audit lines", h.log.says("audit", "revoked"), 0)
			})
		})
	}
}

func TestDisconnectTakesTheLeaseLikeARefresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true; s.RevokeWholeGrant = false })
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		ended := make(chan struct{})
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", AnswerDelay: 4 * time.Second, Before: func(*http.Request) {
			go func() {
				defer close(ended)
				d, err := h.process().disconnect(cookie)
				wantDisconnected(t, d, err, store.Disconnected, true)
			}()
		}})
		_, err := h.process().token(cookie, 0)
		wantKind(t, err, asanaauth.ReconnectRequired)
		<-ended
		h.wantEnded(cookie)
		// It waited: what was revoked is the token that the refresh saved.
		wantCount(t, "revocations", h.revocations(), 1)
		if n := h.liveTokens(); n != 0 {
			t.Errorf("%d tokens still live at Asana", n)
		}
	})
}

// A refresh that stalled past its lease saves a rotated token while the
// disconnect has just revoked the old one: it starts again at the new grant.
func TestEraseOnlyAtTheGrantThatWasRevoked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.RevokeWholeGrant = false })
		cookie := h.process().signIn(asanatest.Member)
		h.asana.Inject(asanatest.Fault{Path: "/-/oauth_revoke", Before: func(*http.Request) {
			h.edit(cookie, func(hot *store.Hot) { hot.Grant++ })
		}})
		d, err := h.process().disconnect(cookie)
		wantDisconnected(t, d, err, store.Disconnected, true)
		wantCount(t, "revocations", h.revocations(), 2)
		h.wantEnded(cookie)
	})
}

func TestAsanaIsNotAskedWhereAnotherConnectionLives(t *testing.T) {
	for name, c := range map[string]struct {
		status store.Status
		kind   store.Kind
		kept   bool // its refresh token
		asked  bool
	}{
		"active":                      {store.Active, store.OAuth, true, false},
		"broken":                      {store.Broken, store.OAuth, true, false},
		"broken, nothing left to try": {store.Broken, store.OAuth, false, true},
		"revoking":                    {store.Revoking, store.OAuth, true, true},
		"disconnected":                {store.Disconnected, store.OAuth, false, true},
		"of another kind":             {store.Active, store.PersonalAccessToken, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				cookie := p.signIn(asanatest.Member)
				h.anotherConnection(asanatest.Member, c.kind, c.status, c.kept)
				d, err := p.disconnect(cookie)
				wantDisconnected(t, d, err, store.Disconnected, c.asked)
				if got := h.revocations() == 1; got != c.asked {
					t.Errorf("asked: %v, want %v", got, c.asked)
				}
				if hot := h.hot(cookie); len(hot.Refresh) > 0 || hot.Status != store.Disconnected {
					t.Error("it was not erased")
				}
			})
		})
	}
}

// anotherConnection puts one of the same Asana user, of another owner, into
// the table.
func (h *house) anotherConnection(gid string, kind store.Kind, status store.Status, kept bool) {
	h.t.Helper()
	owner := store.HashText("another owner")
	id := store.ConnectionID(owner, gid, kind)
	hot := &store.Hot{Connection: id, Kind: kind, AsanaGID: gid, ClientID: clientID, Owner: owner, Status: status, Generation: 1, Grant: 1}
	if kept {
		hot.Refresh = secret.Sealed("sealed")
	}
	pointer := &store.UserPointer{User: store.HashText(gid), Connection: id, Kind: kind}
	if err := h.rows.Write(context.Background(), store.Put(hot, store.Absent, "another"), store.Put(pointer, store.Absent, "another")); err != nil {
		h.t.Fatal(err)
	}
}

func TestDisconnectOfABrokenConnection(t *testing.T) {
	for name, kept := range map[string]bool{"with its refresh token": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				cookie := p.signIn(asanatest.Member)
				h.edit(cookie, func(hot *store.Hot) {
					hot.Status, hot.Access = store.Broken, nil
					if !kept {
						hot.Refresh = nil
					}
				})
				d, err := p.disconnect(cookie)
				wantDisconnected(t, d, err, store.Disconnected, kept)
				h.wantEnded(cookie)
			})
		})
	}
}

func TestDisconnectOutwaitsACoolDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.edit(cookie, func(hot *store.Hot) { hot.CoolUntil = time.Now().Add(6 * time.Second) })
		began := time.Now()
		d, err := p.disconnect(cookie)
		wantDisconnected(t, d, err, store.Disconnected, true)
		if took := time.Since(began); took != 6*time.Second {
			t.Errorf("asked after %v of a cool-down of 6s", took)
		}

		cookie = p.signIn(asanatest.Member)
		h.edit(cookie, func(hot *store.Hot) { hot.CoolUntil = time.Now().Add(5 * time.Minute) })
		began = time.Now()
		d, err = p.disconnect(cookie)
		wantDisconnected(t, d, err, store.Revoking, false)
		wantCount(t, "revocations", h.revocations(), 1)
		if took := time.Since(began); took != 0 {
			t.Errorf("waited %v for a cool-down that cannot be outwaited", took)
		}
	})
}

func TestNothingIsRevokedWithoutTimeForTheErasure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		slow := &storetest.Faulty{Store: h.rows, Hook: func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				time.Sleep(3 * time.Second)
			}
			return true, nil
		}}
		d, err := h.process(func(s *settings) { s.store = slow }).disconnect(cookie)
		wantDisconnected(t, d, err, store.Revoking, false)
		wantCount(t, "revocations", h.revocations(), 0)
		if hot := h.hot(cookie); hot.Status != store.Revoking {
			t.Errorf("status %s", hot.Status)
		}
	})
}

func TestACallerThatGoesAwayIsDisconnectedAllTheSame(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		ctx, cancel := context.WithCancel(t.Context())
		h.asana.Inject(asanatest.Fault{Path: "/-/oauth_revoke", Before: func(*http.Request) { cancel() }})
		p.conns.Disconnect(ctx, p.session(cookie))
		if hot := h.hot(cookie); hot.Status != store.Disconnected {
			t.Errorf("status %s", hot.Status)
		}
	})
}

// The session was opened, and before the first write somebody else ended the
// connection and the person came again.
func TestDisconnectByASessionThatEndedMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		old := p.signIn(asanatest.Member)
		s := p.session(old)
		if _, err := p.disconnect(old); err != nil {
			t.Fatal(err)
		}
		cookie := p.signIn(asanatest.Member)
		_, err := p.conns.Disconnect(context.Background(), s)
		wantKind(t, err, asanaauth.Unauthenticated)
		p.mustToken(cookie, 0)
	})
}

func TestASaveThatMeetsATombstoneRevokesWhatItHolds(t *testing.T) {
	for name, lives := range map[string]bool{"alone": false, "another connection lives": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true; s.RevokeWholeGrant = false })
				p := h.process()
				cookie := p.signIn(asanatest.Member)
				h.expire()
				before := h.hot(cookie)
				h.inRequest("refresh_token", func() {
					h.edit(cookie, func(hot *store.Hot) {
						*hot = store.Hot{
							Head: hot.Head, Connection: hot.Connection, Kind: hot.Kind, Owner: hot.Owner,
							Epoch: "another", Grant: before.Grant + 1, Generation: 1, Status: store.Disconnected, End: time.Now().Add(time.Hour),
						}
					})
					if lives {
						h.anotherConnection(asanatest.Member, store.OAuth, store.Active, true)
					}
				})
				_, err := p.token(cookie, 0)
				wantKind(t, err, asanaauth.ReconnectRequired)
				want := 1
				if lives {
					want = 0
				}
				wantCount(t, "revocations", h.revocations(), want)
				if !lives && h.liveTokens() != 0 {
					t.Error("the token that nobody keeps still lives")
				}
			})
		})
	}
}

func TestASaveThatMeetsANewConsentRevokesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.expire()
		h.inRequest("refresh_token", func() { h.process().signIn(asanatest.Member) })
		if token := p.mustToken(cookie, 0); token.ExpiresIn != time.Hour {
			t.Errorf("%v left, want the new consent's hour", token.ExpiresIn)
		}
		wantCount(t, "revocations", h.revocations(), 0)
		wantCount(t, "looks at who else is here", h.table.Count("list"), 0)
	})
}

func TestConnectingAgainDropsTheRevocation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		old := p.signIn(asanatest.Member)
		h.asana.Inject(asanatest.Fault{Path: "/-/oauth_revoke", Status: 503})
		if _, err := p.disconnect(old); err != nil {
			t.Fatal(err)
		}
		epoch := h.hot(old).Epoch
		cookie := p.signIn(asanatest.Member)
		p.mustToken(cookie, 0)
		if hot := h.hot(cookie); hot.Status != store.Active || hot.Epoch != epoch || !hot.CoolUntil.IsZero() {
			t.Errorf("row: %+v", hot)
		}
		wantCount(t, "revocations", h.revocations(), 1)
		wantCount(t, "audit lines", h.log.saysAlso("revocation_dropped", "true"), 1)
		_, err := p.token(old, 0)
		wantKind(t, err, asanaauth.Unauthenticated)
	})
}

// The person connects again while the old grant is being revoked: the new
// grant is not erased with it.
func TestDisconnectDoesNotEraseANewConsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.RevokeWholeGrant = false })
		old := h.process().signIn(asanatest.Member)
		var cookie secret.String
		h.asana.Inject(asanatest.Fault{Path: "/-/oauth_revoke", Before: func(*http.Request) {
			cookie = h.process().signIn(asanatest.Member)
		}})
		_, err := h.process().disconnect(old)
		wantKind(t, err, asanaauth.TryAgain)
		h.process().mustToken(cookie, 0)
		h.expire()
		h.process().mustToken(cookie, 0)
	})
}

func TestDisconnectUnderAnotherClientIDChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		_, err := h.process(func(s *settings) { s.clientID = "999" }).disconnect(cookie)
		wantKind(t, err, asanaauth.Misconfigured)
		wantCount(t, "revocations", h.revocations(), 0)
		h.process().mustToken(cookie, 0)
	})
}

func TestDisconnectWithARejectedSecret(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.app(func(a *asanatest.App) { a.ClientSecret, a.NextClientSecret = "another", "" })
		d, err := p.disconnect(cookie)
		wantDisconnected(t, d, err, store.Revoking, false)
		wantCount(t, "alarms", h.log.says("alarm", "client_secret_rejected"), 1)
	})
}

// Every operation of a disconnect fails in both ways, one at a time. In the
// end the connection is whole, or on its way out, or gone; a second disconnect
// after the person came again, or the first one's retry, ends it; and never is
// it said to be revoked when Asana was not asked.
func TestCrashPointsOfDisconnect(t *testing.T) {
	for _, saved := range []bool{false, true} {
		for at := 1; ; at++ {
			done := false
			t.Run(fmt.Sprintf("operation %d, saved %v", at, saved), func(t *testing.T) {
				bubble(t, func(t *testing.T) { done = crashDisconnect(t, at, saved) })
			})
			if done {
				break
			}
		}
	}
}

func crashDisconnect(t *testing.T, at int, saved bool) (beyond bool) {
	h := newHouse(t)
	p := h.process()
	cookie := p.signIn(asanatest.Member)
	s := p.session(cookie)
	operations := 0
	h.table.Hook = func(context.Context, storetest.Op) (bool, error) {
		operations++
		if operations == at {
			return saved, errAway
		}
		return true, nil
	}
	d, err := p.conns.Disconnect(context.Background(), s)
	h.table.Hook = nil
	if err == nil && d.Revoked && h.revocations() == 0 {
		t.Error("said to be revoked, and Asana was not asked")
	}
	if err == nil && d.Status == store.Disconnected {
		if hot := h.hot(cookie); hot.Status != store.Disconnected {
			t.Errorf("said to be disconnected, and is %s", hot.Status)
		}
	}
	time.Sleep(20 * time.Second) // a lease that was left behind runs out
	again := p.signIn(asanatest.Member)
	p.mustToken(again, 0)
	d, err = p.disconnect(again)
	wantDisconnected(t, d, err, store.Disconnected, true)
	return operations < at
}

// A process dies after Asana has revoked and before the row is erased: the
// next one finds the token unknown at Asana, which is as good.
func TestRevokedAndNotErased(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		gone := false
		dies := &storetest.Faulty{Store: h.rows, Hook: func(context.Context, storetest.Op) (bool, error) {
			return !gone, failIf(gone, errAway)
		}}
		h.asana.Inject(asanatest.Fault{Path: "/-/oauth_revoke", Before: func(*http.Request) { gone = true }, Times: 1})
		d, err := h.process(func(s *settings) { s.store = dies }).disconnect(cookie)
		wantDisconnected(t, d, err, store.Revoking, false)
		if hot := h.hot(cookie); hot.Status != store.Revoking || len(hot.Refresh) == 0 {
			t.Errorf("row: %+v", hot)
		}
	})
}
