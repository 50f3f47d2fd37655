package connection_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestDisconnectTakesTheLeaseLikeARefresh(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true; s.RevokeWholeGrant = false })
		cookie := inst.Process().SignIn(asanatest.Member)
		inst.Expire()
		ended := make(chan struct{})
		inst.Asana.Inject(asanatest.Fault{GrantType: "refresh_token", AnswerDelay: 4 * time.Second, Before: func(*http.Request) {
			go func() {
				defer close(ended)
				d, err := inst.Process().Disconnect(cookie)
				wantDisconnected(t, d, err, asanaauth.Disconnected, true)
			}()
		}})
		_, err := inst.Process().Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		<-ended
		inst.Rows.WantTombstone(cookie.Reveal())
		// Disconnect waited for the refresh, and revoked the token that the refresh saved.
		authtest.WantCount(t, "revocations", inst.Revocations(), 1)
		if n := inst.LiveTokens(); n != 0 {
			t.Errorf("%d refresh tokens are still valid at Asana", n)
		}
	})
}

// A stalled refresh saves a rotated token while Disconnect revokes the old token.
// Disconnect must then also revoke the new token before it erases the connection.
func TestEraseOnlyAtTheGrantThatWasRevoked(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Switches(func(s *asanatest.Switches) { s.RevokeWholeGrant = false })
		cookie := inst.Process().SignIn(asanatest.Member)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Before: func(*http.Request) {
			inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Grant++ })
		}})
		d, err := inst.Process().Disconnect(cookie)
		wantDisconnected(t, d, err, asanaauth.Disconnected, true)
		authtest.WantCount(t, "revocations", inst.Revocations(), 2)
		inst.Rows.WantTombstone(cookie.Reveal())
	})
}

func TestDisconnectGoesOnWhenItsCallerIsGone(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		ctx, cancel := context.WithCancel(t.Context())
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Before: func(*http.Request) { cancel() }})
		p.Sessions.Disconnect(ctx, p.Session(cookie), p.Connections)
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Status != string(asanaauth.Disconnected) {
			t.Errorf("status %s", hot.Status)
		}
	})
}

// After a session is opened, another process disconnects its connection, and the person
// connects again. The old session must not end the new connection.
func TestDisconnectByASessionThatHasEnded(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		old := p.SignIn(asanatest.Member)
		s := p.Session(old)
		if _, err := p.Disconnect(old); err != nil {
			t.Fatal(err)
		}
		cookie := p.SignIn(asanatest.Member)
		_, err := p.Sessions.Disconnect(context.Background(), s, p.Connections)
		authtest.WantKind(t, err, asanaauth.Unauthenticated)
		p.MustToken(cookie, 0)
	})
}

// After a backend opens a connection, another process disconnects the connection, and the
// person connects again. Unlike a session, the backend may still disconnect the new
// connection.
func TestDisconnectOfAConnectionThatHasChanged(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d := p.Connect("o", asanatest.Member)
		conn := p.Open(d.ID)
		if _, err := inst.Process().Connections.Disconnect(t.Context(), p.Open(d.ID)); err != nil {
			t.Fatal(err)
		}
		got, err := p.Connections.Disconnect(t.Context(), conn)
		wantDisconnected(t, got, err, asanaauth.Disconnected, false)

		p.Connect("o", asanatest.Member)
		got, err = p.Connections.Disconnect(t.Context(), conn) // opened in an earlier epoch
		wantDisconnected(t, got, err, asanaauth.Disconnected, true)

		p.Connect("o", asanatest.Member)
		conn = p.Open(d.ID)
		inst.Rows.Delete(store.HotKey(d.ID))
		_, err = p.Connections.Disconnect(t.Context(), conn)
		authtest.WantKind(t, err, asanaauth.NotFound)
	})
}

// If a connection is erased during a refresh, the refresh gets a rotated token that
// cannot be saved. The refresh must revoke that token, unless another connection uses the
// consent.
func TestASaveThatMeetsATombstoneRevokesItsToken(t *testing.T) {
	t.Parallel()
	for name, isShared := range map[string]bool{"alone": false, "another connection is active": true} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true; s.RevokeWholeGrant = false })
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				inst.Expire()
				before := inst.Rows.Hot(cookie.Reveal())
				inst.InRequest("refresh_token", func() {
					inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) {
						*hot = store.Hot{
							Head: hot.Head, Connection: hot.Connection, Kind: hot.Kind, Owner: hot.Owner,
							Epoch: "another", Grant: before.Grant + 1, Generation: 1, Status: string(asanaauth.Disconnected), End: time.Now().Add(time.Hour),
						}
					})
					if isShared {
						addConnection(inst, asanatest.Member, asanaauth.OAuth, asanaauth.Active, true)
					}
				})
				_, err := p.Token(cookie, 0)
				authtest.WantKind(t, err, asanaauth.ReconnectRequired)
				want := 1
				if isShared {
					want = 0
				}
				authtest.WantCount(t, "revocations", inst.Revocations(), want)
				if !isShared && inst.LiveTokens() != 0 {
					t.Error("the orphaned token is still valid")
				}
			})
		})
	}
}

func TestASaveThatMeetsANewConsentRevokesNothing(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens = true })
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Expire()
		inst.InRequest("refresh_token", func() { inst.Process().SignIn(asanatest.Member) })
		if got := p.MustToken(cookie, 0); got.ExpiresIn != time.Hour {
			t.Errorf("%v left, want the new consent's hour", got.ExpiresIn)
		}
		authtest.WantCount(t, "revocations", inst.Revocations(), 0)
		authtest.WantCount(t, "lists of the user's connections", inst.Table.Count("list"), 0)
	})
}

func TestConnectingAgainDropsTheRevocation(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		old := p.SignIn(asanatest.Member)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Status: 503})
		if _, err := p.Disconnect(old); err != nil {
			t.Fatal(err)
		}
		epoch := inst.Rows.Hot(old.Reveal()).Epoch
		cookie := p.SignIn(asanatest.Member)
		p.MustToken(cookie, 0)
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Status != string(asanaauth.Active) || hot.Epoch != epoch || !hot.CoolUntil.IsZero() {
			t.Errorf("got row: %+v", hot)
		}
		authtest.WantCount(t, "revocations", inst.Revocations(), 1)
		authtest.WantCount(t, "audit lines", inst.Log.SaysRaw("revocation_dropped", "true"), 1)
		_, err := p.Token(old, 0)
		authtest.WantKind(t, err, asanaauth.Unauthenticated)
	})
}

// If the person connects again while Disconnect revokes the old grant, Disconnect must not
// erase the new grant.
func TestDisconnectDoesNotEraseANewConsent(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Switches(func(s *asanatest.Switches) { s.RevokeWholeGrant = false })
		old := inst.Process().SignIn(asanatest.Member)
		var cookie secret.String
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Before: func(*http.Request) {
			cookie = inst.Process().SignIn(asanatest.Member)
		}})
		_, err := inst.Process().Disconnect(old)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		inst.Process().MustToken(cookie, 0)
		inst.Expire()
		inst.Process().MustToken(cookie, 0)
	})
}

// For each table operation of Disconnect, the test runs Disconnect twice. In one run,
// this operation fails without effect. In the other run, this operation succeeds, but its
// response is lost. Disconnect must not report a revocation if it sent no request to
// Asana. After the failure, the person must be able to connect again, and another call of
// Disconnect must end the connection.
func TestCrashPointsOfDisconnect(t *testing.T) {
	t.Parallel()
	for _, saved := range []bool{false, true} {
		for at := 1; ; at++ {
			done := false
			t.Run(fmt.Sprintf("operation %d, saved %v", at, saved), func(t *testing.T) {
				authtest.Bubble(t, func(t *testing.T) { done = crashDisconnect(t, at, saved) })
			})
			if done {
				break
			}
		}
	}
}

// crashDisconnect makes the at-th table operation of Disconnect fail. The result is true
// if Disconnect had fewer than at operations, so that none failed.
func crashDisconnect(t *testing.T, at int, saved bool) (isPastTheLast bool) {
	inst := authtest.New(t)
	p := inst.Process()
	cookie := p.SignIn(asanatest.Member)
	s := p.Session(cookie)
	operations := 0
	inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) {
		operations++
		if operations == at {
			return saved, authtest.ErrTableDown
		}
		return true, nil
	}
	d, err := p.Sessions.Disconnect(context.Background(), s, p.Connections)
	inst.Table.Hook = nil
	if err == nil && d.Revoked && inst.Revocations() == 0 {
		t.Error("reported as revoked, but Asana was not asked")
	}
	if err == nil && d.Status == asanaauth.Disconnected {
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Status != string(asanaauth.Disconnected) {
			t.Errorf("reported as disconnected, but the row is %s", hot.Status)
		}
	}
	time.Sleep(20 * time.Second) // wait until the failed call's lease has expired
	again := p.SignIn(asanatest.Member)
	p.MustToken(again, 0)
	d, err = p.Disconnect(again)
	wantDisconnected(t, d, err, asanaauth.Disconnected, true)
	return operations < at
}

// The process that runs Disconnect stops after Asana has revoked the token, but before
// the row is erased. The next Disconnect sends the token again. Asana no longer knows the
// token, and Disconnect must treat such a token as revoked.
func TestDisconnectAfterACrashBeforeTheErasure(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		gone := false
		dies := &storetest.Faulty{Store: inst.Rows, Hook: func(context.Context, storetest.Op) (bool, error) {
			return !gone, authtest.FailIf(gone, authtest.ErrTableDown)
		}}
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Before: func(*http.Request) { gone = true }, Times: 1})
		d, err := inst.Process(func(s *authtest.Settings) { s.Store = dies }).Disconnect(cookie)
		wantDisconnected(t, d, err, asanaauth.Revoking, false)
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Status != string(asanaauth.Revoking) || len(hot.Refresh) == 0 {
			t.Errorf("got row: %+v", hot)
		}
		time.Sleep(20 * time.Second) // wait until the dead process's lease and cool-down have ended
		p := inst.Process()
		d, err = p.Connections.Disconnect(t.Context(), p.Open(authtest.ConnectionOf(cookie)))
		wantDisconnected(t, d, err, asanaauth.Disconnected, true)
		authtest.WantCount(t, "revocations", inst.Revocations(), 2)
	})
}
