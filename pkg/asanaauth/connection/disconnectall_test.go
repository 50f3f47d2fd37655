package connection_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestDisconnectAll(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		for _, gid := range []string{asanatest.Member, asanatest.Guest, asanatest.Admin} {
			p.Connect("tenant", gid)
		}
		p.ImportToken("tenant", asanatest.Bot)
		other := p.Connect("another", asanatest.Guest)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Status: 503})
		got, err := p.Connections.DisconnectAll(authtest.BackendContext(), connection.Query{Owner: "tenant"})
		if err != nil || got != (connection.Disconnections{Disconnected: 3, Revoking: 1}) {
			t.Fatalf("DisconnectAll() = %+v, %v", got, err)
		}
		time.Sleep(10 * time.Second)
		got, err = p.Connections.DisconnectAll(authtest.BackendContext(), connection.Query{Owner: "tenant"})
		if err != nil || got != (connection.Disconnections{Disconnected: 1}) {
			t.Fatalf("DisconnectAll() again = %+v, %v", got, err)
		}
		got, err = p.Connections.DisconnectAll(authtest.BackendContext(), connection.Query{Owner: "tenant"})
		if err != nil || got != (connection.Disconnections{}) {
			t.Fatalf("with nothing left: %+v, %v", got, err)
		}
		if _, err := p.TokenOf(other.ID, token.Request{}); err != nil {
			t.Errorf("another owner's connection of the same Asana user: %v", err)
		}
		// Both connections of the Asana user depend on one consent at Asana.
		// DisconnectAll must revoke a grant only for the connection that it disconnects
		// last.
		p.Connect("a third", asanatest.Guest)
		before := inst.Revocations()
		got, err = p.Connections.DisconnectAll(authtest.BackendContext(), connection.Query{AsanaUser: asanatest.Guest})
		if err != nil || got != (connection.Disconnections{Disconnected: 2}) {
			t.Fatalf("by Asana user: %+v, %v", got, err)
		}
		authtest.WantCount(t, "revocations", inst.Revocations()-before, 1)
		_, err = p.Connections.DisconnectAll(authtest.BackendContext(), connection.Query{})
		authtest.WantKind(t, err, asanaauth.InvalidRequest)
	})
}

// If 25 seconds are too short to revoke all connections, Left must be the number of
// connections that are not yet disconnected.
func TestDisconnectAllWithoutTime(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		for i := range 6 {
			p.Connect("tenant", []string{asanatest.Member, asanatest.Guest, asanatest.Admin, asanatest.ViewOnly, asanatest.Several, asanatest.Bot}[i])
		}
		inst.Asana.Inject(asanatest.Fault{Path: authtest.RevokePath, Delay: 5 * time.Second, Times: -1})
		total := 0
		for range 6 {
			began := time.Now()
			got, err := p.Connections.DisconnectAll(authtest.BackendContext(), connection.Query{Owner: "tenant"})
			if err != nil || got.Disconnected == 0 || time.Since(began) > 25*time.Second {
				t.Fatalf("DisconnectAll() = %+v, %v after %v", got, err, time.Since(began))
			}
			if total += got.Disconnected; got.Left == 0 {
				break
			}
		}
		authtest.WantCount(t, "disconnected", total, 6)
	})
}

// If DisconnectAll cannot read the list to its end, it disconnects the connections that
// it has read, and a second call disconnects the others.
func TestDisconnectAllOfAListThatFails(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		const all = 101 // a page of the store has 100 rows
		for i := range all {
			p.Connect(fmt.Sprint("owner ", i), asanatest.Member)
		}
		erased := 0
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if len(op.Changes) == 3 {
				erased++
			}
			fails := op.Name == "list" && erased == all-1
			return !fails, authtest.FailIf(fails, authtest.ErrTableDown)
		}
		of := connection.Query{AsanaUser: asanatest.Member}
		got, err := p.Connections.DisconnectAll(authtest.BackendContext(), of)
		if err != nil || got.Disconnected != all-1 || got.Left == 0 {
			t.Errorf("DisconnectAll() = %+v, %v", got, err)
		}
		inst.Table.Hook = nil
		got, err = p.Connections.DisconnectAll(authtest.BackendContext(), of)
		if err != nil || got != (connection.Disconnections{Disconnected: 1}) {
			t.Errorf("DisconnectAll() again = %+v, %v", got, err)
		}
	})
}

// If DisconnectAll can read nothing at all, it returns the error.
func TestDisconnectAllWhileTheTableIsDown(t *testing.T) {
	t.Parallel()
	for _, of := range []connection.Query{{Owner: "tenant"}, {AsanaUser: asanatest.Member}} {
		authtest.Bubble(t, func(t *testing.T) {
			inst := authtest.New(t)
			p := inst.Process()
			p.Connect("tenant", asanatest.Member)
			inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, authtest.ErrTableDown }
			got, err := p.Connections.DisconnectAll(authtest.BackendContext(), of)
			authtest.WantKind(t, err, asanaauth.TryAgain)
			if got.Left == 0 {
				t.Errorf("DisconnectAll() = %+v", got)
			}
		})
	}
}

// The same holds if DisconnectAll can read the connections but disconnect none of them.
func TestDisconnectAllThatDisconnectsNone(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		p.Connect("tenant", asanatest.Member)
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			fails := op.Name == "write"
			return !fails, authtest.FailIf(fails, authtest.ErrTableDown)
		}
		got, err := p.Connections.DisconnectAll(authtest.BackendContext(), connection.Query{Owner: "tenant"})
		authtest.WantKind(t, err, asanaauth.TryAgain)
		if got != (connection.Disconnections{Left: 1}) {
			t.Errorf("DisconnectAll() = %+v", got)
		}
	})
}
