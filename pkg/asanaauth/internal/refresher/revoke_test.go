package refresher_test

import (
	"context"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// Package connection tests the results of Disconnect. These tests are about failures
// between the steps of Revoke.

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

// The mark is saved, its response is lost, and a holder's write changes the row before
// the mark is tried again.
func TestTheMarkIsRecognisedInAChangedRow(t *testing.T) {
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

// An attacker who changes a sealed refresh token in the table cannot prevent the erasure
// of the connection.
func TestATokenThatDoesNotOpenIsErased(t *testing.T) {
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

// A process with an old keyring does not know the newest key. It must not erase a token
// that can be revoked with that key.
func TestATokenUnderAnUnknownKeyIsNotErased(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		other, cookie := p.SignIn(asanatest.Guest), p.SignIn(asanatest.Member)
		inst.RotateKey()
		// p reads the keyring because of an unknown key id, and then not again for ten
		// seconds.
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

// A pointer to a connection of another user, or of another app, does not count as the
// user's connection.
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

// otherConnection writes a connection of another owner and the same user.
func otherConnection(inst *authtest.Installation, clientID string) {
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
				otherConnection(inst, clientID)
				d, err := p.Disconnect(cookie)
				wantDisconnection(t, d, err, want)
			})
		})
	}
}

// A cool-down that comes from a report does not delay a disconnection, because Asana can be
// asked.
func TestAReportDoesNotDelayADisconnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		first := mustReport(t, p, cookie, p.MustToken(cookie, 0))
		_, err := p.Refused(cookie, first)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		d, err := p.Disconnect(cookie)
		wantDisconnection(t, d, err, revoked)
	})
}
