package asanaauth_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The tests of this file follow what backends do with connections: name, list and
// end them, and learn who is signed in.

func TestAnOwnerThatIsNotTheConnections(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d := p.connect("o", asanatest.Member)
		for name, ref := range map[string]asanaauth.Ref{
			"another owner":     {ID: d.ID, Owner: "other"},
			"an id that is not": {ID: "con_" + strings.Repeat("a", 32)},
			"no id":             {ID: "x", Owner: "o"},
			"nothing":           {},
		} {
			_, err := p.conns.Open(t.Context(), ref, backend)
			if asanaauth.KindOf(err) != asanaauth.NotFound {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := p.conns.Open(t.Context(), asanaauth.Ref{ID: d.ID, Owner: "o"}, backend); err != nil {
			t.Errorf("its owner: %v", err)
		}
		for _, owner := range []string{"a\x00", strings.Repeat("x", 257), "\xff"} {
			_, err := p.conns.Open(t.Context(), asanaauth.Ref{ID: d.ID, Owner: owner}, backend)
			wantKind(t, err, asanaauth.InvalidRequest)
		}
		wantCount(t, "denied", h.log.says("audit", "denied"), 1)
	})
}

// A row that somebody else made up is no connection, and two rows of different
// consents are not taken for one.
func TestRowsThatAreNoConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d := p.connect("o", asanatest.Member)
		h.editOf(d.ID, func(hot *store.Hot) { hot.Generation++ })
		_, err := p.conns.Describe(t.Context(), p.opened(d.ID))
		wantKind(t, err, asanaauth.TryAgain)
		reads := 0
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if reads++; reads == 2 { // the second look finds them together again
				h.editOf(d.ID, func(hot *store.Hot) { hot.Generation-- })
			}
			return true, nil
		}
		if _, err := p.conns.Describe(t.Context(), p.opened(d.ID)); err != nil {
			t.Errorf("read while it moved: %v", err)
		}
		h.table.Hook = nil
		h.editOf(d.ID, func(hot *store.Hot) { hot.Generation++ })
		h.editOf(d.ID, func(hot *store.Hot) { hot.AsanaGID = asanatest.Admin })
		_, err = p.conns.Open(t.Context(), asanaauth.Ref{ID: d.ID}, backend)
		wantKind(t, err, asanaauth.NotFound)
	})
}

func TestListByOwner(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		want := map[string]bool{}
		for _, gid := range []string{asanatest.Member, asanatest.Guest, asanatest.Admin, asanatest.ViewOnly, asanatest.Several} {
			want[p.connect("tenant", gid).ID] = true
		}
		pat, _ := p.importToken("tenant", asanatest.Bot)
		want[pat.ID] = true
		ended := p.connect("tenant", asanatest.Member)
		if _, err := p.conns.End(t.Context(), p.opened(ended.ID)); err != nil {
			t.Fatal(err)
		}
		p.connect("another", asanatest.Member)
		p.signIn(asanatest.Guest)
		for limit := 1; limit <= 7; limit++ {
			got, last := map[string]bool{}, ""
			pages := 0
			for cursor, first := "", true; first || cursor != ""; first = false {
				page, next, err := p.conns.List(t.Context(), asanaauth.ListRequest{Owner: "tenant", Cursor: cursor, Limit: limit})
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
					if got[d.ID], last = true, d.ID; d.ID == ended.ID && (d.Status != store.Disconnected || d.UpdatedAt.IsZero() || d.AttributedTo.GID != "" || !d.CreatedAt.IsZero()) {
						t.Errorf("a tombstone: %+v", d)
					}
				}
				cursor = next
			}
			if len(got) != len(want) {
				t.Errorf("limit %d: %d connections, want %d", limit, len(got), len(want))
			}
		}
		if page, next, err := p.conns.List(t.Context(), asanaauth.ListRequest{Owner: "nobody"}); err != nil || len(page) > 0 || next != "" {
			t.Errorf("nobody's: %v, %q, %v", page, next, err)
		}
		if page, _, err := p.conns.List(t.Context(), asanaauth.ListRequest{Owner: "asana:" + asanatest.Guest}); err != nil || len(page) != 1 {
			t.Errorf("a person's own: %v, %v", page, err)
		}
	})
}

func TestListByAsanaUser(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		want := map[string]string{}
		for i := range 5 {
			owner := fmt.Sprint("owner ", i)
			want[p.connect(owner, asanatest.Member).ID] = owner
		}
		p.connect("owner 0", asanatest.Guest)
		ended := p.connect("ended", asanatest.Member)
		if _, err := p.conns.End(t.Context(), p.opened(ended.ID)); err != nil {
			t.Fatal(err)
		}
		got, last := 0, ""
		for cursor, first := "", true; first || cursor != ""; first = false {
			page, next, err := p.conns.List(t.Context(), asanaauth.ListRequest{AsanaUser: asanatest.Member, Cursor: cursor, Limit: 2})
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
		wantCount(t, "connections", got, len(want))
	})
}

// Rows that somebody else wrote, or that lost their other half, are left out.
func TestAListOfRowsThatAreNoConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d := p.connect("o", asanatest.Member)
		cold := h.cold(secret.New(d.ID + "."))
		orphan := *cold
		orphan.Connection = d.ID[:len("con_")+16] + strings.Repeat("a", 16)
		forged := *h.hotOf(d.ID)
		forged.Connection = d.ID[:len("con_")+16] + strings.Repeat("7", 16)
		pointer := &store.UserPointer{User: store.HashText(asanatest.Member), Connection: forged.Connection, Kind: store.OAuth}
		if err := h.rows.Write(t.Context(), store.Put(&orphan, store.Absent, "x"), store.Put(&forged, store.Absent, "x"), store.Put(pointer, store.Absent, "x")); err != nil {
			t.Fatal(err)
		}
		for _, r := range []asanaauth.ListRequest{{Owner: "o"}, {AsanaUser: asanatest.Member}} {
			page, _, err := p.conns.List(t.Context(), r)
			if err != nil || len(page) != 1 || page[0].ID != d.ID {
				t.Errorf("got %+v, %v", page, err)
			}
		}
		// One that goes while it is looked at.
		h.editOf(d.ID, func(hot *store.Hot) { hot.Generation++ })
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "list" {
				h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
					h.table.Hook = nil
					return true, h.rows.Write(context.Background(), store.Delete(store.HotKey(d.ID), h.hotOf(d.ID).Rev))
				}
			}
			return true, nil
		}
		if page, _, err := p.conns.List(t.Context(), asanaauth.ListRequest{Owner: "o"}); err != nil || len(page) != 0 {
			t.Errorf("got %+v, %v", page, err)
		}
	})
}

// Whoever connected anew while a backend waited for a token is still the owner's.
func TestABackendWaitsThroughANewConsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d := p.connect("o", asanatest.Member)
		time.Sleep(2 * time.Hour)
		h.inRequest("refresh_token", func() {
			q := h.process()
			if _, err := q.conns.End(context.Background(), q.opened(d.ID)); err != nil {
				t.Error(err)
			}
			q.connect("o", asanatest.Member)
		})
		token, err := p.tokenOf(d.ID, asanaauth.TokenRequest{})
		if err != nil || h.whose(token.Access) != asanatest.Member {
			t.Errorf("TokenOf() = %v", err)
		}
	})
}

func TestListRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		for range 2 {
			p.connect("a", asanatest.Member)
			p.connect("a", asanatest.Guest)
		}
		_, cursor, err := p.conns.List(t.Context(), asanaauth.ListRequest{Owner: "a", Limit: 1})
		if err != nil || cursor == "" {
			t.Fatal(cursor, err)
		}
		for name, r := range map[string]asanaauth.ListRequest{
			"neither":                    {},
			"both":                       {Owner: "a", AsanaUser: asanatest.Member},
			"no gid":                     {AsanaUser: "me"},
			"an owner that nobody is":    {Owner: "a\nb"},
			"limit below":                {Owner: "a", Limit: -1},
			"limit above":                {Owner: "a", Limit: 101},
			"a cursor of another owner":  {Owner: "b", Cursor: cursor},
			"a cursor of another list":   {AsanaUser: asanatest.Member, Cursor: cursor},
			"a cursor that nobody gave":  {Owner: "a", Cursor: "x"},
			"a cursor that was tampered": {Owner: "a", Cursor: cursor[1:]},
		} {
			_, _, err := p.conns.List(t.Context(), r)
			if asanaauth.KindOf(err) != asanaauth.InvalidRequest {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Rows of one list that were read at different moments are read again, and one that
// went meanwhile is left out.
func TestAListOfRowsThatMove(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d := p.connect("o", asanatest.Member)
		moved := false
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "read" && len(op.Keys) == 2 && !moved && strings.HasPrefix(op.Keys[0].PK, "c#") {
				moved = true
				h.table.Hook = nil
				p.connect("o", asanatest.Member)
			}
			return true, nil
		}
		page, _, err := p.conns.List(t.Context(), asanaauth.ListRequest{AsanaUser: asanatest.Member})
		if err != nil || len(page) != 1 || page[0].ID != d.ID || !moved {
			t.Errorf("got %v, %v", page, err)
		}
	})
}

func TestEndForABackend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d := p.connect("o", asanatest.Member)
		got, err := p.conns.End(t.Context(), p.opened(d.ID))
		wantDisconnected(t, got, err, store.Disconnected, true)
		wantCount(t, "revocations", h.revocations(), 1)
		got, err = p.conns.End(t.Context(), p.opened(d.ID)) // again
		wantDisconnected(t, got, err, store.Disconnected, false)
		wantCount(t, "revocations", h.revocations(), 1)
		_, err = p.tokenOf(d.ID, asanaauth.TokenRequest{})
		wantKind(t, err, asanaauth.ReconnectRequired)
		// It can be made anew.
		if again := p.connect("o", asanatest.Member); again.ID != d.ID || again.Status != store.Active {
			t.Errorf("again: %+v", again)
		}

		pat, value := p.importToken("o", asanatest.Bot)
		h.secrets.set(errAway) // not needed to erase what nobody can revoke
		got, err = h.process().conns.End(t.Context(), p.opened(pat.ID))
		wantDisconnected(t, got, err, store.Disconnected, false)
		wantCount(t, "revocations", h.revocations(), 1)
		for _, row := range h.all() {
			if hot, ok := row.(*store.Hot); ok && hot.Connection == pat.ID && (len(hot.Access) > 0 || hot.AsanaGID != "") {
				t.Errorf("something is left: %+v", hot)
			}
		}
		if h.whose(value) != asanatest.Bot {
			t.Error("the token at Asana was ended")
		}
	})
}

// One that somebody else ends, or makes anew, while a backend ends it is ended once.
func TestAnEndThatMeetsAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d := p.connect("o", asanatest.Member)
		conn := p.opened(d.ID)
		if _, err := h.process().conns.End(t.Context(), p.opened(d.ID)); err != nil {
			t.Fatal(err)
		}
		got, err := p.conns.End(t.Context(), conn)
		wantDisconnected(t, got, err, store.Disconnected, false)

		p.connect("o", asanatest.Member)
		got, err = p.conns.End(t.Context(), conn) // which knows an old epoch
		wantDisconnected(t, got, err, store.Disconnected, true)
	})
}

func TestEndWithAsanaAwayIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d := p.connect("o", asanatest.Member)
		h.asana.Inject(asanatest.Fault{Path: "/-/oauth_revoke", Status: 503})
		got, err := p.conns.End(t.Context(), p.opened(d.ID))
		wantDisconnected(t, got, err, store.Revoking, false)
		epoch := h.hotOf(d.ID).Epoch
		_, err = p.tokenOf(d.ID, asanaauth.TokenRequest{})
		wantKind(t, err, asanaauth.ReconnectRequired)
		time.Sleep(10 * time.Second)
		got, err = p.conns.End(t.Context(), p.opened(d.ID))
		wantDisconnected(t, got, err, store.Disconnected, true)
		if h.hotOf(d.ID).Epoch != epoch {
			t.Error("the epoch moved once more")
		}
	})
}

func TestEndAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		for _, gid := range []string{asanatest.Member, asanatest.Guest, asanatest.Admin} {
			p.connect("tenant", gid)
		}
		p.importToken("tenant", asanatest.Bot)
		other := p.connect("another", asanatest.Guest)
		h.asana.Inject(asanatest.Fault{Path: "/-/oauth_revoke", Status: 503})
		ended, err := p.conns.EndAll(t.Context(), asanaauth.ListRequest{Owner: "tenant"}, backend)
		if err != nil || ended != (asanaauth.Ended{Disconnected: 3, Revoking: 1}) {
			t.Fatalf("EndAll() = %+v, %v", ended, err)
		}
		time.Sleep(10 * time.Second)
		ended, err = p.conns.EndAll(t.Context(), asanaauth.ListRequest{Owner: "tenant"}, backend)
		if err != nil || ended != (asanaauth.Ended{Disconnected: 1}) {
			t.Fatalf("EndAll() again = %+v, %v", ended, err)
		}
		ended, err = p.conns.EndAll(t.Context(), asanaauth.ListRequest{Owner: "tenant"}, backend)
		if err != nil || ended != (asanaauth.Ended{}) {
			t.Fatalf("nothing is left: %+v, %v", ended, err)
		}
		if _, err := p.tokenOf(other.ID, asanaauth.TokenRequest{}); err != nil {
			t.Errorf("another owner's connection of the same Asana user: %v", err)
		}
		// By Asana user: the last one is revoked.
		p.connect("a third", asanatest.Guest)
		before := h.revocations()
		ended, err = p.conns.EndAll(t.Context(), asanaauth.ListRequest{AsanaUser: asanatest.Guest}, backend)
		if err != nil || ended != (asanaauth.Ended{Disconnected: 2}) {
			t.Fatalf("by Asana user: %+v, %v", ended, err)
		}
		wantCount(t, "revocations", h.revocations()-before, 1)
		_, err = p.conns.EndAll(t.Context(), asanaauth.ListRequest{}, backend)
		wantKind(t, err, asanaauth.InvalidRequest)
	})
}

// There are more than 25 seconds have room for: what is left is told.
func TestEndAllWithoutTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		for i := range 6 {
			p.connect("tenant", []string{asanatest.Member, asanatest.Guest, asanatest.Admin, asanatest.ViewOnly, asanatest.Several, asanatest.Bot}[i])
		}
		h.asana.Inject(asanatest.Fault{Path: "/-/oauth_revoke", Delay: 5 * time.Second, Times: -1})
		total := 0
		for range 6 {
			began := time.Now()
			ended, err := p.conns.EndAll(t.Context(), asanaauth.ListRequest{Owner: "tenant"}, backend)
			if err != nil || ended.Disconnected == 0 || time.Since(began) > 25*time.Second {
				t.Fatalf("EndAll() = %+v, %v after %v", ended, err, time.Since(began))
			}
			if total += ended.Disconnected; ended.Left == 0 {
				break
			}
		}
		wantCount(t, "disconnected", total, 6)
	})
}

func TestASessionCode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		code, end, err := p.conns.SessionCode(t.Context(), p.session(cookie))
		if err != nil || !end.Equal(time.Now().Add(time.Minute)) {
			t.Fatalf("SessionCode() = %v, %v", end, err)
		}
		results := make(chan error, 20)
		for range 20 {
			go func() {
				d, err := h.process().conns.RedeemSessionCode(context.Background(), code, backend)
				if err == nil && (d.ID != connectionOf(cookie) || d.Owner != "asana:"+asanatest.Member || d.AttributedTo.GID != asanatest.Member) {
					err = fmt.Errorf("got %+v", d)
				}
				results <- err
			}()
		}
		won := 0
		for range 20 {
			if err := <-results; err == nil {
				won++
			} else {
				wantKind(t, err, asanaauth.LinkExpired)
			}
		}
		wantCount(t, "winners", won, 1)
		for _, row := range h.all() {
			if holds(row, code.Reveal()) {
				t.Errorf("a %T holds the code", row)
			}
			if x, ok := row.(*store.SessionCode); ok && (!x.Spent || len(x.Proof) > 0 || x.Connection != "") {
				t.Errorf("the spent marker is more than one: %+v", x)
			}
		}
	})
}

func TestSessionCodesThatAreOver(t *testing.T) {
	for name, c := range map[string]struct {
		then  func(h *house, p *process, cookie secret.String)
		alive bool
	}{
		"at once":          {func(*house, *process, secret.String) {}, true},
		"after 59 seconds": {func(*house, *process, secret.String) { time.Sleep(59 * time.Second) }, true},
		"after a minute":   {func(*house, *process, secret.String) { time.Sleep(time.Minute) }, false},
		"signed out": {func(h *house, p *process, cookie secret.String) {
			if err := p.conns.SignOut(h.t.Context(), p.session(cookie)); err != nil {
				h.t.Fatal(err)
			}
		}, false},
		"disconnected": {func(h *house, p *process, cookie secret.String) {
			if _, err := p.disconnect(cookie); err != nil {
				h.t.Fatal(err)
			}
		}, false},
		"broken": {func(h *house, p *process, cookie secret.String) {
			h.edit(cookie, func(hot *store.Hot) { hot.Status = store.Broken })
		}, true},
		"another epoch": {func(h *house, p *process, cookie secret.String) {
			h.edit(cookie, func(hot *store.Hot) { hot.Epoch = "another" })
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				cookie := p.signIn(asanatest.Member)
				code, _, err := p.conns.SessionCode(t.Context(), p.session(cookie))
				if err != nil {
					t.Fatal(err)
				}
				c.then(h, p, cookie)
				_, err = p.conns.RedeemSessionCode(t.Context(), code, backend)
				if c.alive && err != nil {
					t.Errorf("got %v", err)
				}
				if !c.alive {
					wantKind(t, err, asanaauth.LinkExpired)
				}
			})
		})
	}
	h := newHouse(t)
	for _, bad := range []string{"", "x", "con_a.b"} {
		_, err := h.process().conns.RedeemSessionCode(t.Context(), secret.New(bad), backend)
		wantKind(t, err, asanaauth.LinkExpired)
	}
}

// Who can write the table makes no session code of a session that it likes.
func TestForgedSessionCodes(t *testing.T) {
	for name, forge := range map[string]func(code *store.SessionCode, session *store.Session){
		"another session": func(c *store.SessionCode, s *store.Session) {
			c.Session, c.Connection, c.Epoch = s.Cookie, s.Connection, s.Epoch
		},
		"a later end":        func(c *store.SessionCode, _ *store.Session) { c.End = c.End.Add(time.Hour) },
		"another connection": func(c *store.SessionCode, s *store.Session) { c.Connection = s.Connection },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				victim := p.signIn(asanatest.Admin)
				code, _, err := p.conns.SessionCode(t.Context(), p.session(p.signIn(asanatest.Member)))
				if err != nil {
					t.Fatal(err)
				}
				var row *store.SessionCode
				var session *store.Session
				for _, r := range h.all() {
					switch r := r.(type) {
					case *store.SessionCode:
						row = r
					case *store.Session:
						if r.Connection == connectionOf(victim) {
							session = r
						}
					}
				}
				rev := row.Rev
				forge(row, session)
				if err := h.rows.Write(t.Context(), store.Put(row, rev, "forger")); err != nil {
					t.Fatal(err)
				}
				_, err = p.conns.RedeemSessionCode(t.Context(), code, backend)
				wantKind(t, err, asanaauth.LinkExpired)
			})
		})
	}
}

// A session that was signed out, and written anew by somebody else with another end,
// proves nothing to a backend either.
func TestASessionCodeOfAForgedSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		code, _, err := p.conns.SessionCode(t.Context(), p.session(cookie))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range h.all() {
			if s, ok := r.(*store.Session); ok {
				rev := s.Rev
				s.End = s.End.Add(time.Hour)
				if err := h.rows.Write(t.Context(), store.Put(s, rev, "forger")); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, err = p.conns.RedeemSessionCode(t.Context(), code, backend)
		wantKind(t, err, asanaauth.LinkExpired)
	})
}

// A backend is served by the same lease as everybody else.
func TestBackendsAndFrontendsShareALease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		d := h.process().connect("o", asanatest.Member)
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: time.Second, Times: -1})
		time.Sleep(2 * time.Hour)
		results := make(chan error, 50)
		for range 50 {
			go func() {
				token, err := h.process().tokenOf(d.ID, asanaauth.TokenRequest{MinTTL: 5 * time.Minute})
				if err == nil && h.whose(token.Access) != asanatest.Member {
					err = fmt.Errorf("somebody else's token")
				}
				results <- err
			}()
		}
		for range 50 {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		wantCount(t, "refreshes", h.refreshes(), 1)
	})
}

// A list that cannot be read to its end is no end: what was not seen is left.
func TestEndAllOfAListThatBreaksOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		const all = 101 // one more than a page of the store has
		for i := range all {
			p.connect(fmt.Sprint("owner ", i), asanatest.Member)
		}
		erased := 0
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if len(op.Changes) == 3 {
				erased++
			}
			fails := op.Name == "list" && erased == all-1
			return !fails, failIf(fails, errAway)
		}
		of := asanaauth.ListRequest{AsanaUser: asanatest.Member}
		ended, err := p.conns.EndAll(t.Context(), of, backend)
		if err != nil || ended.Disconnected != all-1 || ended.Left == 0 {
			t.Errorf("EndAll() = %+v, %v", ended, err)
		}
		h.table.Hook = nil
		ended, err = p.conns.EndAll(t.Context(), of, backend)
		if err != nil || ended != (asanaauth.Ended{Disconnected: 1}) {
			t.Errorf("EndAll() again = %+v, %v", ended, err)
		}
	})
}

// A connection of which somebody has taken a row hides no other, is asked for nothing,
// and can be ended.
func TestADamagedConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		damaged, whole := p.connect("o", asanatest.Member), p.connect("o", asanatest.Guest)
		h.deletes(store.ColdKey(damaged.ID))
		page, _, err := p.conns.List(t.Context(), asanaauth.ListRequest{Owner: "o"})
		if err != nil || len(page) != 2 {
			t.Fatalf("List() = %v, %v", page, err)
		}
		for _, d := range page {
			if d.Owner != "o" || d.ID == damaged.ID && (d.Status != store.Active || !d.CreatedAt.IsZero()) {
				t.Errorf("got %+v", d)
			}
		}
		if _, err := p.importOf(asanaauth.ImportRequest{Owner: "o", RefreshToken: h.grant(asanatest.Admin)}); err != nil {
			t.Errorf("importing beside it: %v", err)
		}
		conn := p.opened(damaged.ID)
		_, err = p.conns.TokenOf(t.Context(), conn, asanaauth.TokenRequest{})
		wantKind(t, err, asanaauth.TryAgain)
		_, err = p.conns.Describe(t.Context(), conn)
		wantKind(t, err, asanaauth.TryAgain)
		_, err = p.memberships.List(t.Context(), conn, "")
		wantKind(t, err, asanaauth.TryAgain)
		_, err = p.memberships.Capabilities(t.Context(), conn)
		wantKind(t, err, asanaauth.TryAgain)
		account, _ := p.importToken("it", asanatest.ServiceAccount)
		h.deletes(store.ColdKey(account.ID))
		_, err = p.conns.SetReaderOf(t.Context(), p.opened(account.ID), nil)
		wantKind(t, err, asanaauth.TryAgain)
		got, err := p.conns.End(t.Context(), conn)
		wantDisconnected(t, got, err, store.Disconnected, true)
		if _, err := p.tokenOf(whole.ID, asanaauth.TokenRequest{}); err != nil {
			t.Errorf("the other one: %v", err)
		}
		// Connecting again mends it.
		h.deletes(store.ColdKey(whole.ID))
		if again := p.connect("o", asanatest.Guest); again.ID != whole.ID || again.CreatedAt.IsZero() {
			t.Errorf("connected again: %+v", again)
		}
	})
}

// A row's words are not repeated where they are none of ours.
func TestAMadeUpReason(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		d := p.connect("o", asanatest.Member)
		h.editOf(d.ID, func(hot *store.Hot) { hot.Status, hot.Reason = store.Broken, "\x1b[2J" })
		if got, err := p.conns.Describe(t.Context(), p.opened(d.ID)); err != nil || got.StatusReason != "" {
			t.Errorf("got %q, %v", got.StatusReason, err)
		}
	})
}
