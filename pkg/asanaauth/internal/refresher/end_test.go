package refresher_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// endElsewhere replaces the row with a tombstone, as a process that ends the connection
// does.
func endElsewhere(hot *store.Hot) {
	*hot = store.Hot{
		Head: hot.Head, Connection: hot.Connection, Kind: hot.Kind, Owner: hot.Owner, Epoch: hot.Epoch,
		Grant: hot.Grant + 1, Generation: hot.Generation, Status: row.Disconnected, End: time.Now().Add(time.Hour),
	}
}

// Another process ends the connection while this one waits, or while this one's
// revocation is in progress. It may have done so without a revocation, so this process
// must not claim one.
func TestAnEndByAnotherProcessIsNotClaimedAsRevoked(t *testing.T) {
	for name, prepare := range map[string]func(inst *authtest.Installation, end func()){
		"before the lease": func(inst *authtest.Installation, end func()) {
			inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
				if !isWrite(op) {
					return true, nil
				}
				if hot, ok := op.Changes[0].Row.(*store.Hot); ok && hot.Lease != "" {
					end()
				}
				return true, nil
			}
		},
		"during the request": func(inst *authtest.Installation, end func()) {
			inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Before: func(*http.Request) { end() }})
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				prepare(inst, func() { inst.Rows.Edit(cookie.Reveal(), endElsewhere) })
				d, err := p.Disconnect(cookie)
				wantDisconnection(t, d, err, erased)
				authtest.WantCount(t, "audit lines", inst.Log.Says("audit", row.AuditRevoked), 0)
			})
		})
	}
}

// If the response to the write of the tombstone is lost, the process must recognize the
// tombstone as its own, and report what Asana has confirmed.
func TestALostAnswerToTheErasureIsRecognized(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		lost := 0
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			isErasure := isWrite(op) && len(op.Changes) == 3 && lost < 2
			if isErasure {
				lost++
			}
			return true, authtest.FailIf(isErasure, authtest.ErrTableDown)
		}
		d, err := p.Disconnect(cookie)
		wantDisconnection(t, d, err, revoked)
		inst.Rows.WantTombstone(cookie.Reveal())
		authtest.WantCount(t, "lost responses", lost, 2)
		authtest.WantCount(t, "revocations", inst.Revocations(), 1)
		authtest.WantCount(t, "audit lines revoked", inst.Log.Says("audit", row.AuditRevoked), 1)
	})
}

// The connection was disconnected during a refresh, so the new tokens belong to no row.
// Their revocation must have enough time, even if the caller's time has almost ended.
func TestAnOrphanedTokenIsRevokedByASlowAsana(t *testing.T) {
	for name, c := range map[string]struct{ caller, refresh, revocation time.Duration }{
		"slower than a save":                {25 * time.Second, 0, 7 * time.Second},
		"slower than the caller's time":     {11 * time.Second, 7 * time.Second, 5 * time.Second},
		"as slow as a revocation may be":    {25 * time.Second, 7 * time.Second, 7*time.Second + 900*time.Millisecond},
		"with a caller that left meanwhile": {25 * time.Second, time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
				inst.Switches(func(s *asanatest.Switches) { s.RotateRefreshTokens, s.RevokeWholeGrant = true, false })
				ctx, cancel := context.WithTimeout(t.Context(), c.caller)
				defer cancel()
				inst.Asana.Inject(asanatest.Fault{GrantType: refreshGrant, AnswerDelay: c.refresh, Before: func(*http.Request) {
					inst.Rows.Edit(cookie.Reveal(), endElsewhere)
					if strings.Contains(name, "left") {
						cancel()
					}
				}})
				inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Delay: c.revocation})
				if _, err := inst.Process().Ask(ctx, cookie, token.Request{}); err == nil {
					t.Error("got a token of a disconnected connection")
				}
				authtest.WantCount(t, "revocations", inst.Revocations(), 1)
				authtest.WantCount(t, "refresh tokens that are still valid", inst.LiveTokens(), 0)
				authtest.WantCount(t, "audit lines about a revocation", inst.Log.Says("audit", row.AuditRevoked), 1)
			})
		})
	}
}

// The Asana user has more connections than one page of the table's list contains, and
// only the last one is active. Its grant must not be revoked.
func TestAllPagesOfAUsersConnectionsAreRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		const others = 250 // a page of the store has 100 rows
		hots := make([]*store.Hot, others)
		for i := range hots {
			owner := store.HashText(fmt.Sprint("owner ", i))
			hots[i] = &store.Hot{
				Connection: store.ConnectionID(owner, asanatest.Member, string(asanaauth.OAuth)), Kind: string(asanaauth.OAuth),
				AsanaGID: asanatest.Member, ClientID: authtest.ClientID, Owner: owner, Generation: 1, Grant: 1,
				Status: row.Broken, // without a refresh token, so it does not use the grant
			}
		}
		slices.SortFunc(hots, func(a, b *store.Hot) int { return strings.Compare(a.Connection, b.Connection) })
		hots[others-1].Status, hots[others-1].Refresh = row.Active, secret.Sealed("sealed")
		for _, hot := range hots {
			inst.Rows.Forge(hot, &store.UserPointer{User: store.HashText(asanatest.Member), Connection: hot.Connection, Kind: hot.Kind})
		}
		d, err := p.Disconnect(cookie)
		wantDisconnection(t, d, err, erased)
		authtest.WantCount(t, "revocations", inst.Revocations(), 0)
		authtest.WantCount(t, "pages", inst.Table.Count("list"), 3)
	})
}

// If Asana responds to any request with invalid_client or unauthorized_client, the operator
// must fix the configuration. The next client secret is tried, and the connection does not
// change.
func TestARejectedClientIsTheOperatorsToFix(t *testing.T) {
	for _, code := range []string{"invalid_client", "unauthorized_client"} {
		for status := range map[int]bool{400: true, 401: true} {
			t.Run(fmt.Sprint(code, " ", status), func(t *testing.T) {
				expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
					inst.Secrets.Set(nil, authtest.ClientSecret, authtest.NextSecret)
					rejection := asanatest.Fault{GrantType: refreshGrant, Status: status, Body: `{"error":"` + code + `"}`}
					inst.Asana.Inject(rejection)
					p := inst.Process()
					p.MustToken(cookie, 0) // with the next client secret
					authtest.WantCount(t, "refreshes", inst.Refreshes(), 2)

					inst.Expire()
					rejection.Times = -1
					inst.Asana.Inject(rejection)
					_, err := p.Token(cookie, 0)
					authtest.WantKind(t, err, asanaauth.Misconfigured)
					authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmSecretRejected), 1)
					if got := inst.Rows.Hot(cookie.Reveal()).Status; got != row.Active {
						t.Errorf("status %s, want active", got)
					}

					inst.Asana.ClearFaults()
					rejection.GrantType, rejection.Path = "", authtest.RevokePath
					inst.Asana.Inject(rejection)
					time.Sleep(8 * time.Second)
					d, err := p.Disconnect(cookie)
					wantDisconnection(t, d, err, connection.Disconnection{Status: asanaauth.Revoking})
					authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmSecretRejected), 2)

					inst.Asana.ClearFaults()
					rejection.GrantType, rejection.Path = "authorization_code", ""
					inst.Asana.Inject(rejection)
					_, err = p.Callback(p.Answer(p.Begin(), asanatest.Guest))
					authtest.WantKind(t, err, asanaauth.Misconfigured)
				})
			})
		}
	}
}
