package connection_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func wantDisconnected(t *testing.T, got connection.Disconnection, err error, status asanaauth.Status, revoked bool) {
	t.Helper()
	if err != nil || got.Status != status || got.Revoked != revoked {
		t.Fatalf("got %+v, %v; want %s, revoked %v", got, err, status, revoked)
	}
}

func TestDisconnect(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		epoch := inst.Rows.Hot(cookie.Reveal()).Epoch
		d, err := p.Disconnect(cookie)
		wantDisconnected(t, d, err, asanaauth.Disconnected, true)
		authtest.WantCount(t, "revocations", inst.Revocations(), 1)
		inst.Rows.WantTombstone(cookie.Reveal())
		hot := inst.Rows.Hot(cookie.Reveal())
		if hot.Epoch == epoch {
			t.Error("the epoch did not change")
		}
		authtest.WantCount(t, "grant", int(hot.Grant), 2)
		defer func() {
			p.SignIn(asanatest.Member)
			authtest.WantCount(t, "generation of the next consent", int(inst.Rows.Hot(cookie.Reveal()).Generation), 2)
		}()
		if want := time.Now().Add(30 * 24 * time.Hour); !hot.End.Equal(want) {
			t.Errorf("the tombstone ends %v, want %v", hot.End, want)
		}
		_, err = p.Sessions.Open(context.Background(), cookie)
		authtest.WantKind(t, err, asanaauth.Unauthenticated)
		authtest.WantCount(t, "audit lines", inst.Log.Says("audit", "revoked"), 1)
	})
}

func TestDisconnectForABackend(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d := p.Connect("o", asanatest.Member)
		got, err := p.Connections.Disconnect(t.Context(), p.Open(d.ID))
		wantDisconnected(t, got, err, asanaauth.Disconnected, true)
		authtest.WantCount(t, "revocations", inst.Revocations(), 1)
		got, err = p.Connections.Disconnect(t.Context(), p.Open(d.ID)) // a second call
		wantDisconnected(t, got, err, asanaauth.Disconnected, false)
		authtest.WantCount(t, "revocations", inst.Revocations(), 1)
		_, err = p.TokenOf(d.ID, token.Request{})
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		// If the owner connects again, the new connection has the same ID.
		if again := p.Connect("o", asanatest.Member); again.ID != d.ID || again.Status != asanaauth.Active {
			t.Errorf("connected again: got %+v, want the same id and active", again)
		}

		pat, value := p.ImportToken("o", asanatest.Bot)
		inst.Secrets.Set(authtest.ErrTableDown) // the client secret is not needed to erase a long-lived token
		got, err = inst.Process().Connections.Disconnect(t.Context(), p.Open(pat.ID))
		wantDisconnected(t, got, err, asanaauth.Disconnected, false)
		authtest.WantCount(t, "revocations", inst.Revocations(), 1)
		if hot := inst.Rows.Hot(pat.ID); len(hot.Access) > 0 || hot.AsanaGID != "" {
			t.Errorf("the row is more than a tombstone: %+v", hot)
		}
		if inst.Whose(value) != asanatest.Bot {
			t.Error("the token was revoked at Asana")
		}
	})
}

func TestDisconnectWithAsanaDownIsDoneByTheNextCall(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d := p.Connect("o", asanatest.Member)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Status: 503})
		got, err := p.Connections.Disconnect(t.Context(), p.Open(d.ID))
		wantDisconnected(t, got, err, asanaauth.Revoking, false)
		epoch := inst.Rows.Hot(d.ID).Epoch
		_, err = p.TokenOf(d.ID, token.Request{})
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		time.Sleep(10 * time.Second)
		got, err = p.Connections.Disconnect(t.Context(), p.Open(d.ID))
		wantDisconnected(t, got, err, asanaauth.Disconnected, true)
		if inst.Rows.Hot(d.ID).Epoch != epoch {
			t.Error("the epoch changed again")
		}
	})
}

// After Disconnect's first write, no token is returned, even if Asana has not revoked the
// grant yet.
func TestNoTokenIsReturnedWhileRevoking(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		other := inst.Process().SignIn(asanatest.Member)
		s := p.Session(other)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Before: func(*http.Request) {
			for _, c := range []secret.String{cookie, other} {
				_, err := inst.Process().Token(c, 0)
				authtest.WantKind(t, err, asanaauth.Unauthenticated)
			}
			hot := inst.Rows.Hot(cookie.Reveal())
			if hot.Status != string(asanaauth.Revoking) || len(hot.Access) > 0 || len(hot.Refresh) == 0 {
				t.Errorf("while revoking: %s, access %v, refresh %v", hot.Status, hot.Access, hot.Refresh)
			}
		}})
		if _, err := p.Disconnect(cookie); err != nil {
			t.Fatal(err)
		}
		inst.Expire()
		_, err := p.Tokens.Token(context.Background(), s.Connection(), token.Request{})
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
	})
}

func TestDisconnectWithAsanaDown(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]asanatest.Fault{
		"503":      {Status: 503},
		"408":      {Status: 408},
		"425":      {Status: 425},
		"429":      {Status: 429},
		"401":      {Status: 401},
		"nonsense": {Body: "<html>", ContentType: "text/html"},
		"cut":      {Cut: true},
		"slow":     {Delay: time.Minute},
		"redirect": {Status: 302, Header: http.Header{"Location": {"https://elsewhere.example"}}},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				fault.Path = authtest.RevokePath
				inst.Asana.Inject(fault)
				d, err := p.Disconnect(cookie)
				wantDisconnected(t, d, err, asanaauth.Revoking, false)
				hot := inst.Rows.Hot(cookie.Reveal())
				if hot.Status != string(asanaauth.Revoking) || len(hot.Access) > 0 || len(hot.Refresh) == 0 || hot.Lease != "" {
					t.Errorf("got row: %+v", hot)
				}
				if !hot.CoolUntil.After(time.Now()) {
					t.Error("the row has no cool-down, so the next request would be sent at once")
				}
				if !hot.End.IsZero() {
					t.Error("a revoking row has a TTL")
				}
				_, err = p.Token(cookie, 0)
				authtest.WantKind(t, err, asanaauth.Unauthenticated)
				authtest.WantCount(t, "audit lines", inst.Log.Says("audit", "revoked"), 0)
			})
		})
	}
}

// If another connection uses the same consent, Disconnect does not revoke the grant,
// because the revocation could end the whole consent.
func TestNothingIsRevokedIfAnotherConnectionUsesTheGrant(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status     asanaauth.Status // of the other connection
		kind       asanaauth.Kind
		hasRefresh bool
		revoked    bool
	}{
		"active":                          {asanaauth.Active, asanaauth.OAuth, true, false},
		"broken":                          {asanaauth.Broken, asanaauth.OAuth, true, true},
		"broken, without a refresh token": {asanaauth.Broken, asanaauth.OAuth, false, true},
		"revoking":                        {asanaauth.Revoking, asanaauth.OAuth, true, true},
		"disconnected":                    {asanaauth.Disconnected, asanaauth.OAuth, false, true},
		"of another kind":                 {asanaauth.Active, asanaauth.PersonalAccessToken, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				addConnection(inst, asanatest.Member, c.kind, c.status, c.hasRefresh)
				d, err := p.Disconnect(cookie)
				wantDisconnected(t, d, err, asanaauth.Disconnected, c.revoked)
				if got := inst.Revocations() == 1; got != c.revoked {
					t.Errorf("revoked: %v, want %v", got, c.revoked)
				}
				if hot := inst.Rows.Hot(cookie.Reveal()); len(hot.Refresh) > 0 || hot.Status != string(asanaauth.Disconnected) {
					t.Error("the connection was not erased")
				}
			})
		})
	}
}

// addConnection writes a connection of the Asana user gid and the owner "another owner"
// into the table.
func addConnection(inst *authtest.Installation, gid string, kind asanaauth.Kind, status asanaauth.Status, hasRefresh bool) {
	inst.T.Helper()
	owner := store.HashText("another owner")
	id := store.ConnectionID(owner, gid, string(kind))
	hot := &store.Hot{
		Connection: id, Kind: string(kind), AsanaGID: gid, ClientID: authtest.ClientID, Owner: owner,
		Status: string(status), Generation: 1, Grant: 1,
	}
	if hasRefresh {
		hot.Refresh = secret.Sealed("sealed")
	}
	pointer := &store.UserPointer{User: store.HashText(gid), Connection: id, Kind: string(kind)}
	inst.Rows.Forge(hot, pointer)
}

func TestDisconnectOfABrokenConnection(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string]bool{"with its refresh token": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) {
					hot.Status, hot.Access = string(asanaauth.Broken), nil
					if !kept {
						hot.Refresh = nil
					}
				})
				d, err := p.Disconnect(cookie)
				wantDisconnected(t, d, err, asanaauth.Disconnected, kept)
				inst.Rows.WantTombstone(cookie.Reveal())
			})
		})
	}
}

func TestDisconnectWaitsForTheEndOfACoolDown(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.CoolUntil = time.Now().Add(6 * time.Second) })
		began := time.Now()
		d, err := p.Disconnect(cookie)
		wantDisconnected(t, d, err, asanaauth.Disconnected, true)
		if took := time.Since(began); took != 6*time.Second {
			t.Errorf("revoked after %v, want 6s", took)
		}

		cookie = p.SignIn(asanatest.Member)
		inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.CoolUntil = time.Now().Add(5 * time.Minute) })
		began = time.Now()
		d, err = p.Disconnect(cookie)
		wantDisconnected(t, d, err, asanaauth.Revoking, false)
		authtest.WantCount(t, "revocations", inst.Revocations(), 1)
		if took := time.Since(began); took != 0 {
			t.Errorf("waited %v for a cool-down that ends too late", took)
		}
	})
}

func TestNothingIsRevokedWithoutTimeForTheErasure(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		slow := &storetest.Faulty{Store: inst.Rows, Hook: func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				time.Sleep(3 * time.Second)
			}
			return true, nil
		}}
		d, err := inst.Process(func(s *authtest.Settings) { s.Store = slow }).Disconnect(cookie)
		wantDisconnected(t, d, err, asanaauth.Revoking, false)
		authtest.WantCount(t, "revocations", inst.Revocations(), 0)
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Status != string(asanaauth.Revoking) {
			t.Errorf("status %s", hot.Status)
		}
	})
}

// If the write of the lease takes too long, the lease is released, so that the next call
// can revoke at once.
func TestALeaseThatCannotBeUsedForARevocationIsReleased(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		writes := 0
		slow := &storetest.Faulty{Store: inst.Rows, Hook: func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				if writes++; writes == 2 { // after the mark
					time.Sleep(3 * time.Second)
				}
			}
			return true, nil
		}}
		d, err := inst.Process(func(s *authtest.Settings) { s.Store = slow }).Disconnect(cookie)
		wantDisconnected(t, d, err, asanaauth.Revoking, false)
		authtest.WantCount(t, "revocations", inst.Revocations(), 0)
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Lease != "" {
			t.Errorf("lease %q", hot.Lease)
		}
	})
}

func TestDisconnectWithARejectedSecret(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.App(func(a *asanatest.App) { a.ClientSecret, a.NextClientSecret = "another", "" })
		d, err := p.Disconnect(cookie)
		wantDisconnected(t, d, err, asanaauth.Revoking, false)
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "client_secret_rejected"), 1)
	})
}
