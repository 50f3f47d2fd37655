package refresher_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The tests in this file make Revoke fail between its steps. The tests in package
// connection check the results of Disconnect.

var (
	revoked = connection.Disconnection{Status: asanaauth.Disconnected, Revoked: true}
	erased  = connection.Disconnection{Status: asanaauth.Disconnected}
)

func TestTheMarkIsTriedAgain(t *testing.T) {
	for name, saved := range map[string]bool{"answer lost": true, "not saved": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				writes := 0
				inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
					if !isWrite(op) {
						return true, nil
					}
					writes++
					return saved || writes > 1, authtest.FailIf(writes == 1, authtest.ErrTableDown)
				}
				d, err := p.Disconnect(cookie)
				wantDisconnection(t, d, err, revoked)
			})
		})
	}
}

// If the response to the write that marks the row as revoking is lost, and a holder then
// changes the row, Revoke must still recognize that its first write succeeded.
func TestTheMarkIsRecognizedInAChangedRow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		writes := 0
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if !isWrite(op) {
				return true, nil
			}
			if writes++; writes == 2 {
				inst.Rows.Edit(cookie.Reveal(), func(*store.Hot) {})
			}
			return true, authtest.FailIf(writes == 1, authtest.ErrTableDown)
		}
		d, err := p.Disconnect(cookie)
		wantDisconnection(t, d, err, revoked)
	})
}

// An attacker can replace the sealed refresh token, so that it cannot be opened.
// Disconnect must still erase the connection.
func TestATokenThatCannotBeOpenedIsErased(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Refresh = hot.Access })
		d, err := p.Disconnect(cookie)
		wantDisconnection(t, d, err, erased)
		inst.Rows.WantTombstone(cookie.Reveal())
		authtest.WantCount(t, "revocations", inst.Revocations(), 0)
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmUnseal), 1)
	})
}

// A process with an old keyring cannot open a token that is sealed with the newest key.
// The process must not erase such a token, because a process with the new keyring can
// revoke it.
func TestATokenSealedWithAnUnknownKeyIsNotErased(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		other, cookie := p.SignIn(asanatest.Guest), p.SignIn(asanatest.Member)
		inst.RotateKey()
		// Let p open a token whose key ID is unknown, so that p reads the keyring. For
		// the next ten seconds, p does not read it again, and so does not get the newest
		// key.
		inst.Rows.Edit(other.Reveal(), func(hot *store.Hot) { hot.Access = append(secret.Sealed{}, hot.Access...); hot.Access[1] ^= 0x55 })
		p.Token(other, 0)
		inst.RotateKey()
		newest := inst.Process()
		mustReport(t, newest, cookie, newest.MustToken(cookie, 0))
		d, err := p.Disconnect(cookie)
		if err == nil && d == erased {
			t.Errorf("erased, and Asana still accepts %d tokens", inst.LiveTokens())
		}
	})
}

// An attacker can forge a row that lists a different user's connection as a connection of
// this person. The forged row must not prevent the revocation.
func TestAForgedPointerDoesNotPreventARevocation(t *testing.T) {
	for name, change := range map[string]func(*store.Hot){
		"another user": func(*store.Hot) {},
		"a forged gid": func(hot *store.Hot) { hot.AsanaGID = asanatest.Member },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie, other := p.SignIn(asanatest.Member), p.SignIn(asanatest.Admin)
				inst.Rows.Edit(other.Reveal(), change)
				inst.Rows.Forge(&store.UserPointer{User: store.HashText(asanatest.Member), Connection: authtest.ConnectionOf(other), Kind: string(asanaauth.OAuth)})
				d, err := p.Disconnect(cookie)
				wantDisconnection(t, d, err, revoked)
			})
		})
	}
}

// addConnection adds a second connection to the Asana user asanatest.Member, for a
// different owner.
func addConnection(inst *authtest.Installation, clientID string) {
	owner := store.HashText("another owner")
	id := store.ConnectionID(owner, asanatest.Member, string(asanaauth.OAuth))
	inst.Rows.Forge(
		&store.Hot{
			Connection: id, Kind: string(asanaauth.OAuth), AsanaGID: asanatest.Member, ClientID: clientID, Owner: owner,
			Status: row.Active, Generation: 1, Grant: 1, Refresh: secret.Sealed("sealed"),
		},
		&store.UserPointer{User: store.HashText(asanatest.Member), Connection: id, Kind: string(asanaauth.OAuth)})
}

func TestAConnectionOfAnotherAppDoesNotPreventARevocation(t *testing.T) {
	for clientID, want := range map[string]connection.Disconnection{"999": revoked, authtest.ClientID: erased} {
		t.Run(clientID, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(asanatest.Member)
				addConnection(inst, clientID)
				d, err := p.Disconnect(cookie)
				wantDisconnection(t, d, err, want)
			})
		})
	}
}

// If the table does not say whether a different connection has the same user's grant, the
// revocation must wait: it could end the other connection's grant.
func TestNothingIsRevokedWhileTheUsersConnectionsCannotBeRead(t *testing.T) {
	for _, op := range []string{"list", "read"} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				cookie := inst.Process().SignIn(asanatest.Member)
				addConnection(inst, authtest.ClientID)
				listed := false
				p := inst.Process()
				inst.Table.Hook = func(_ context.Context, o storetest.Op) (bool, error) {
					failed := o.Name == op && (op == "list" || listed)
					listed = o.Name == "list" || listed && !failed
					return !failed, authtest.FailIf(failed, authtest.ErrTableDown)
				}
				d, err := p.Disconnect(cookie)
				wantDisconnection(t, d, err, connection.Disconnection{Status: asanaauth.Revoking})
				authtest.WantCount(t, "revocations", inst.Revocations(), 0)
			})
		})
	}
}

// Asana says when a failed revocation may be sent again. A revocation that failed never
// puts the grant in doubt, even if Asana rotates refresh tokens.
func TestAFailedRevocationWaitsAndLeavesNoDoubt(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Switches(rotate)
		inst.Process().MustToken(cookie, 0)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Status: 503, Header: http.Header{"Retry-After": {"60"}}})
		began := time.Now()
		d, err := inst.Process().Disconnect(cookie)
		wantDisconnection(t, d, err, connection.Disconnection{Status: asanaauth.Revoking})
		hot := inst.Rows.Hot(cookie.Reveal())
		if wait := hot.CoolUntil.Sub(began); wait < time.Minute || hot.DoubtedGrant != 0 || hot.Lease != "" {
			t.Errorf("cool-down %v, doubted grant %d, lease %q, want a minute and nothing else", wait, hot.DoubtedGrant, hot.Lease)
		}
		time.Sleep(time.Minute)
		d, err = inst.Process().Connections.Disconnect(authtest.BackendContext(), inst.Process().Open(hot.Connection))
		wantDisconnection(t, d, err, revoked)
	})
}
