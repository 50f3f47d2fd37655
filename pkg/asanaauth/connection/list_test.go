package connection_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestListByOwner(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		want := map[string]bool{}
		for _, gid := range []string{asanatest.Member, asanatest.Guest, asanatest.Admin, asanatest.ViewOnly, asanatest.Several} {
			want[p.Connect("tenant", gid).ID] = true
		}
		pat, _ := p.ImportToken("tenant", asanatest.Bot)
		want[pat.ID] = true
		ended := p.Connect("tenant", asanatest.Member)
		if _, err := p.Connections.Disconnect(t.Context(), p.Open(ended.ID)); err != nil {
			t.Fatal(err)
		}
		p.Connect("another", asanatest.Member)
		p.SignIn(asanatest.Guest)
		for limit := 1; limit <= 7; limit++ {
			got, last := map[string]bool{}, ""
			pages := 0
			for cursor, first := "", true; first || cursor != ""; first = false {
				page, next, err := p.Connections.List(t.Context(), connection.Query{Owner: "tenant"}, connection.Page{Cursor: cursor, Limit: limit})
				if err != nil {
					t.Fatal(err)
				}
				if pages++; len(page) > limit || len(page) == 0 || pages > 8 {
					t.Fatalf("a page of %d, limit %d", len(page), limit)
				}
				for _, d := range page {
					if d.ID <= last || got[d.ID] || !want[d.ID] || d.Owner != "tenant" {
						t.Errorf("limit %d: %q after %q", limit, d.ID, last)
					}
					if got[d.ID], last = true, d.ID; d.ID == ended.ID && (d.Status != asanaauth.Disconnected || d.UpdatedAt.IsZero() || d.AttributedTo.GID != "" || !d.CreatedAt.IsZero()) {
						t.Errorf("a tombstone: %+v", d)
					}
				}
				cursor = next
			}
			if len(got) != len(want) {
				t.Errorf("limit %d: %d connections, want %d", limit, len(got), len(want))
			}
		}
		if page, next, err := p.Connections.List(t.Context(), connection.Query{Owner: "unknown"}, connection.Page{}); err != nil || len(page) > 0 || next != "" {
			t.Errorf("of an unknown owner: %v, %q, %v", page, next, err)
		}
		if page, _, err := p.Connections.List(t.Context(), connection.Query{Owner: "asana:" + asanatest.Guest}, connection.Page{}); err != nil || len(page) != 1 {
			t.Errorf("of a person who signed in: %v, %v", page, err)
		}
	})
}

func TestListByAsanaUser(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		want := map[string]string{}
		for i := range 5 {
			owner := fmt.Sprint("owner ", i)
			want[p.Connect(owner, asanatest.Member).ID] = owner
		}
		p.Connect("owner 0", asanatest.Guest)
		ended := p.Connect("ended", asanatest.Member)
		if _, err := p.Connections.Disconnect(t.Context(), p.Open(ended.ID)); err != nil {
			t.Fatal(err)
		}
		got, last := 0, ""
		for cursor, first := "", true; first || cursor != ""; first = false {
			page, next, err := p.Connections.List(t.Context(), connection.Query{AsanaUser: asanatest.Member}, connection.Page{Cursor: cursor, Limit: 2})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range page {
				if d.ID <= last || want[d.ID] != d.Owner {
					t.Errorf("%q of %q after %q", d.ID, d.Owner, last)
				}
				got, last = got+1, d.ID
			}
			cursor = next
		}
		authtest.WantCount(t, "connections", got, len(want))
	})
}

func TestListChecksItsRequest(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		for range 2 {
			p.Connect("a", asanatest.Member)
			p.Connect("a", asanatest.Guest)
		}
		_, cursor, err := p.Connections.List(t.Context(), connection.Query{Owner: "a"}, connection.Page{Limit: 1})
		if err != nil || cursor == "" {
			t.Fatal(cursor, err)
		}
		for name, c := range map[string]struct {
			query connection.Query
			page  connection.Page
		}{
			"neither":                   {connection.Query{}, connection.Page{}},
			"both":                      {connection.Query{Owner: "a", AsanaUser: asanatest.Member}, connection.Page{}},
			"not a gid":                 {connection.Query{AsanaUser: "me"}, connection.Page{}},
			"an invalid owner":          {connection.Query{Owner: "a\nb"}, connection.Page{}},
			"limit below":               {connection.Query{Owner: "a"}, connection.Page{Limit: -1}},
			"limit above":               {connection.Query{Owner: "a"}, connection.Page{Limit: 101}},
			"a cursor of another owner": {connection.Query{Owner: "b"}, connection.Page{Cursor: cursor}},
			"a cursor of another list":  {connection.Query{AsanaUser: asanatest.Member}, connection.Page{Cursor: cursor}},
			"an unknown cursor":         {connection.Query{Owner: "a"}, connection.Page{Cursor: "x"}},
			"a changed cursor":          {connection.Query{Owner: "a"}, connection.Page{Cursor: cursor[1:]}},
		} {
			_, _, err := p.Connections.List(t.Context(), c.query, c.page)
			if asanaauth.KindOf(err) != asanaauth.InvalidRequest {
				t.Errorf("%s: got error %v, want invalid-request", name, err)
			}
		}
	})
}

// A cold row without a hot row, and a pointer row of a different Asana user must not add a connection to a list.
func TestListLeavesOutRowsThatAreNoConnection(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		d := p.Connect("o", asanatest.Member)
		owner := d.ID[:len("con_")+16]
		orphan := inst.Rows.Cold(d.ID)
		orphan.Connection = owner + strings.Repeat("a", 16)
		inst.Rows.Forge(orphan)
		other := p.Connect("another", asanatest.Guest).ID
		inst.Rows.Forge(&store.UserPointer{User: store.HashText(asanatest.Member), Connection: other, Kind: string(asanaauth.OAuth)})
		for _, r := range []connection.Query{{Owner: "o"}, {AsanaUser: asanatest.Member}} {
			page, _, err := p.Connections.List(t.Context(), r, connection.Page{})
			if err != nil || len(page) != 1 || page[0].ID != d.ID {
				t.Errorf("List() = %+v, %v; want one connection", page, err)
			}
		}
		// Make the rows inconsistent, so that List reads the connection again, and delete
		// the hot row before this read. List must then leave the connection out.
		inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.Generation++ })
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "list" {
				inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) {
					inst.Table.Hook = nil
					inst.Rows.Delete(store.HotKey(d.ID))
					return true, nil
				}
			}
			return true, nil
		}
		if page, _, err := p.Connections.List(t.Context(), connection.Query{Owner: "o"}, connection.Page{}); err != nil || len(page) != 0 {
			t.Errorf("List() = %+v, %v; want an empty page", page, err)
		}
	})
}

// A read of several rows is not atomic, so it can return an old cold row and a new hot
// row of the same connection. List must then read the connection again.
func TestListReadsInconsistentRowsAgain(t *testing.T) {
	t.Parallel()
	for _, q := range []connection.Query{{Owner: "o"}, {AsanaUser: asanatest.Member}} {
		authtest.Bubble(t, func(t *testing.T) {
			inst := authtest.New(t)
			p := inst.Process()
			d := p.Connect("o", asanatest.Member)
			inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.Generation++ }) // the cold row seems old
			reads := 0
			inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
				isOpen := op.Name == "read" && len(op.Keys) == 2 && op.Keys[0] == store.HotKey(d.ID)
				if isOpen {
					reads++
				}
				if isOpen && reads == 3 {
					inst.Rows.Edit(d.ID, func(hot *store.Hot) { hot.Generation-- })
				}
				return true, nil
			}
			page, _, err := p.Connections.List(t.Context(), q, connection.Page{})
			if err != nil || len(page) != 1 || page[0].ID != d.ID || page[0].CreatedAt.IsZero() || reads != 3 {
				t.Errorf("List(%+v) = %+v, %v after %d reads", q, page, err, reads)
			}
		})
	}
}
