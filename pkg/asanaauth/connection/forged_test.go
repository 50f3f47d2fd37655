package connection_test

import (
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// An attacker who can write the table must not be able to hide a connection when a
// customer leaves. The list of its owner and the list of its Asana user must agree, an
// alarm must name the connection, and off-boarding must count it.
func TestAChangedRowIsNotHidden(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*store.Hot){
		"another owner": func(hot *store.Hot) { hot.Owner = store.HashText("evil") },
		"another user":  func(hot *store.Hot) { hot.AsanaGID = asanatest.Guest },
		"no user":       func(hot *store.Hot) { hot.AsanaGID = "" },
		"another kind":  func(hot *store.Hot) { hot.Kind = string(asanaauth.ServiceAccount) },
		"disconnected":  func(hot *store.Hot) { hot.Status = row.Disconnected },
		"disconnected, another owner": func(hot *store.Hot) {
			*hot = store.Hot{Connection: hot.Connection, Owner: store.HashText("evil"), Kind: hot.Kind, Status: row.Disconnected, End: hot.Issued}
		},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				id, sibling := p.Connect("o", asanatest.Member).ID, p.Connect("o", asanatest.Guest).ID
				inst.Rows.Edit(id, change)
				for _, q := range []connection.Query{{Owner: "o"}, {AsanaUser: asanatest.Member}} {
					_, _, err := p.Connections.List(t.Context(), q, connection.Page{})
					authtest.WantKind(t, err, asanaauth.Internal)
				}
				_, err := p.Connections.Open(t.Context(), connection.Ref{ID: id})
				authtest.WantKind(t, err, asanaauth.Internal)
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", row.AlarmUnseal), 3)
				for _, c := range []struct {
					q    connection.Query
					want connection.Disconnections
				}{
					{connection.Query{Owner: "o"}, connection.Disconnections{Disconnected: 1, Left: 1}},
					{connection.Query{Owner: "o"}, connection.Disconnections{Left: 1}},
					{connection.Query{AsanaUser: asanatest.Member}, connection.Disconnections{Left: 1}},
				} {
					if got, err := p.Connections.DisconnectAll(authtest.BackendContext(), c.q); err != nil || got != c.want {
						t.Errorf("DisconnectAll(%+v) = %+v, %v, want %+v", c.q, got, err, c.want)
					}
				}
				inst.Rows.Hot(sibling)
				// A new consent repairs the row, after one more alarm.
				before := inst.Log.Says("alarm", row.AlarmUnseal)
				p.Connect("o", asanatest.Member)
				authtest.WantCount(t, "alarms of the new consent", inst.Log.Says("alarm", row.AlarmUnseal)-before, 1)
				if got, err := p.Connections.DisconnectAll(authtest.BackendContext(), connection.Query{Owner: "o"}); err != nil || got.Disconnected != 1 || got.Left != 0 {
					t.Errorf("after a new consent: %+v, %v", got, err)
				}
			})
		})
	}
}
