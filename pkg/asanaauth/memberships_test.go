package asanaauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The tests of this file follow "Credentials of the three kinds, and the
// licence", as far as it concerns a person's own token.

const workspacesPath = "/api/1.0/workspaces"

func membershipsPath(gid string) string { return "/api/1.0/users/" + gid + "/workspace_memberships" }

func (p *process) members(cookie secret.String) ([]asanaauth.Membership, error) {
	s, err := p.conns.Session(context.Background(), cookie)
	if err != nil {
		return nil, err
	}
	return p.memberships.List(context.Background(), &s.Connection, "")
}

func (p *process) mustMembers(cookie secret.String) []asanaauth.Membership {
	p.h.t.Helper()
	list, err := p.members(cookie)
	if err != nil {
		p.h.t.Fatalf("List() = %v", err)
	}
	return list
}

// flags writes a membership's flags down: y, n, or the reason why not.
func flags(m asanaauth.Membership) string {
	one := func(f asanaauth.Flag) string {
		switch {
		case !f.Known && f.Unknown == "":
			return "unknown without a reason"
		case !f.Known && f.Value:
			return "unknown and yes"
		case !f.Known:
			return f.Unknown
		case f.Unknown != "":
			return "known with a reason"
		case f.Value:
			return "y"
		}
		return "n"
	}
	return fmt.Sprintf("%s: active %s, admin %s, guest %s, view only %s, can write %s", m.Workspace.Name,
		one(m.Active), one(m.Admin), one(m.Guest), one(m.ViewOnly), one(m.CanWrite()))
}

func TestMembershipsOfEverybody(t *testing.T) {
	for gid, want := range map[string][]string{
		asanatest.Member:      {"Acme: active y, admin n, guest n, view only n, can write y"},
		asanatest.Guest:       {"Acme: active y, admin n, guest y, view only n, can write y"},
		asanatest.Admin:       {"Acme: active y, admin y, guest n, view only n, can write y"},
		asanatest.ViewOnly:    {"Acme: active y, admin n, guest n, view only y, can write n"},
		asanatest.Deactivated: {"Globex: active y, admin n, guest y, view only n, can write y"},
		asanatest.Several: {
			"Acme: active y, admin n, guest n, view only y, can write n",
			"Globex: active y, admin n, guest n, view only n, can write y",
		},
		asanatest.Bot: {"Acme: active y, admin n, guest y, view only n, can write y"},
	} {
		t.Run(gid, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				cookie := p.signIn(gid)
				list := p.mustMembers(cookie)
				var got []string
				for _, m := range list {
					got = append(got, flags(m))
					if m.UserGID != gid || m.UserName.IsZero() || m.AskedWith != "connection" || !m.CheckedAt.Equal(time.Now()) {
						t.Errorf("membership: %+v", m)
					}
					one, err := p.memberships.In(t.Context(), &p.session(cookie).Connection, m.Workspace.GID, "")
					if err != nil || flags(one) != flags(m) {
						t.Errorf("In() = %s, %v", flags(one), err)
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}

// About somebody else Asana tells what the person's own token may see.
func TestMembershipsOfAnotherUser(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		conn := p.opened(p.connect("o", asanatest.Several).ID)
		list, err := p.memberships.List(t.Context(), conn, asanatest.ViewOnly)
		if err != nil || len(list) != 1 || list[0].UserGID != asanatest.ViewOnly ||
			flags(list[0]) != "Acme: active y, admin n, guest n, view only y, can write n" {
			t.Fatalf("List() = %v, %v", list, err)
		}
		_, err = p.memberships.In(t.Context(), conn, asanatest.Globex, asanatest.ViewOnly)
		wantKind(t, err, asanaauth.NotFound)
		_, err = p.memberships.List(t.Context(), conn, "1299999999999999")
		wantKind(t, err, asanaauth.NotFound)
		for _, user := range []string{"me", "mia@acme.example", " ", "12a"} {
			_, err = p.memberships.List(t.Context(), conn, user)
			wantKind(t, err, asanaauth.InvalidRequest)
		}
		own, err := p.memberships.List(t.Context(), conn, "")
		if err != nil || len(own) != 2 || own[0].UserGID != asanatest.Several {
			t.Errorf("the own ones afterwards: %v, %v", own, err)
		}
	})
}

func TestAnInactiveMembershipCannotWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.ListInactiveMemberships = true })
		p := h.process()
		m, err := p.memberships.In(t.Context(), &p.session(p.signIn(asanatest.Deactivated)).Connection, asanatest.Acme, "")
		if want := "Acme: active n, admin n, guest n, view only n, can write n"; err != nil || flags(m) != want {
			t.Errorf("In() = %s, %v", flags(m), err)
		}
	})
}

func TestCanWrite(t *testing.T) {
	yes, no := asanaauth.Flag{Known: true, Value: true}, asanaauth.Flag{Known: true}
	viewUnknown, activeUnknown := asanaauth.Flag{Unknown: "why not view"}, asanaauth.Flag{Unknown: "why not active"}
	for _, c := range []struct{ viewOnly, active, want asanaauth.Flag }{
		{yes, yes, no}, {yes, no, no}, {yes, activeUnknown, no},
		{no, yes, yes}, {no, no, no}, {no, activeUnknown, activeUnknown},
		{viewUnknown, yes, viewUnknown}, {viewUnknown, no, no}, {viewUnknown, activeUnknown, viewUnknown},
	} {
		if got := (asanaauth.Membership{ViewOnly: c.viewOnly, Active: c.active}).CanWrite(); got != c.want {
			t.Errorf("view only %+v, active %+v: %+v, want %+v", c.viewOnly, c.active, got, c.want)
		}
	}
}

func allUnknown(workspace, why string) string {
	return fmt.Sprintf("%s: active %s, admin %s, guest %s, view only %s, can write %s", workspace, why, why, why, why, why)
}

// No granular scope opens the membership endpoints. Unknown is never "not view
// only".
func TestAGranularAppDoesNotKnow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.app(func(a *asanatest.App) { a.Scopes = []string{"users:read", "workspaces:read"} })
		p := h.process(func(s *settings) { s.scopes = "users:read workspaces:read" })
		for _, gid := range []string{asanatest.Member, asanatest.ViewOnly} {
			list := p.mustMembers(p.signIn(gid))
			if len(list) != 1 || flags(list[0]) != allUnknown("Acme", asanaauth.FullPermissionsRequired) {
				t.Errorf("got %v", list)
			}
		}
	})
}

func TestWhatAsanaDoesNotSayIsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		change func(path string, m map[string]any) int
		want   string
	}{
		"a refusal without a reason that we know": {func(path string, m map[string]any) int {
			if path == membershipsPath(asanatest.ViewOnly) {
				delete(m, "data")
				m["errors"] = []any{map[string]any{"message": "You shall not."}}
				return http.StatusForbidden
			}
			return 0
		}, allUnknown("Acme", asanaauth.NotAllowed)},
		"no such membership": {func(path string, m map[string]any) int {
			if path == membershipsPath(asanatest.ViewOnly) {
				m["data"] = []any{}
			}
			return 0
		}, allUnknown("Acme", asanaauth.NotReported)},
		"no flags": {func(path string, m map[string]any) int {
			if path == membershipsPath(asanatest.ViewOnly) {
				for _, name := range []string{"is_active", "is_admin", "is_guest", "is_view_only"} {
					delete(m["data"].([]any)[0].(map[string]any), name)
				}
			}
			return 0
		}, allUnknown("Acme", asanaauth.NotReported)},
		"no is_view_only": {func(path string, m map[string]any) int {
			if path == membershipsPath(asanatest.ViewOnly) {
				m["data"].([]any)[0].(map[string]any)["is_view_only"] = nil
			}
			return 0
		}, "Acme: active y, admin n, guest n, view only not-reported, can write not-reported"},
		"another workspace": {func(path string, m map[string]any) int {
			if path == membershipsPath(asanatest.ViewOnly) {
				m["data"].([]any)[0].(map[string]any)["workspace"].(map[string]any)["gid"] = asanatest.Globex
			}
			return 0
		}, allUnknown("Acme", asanaauth.NotReported)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process(func(s *settings) { s.transport = tampered{h.wire, c.change} })
				list := p.mustMembers(p.signIn(asanatest.ViewOnly))
				if len(list) != 1 || flags(list[0]) != c.want {
					t.Errorf("got %v, want %s", list, c.want)
				}
				if m := list[0]; m.UserGID != asanatest.ViewOnly || m.AskedWith != "connection" {
					t.Errorf("membership: %+v", m)
				}
			})
		})
	}
}

func TestABlockedWorkspaceIsAbsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.switches(func(s *asanatest.Switches) { s.BlockedWorkspace = asanatest.Acme })
		p := h.process()
		cookie := p.signIn(asanatest.Several)
		if list := p.mustMembers(cookie); len(list) != 1 || list[0].Workspace.GID != asanatest.Globex {
			t.Errorf("got %v", list)
		}
		_, err := p.memberships.In(t.Context(), &p.session(cookie).Connection, asanatest.Acme, "")
		wantKind(t, err, asanaauth.NotFound)
	})
}

func TestWorkspacesThatAreNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		for _, gid := range []string{"", "me", "12a", "-1", " 1", "1 ", "1/../2", "١", "1111111111111111111111111111111"} {
			_, err := p.memberships.In(t.Context(), &p.session(cookie).Connection, gid, "")
			if asanaauth.KindOf(err) != asanaauth.InvalidRequest {
				t.Errorf("%q: %v", gid, err)
			}
		}
		wantCount(t, "requests", h.asana.CountRequests(workspacesPath), 0)
		for _, gid := range []string{asanatest.Globex, "1", "0" + asanatest.Acme, asanatest.Member} {
			_, err := p.memberships.In(t.Context(), &p.session(cookie).Connection, gid, "")
			if asanaauth.KindOf(err) != asanaauth.NotFound {
				t.Errorf("%q: %v", gid, err)
			}
		}
		wantCount(t, "requests", h.asana.CountRequests(workspacesPath), 1)
	})
}

func TestMembershipsAreKeptForFiveMinutes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		asked := func(want int) {
			t.Helper()
			wantCount(t, "workspaces asked", h.asana.CountRequests(workspacesPath), want)
			wantCount(t, "memberships asked", h.asana.CountRequests(membershipsPath(asanatest.Member)), want)
		}
		p.mustMembers(cookie)
		at := time.Now()
		time.Sleep(5*time.Minute - time.Nanosecond)
		if list := p.mustMembers(cookie); !list[0].CheckedAt.Equal(at) {
			t.Errorf("checked at %v, want %v", list[0].CheckedAt, at)
		}
		asked(1)
		if err := h.asana.UpdatePerson(asanatest.Member, func(p *asanatest.Person) { p.Memberships[0].ViewOnly = true }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Nanosecond)
		if list := p.mustMembers(cookie); !list[0].ViewOnly.Value || !list[0].CheckedAt.Equal(time.Now()) {
			t.Errorf("got %+v", list)
		}
		asked(2)
		h.process().mustMembers(cookie) // in the process alone
		asked(3)
	})
}

// What was learnt for a consent meets no other one, and no other person.
func TestMembershipsAreKeptByConsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		asked := func(what string, want int) {
			t.Helper()
			wantCount(t, what, h.asana.CountRequests(workspacesPath), want)
		}
		first := p.signIn(asanatest.Member)
		p.mustMembers(first)
		if list := p.mustMembers(p.signIn(asanatest.Guest)); list[0].UserGID != asanatest.Guest {
			t.Errorf("somebody else's: %v", list)
		}
		asked("another person", 2)
		second := p.signIn(asanatest.Member)
		p.mustMembers(second)
		asked("another generation", 3)
		p.mustMembers(first)
		asked("the same one", 3)
		generation := h.hot(second).Generation
		if _, err := p.disconnect(second); err != nil {
			t.Fatal(err)
		}
		h.deletes(store.HotKey(connectionOf(second)))
		for range generation {
			second = p.signIn(asanatest.Member)
		}
		p.mustMembers(second)
		asked("another epoch, the same generation", 4)
	})
}

func TestMembershipsAreAskedWithAFreshToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		time.Sleep(56 * time.Minute) // four left
		p.mustMembers(cookie)
		wantCount(t, "refreshes", h.refreshes(), 1)
		wantCount(t, "audit lines of a token that left us", h.log.says("audit", "token_released"), 0)
	})
}

// Asana refuses a token that ought to live: it is reported, once, and its
// successor tried, once.
func TestARefusedTokenIsReportedByMemberships(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		old := p.mustToken(cookie, 0)
		if err := h.asana.ExpireAccessTokens(); err != nil {
			t.Fatal(err)
		}
		p.mustMembers(cookie)
		wantCount(t, "refreshes", h.refreshes(), 1)
		if p.mustToken(cookie, 0).Access.Equal(old.Access) {
			t.Error("the refused token is handed out")
		}
	})
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.asana.Inject(asanatest.Fault{Path: workspacesPath, Status: 401, Times: -1})
		_, err := p.members(cookie)
		wantKind(t, err, asanaauth.AsanaUnavailable)
		wantCount(t, "refreshes", h.refreshes(), 1)
		wantCount(t, "requests", h.asana.CountRequests(workspacesPath), 2)
		h.asana.ClearFaults()
		p.mustMembers(cookie) // nothing was kept of it
	})
}

func TestTroubleOfMemberships(t *testing.T) {
	for name, c := range map[string]struct {
		fault asanatest.Fault
		kind  asanaauth.ErrorKind
		after time.Duration
	}{
		"too many":           {asanatest.Fault{Status: 429, Header: http.Header{"Retry-After": {"30"}}}, asanaauth.TryAgain, 30 * time.Second},
		"too many, no time":  {asanatest.Fault{Status: 429}, asanaauth.TryAgain, time.Second},
		"a 500":              {asanatest.Fault{Status: 500}, asanaauth.AsanaUnavailable, 0},
		"a 404":              {asanatest.Fault{Status: 404}, asanaauth.AsanaUnavailable, 0},
		"nonsense":           {asanatest.Fault{Body: "nonsense"}, asanaauth.AsanaUnavailable, 0},
		"nothing":            {asanatest.Fault{Body: "{}"}, asanaauth.AsanaUnavailable, 0},
		"a cut":              {asanatest.Fault{Cut: true}, asanaauth.AsanaUnavailable, 0},
		"no answer":          {asanatest.Fault{Delay: time.Hour}, asanaauth.AsanaUnavailable, 0},
		"a list of a person": {asanatest.Fault{Body: `{"data":[{"gid":"x"}]}`}, asanaauth.AsanaUnavailable, 0},
	} {
		for _, path := range []string{workspacesPath, membershipsPath(asanatest.Member)} {
			t.Run(name+" "+path, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					h := newHouse(t)
					p := h.process()
					cookie := p.signIn(asanatest.Member)
					c.fault.Path = path
					h.asana.Inject(c.fault)
					began := time.Now()
					list, err := p.members(cookie)
					wantKind(t, err, c.kind)
					var e *asanaauth.Error
					if errors.As(err, &e) && (e.RetryAfter != c.after || e.Timeout != (name == "no answer")) {
						t.Errorf("RetryAfter %v, Timeout %v", e.RetryAfter, e.Timeout)
					}
					if took := time.Since(began); list != nil || took > 16*time.Second {
						t.Errorf("%v after %v", list, took)
					}
					if hot := h.hot(cookie); hot.Status != store.Active || h.refreshes() != 0 {
						t.Errorf("the connection is %s, %d refreshes", hot.Status, h.refreshes())
					}
					if c.after > 0 { // Asana is not asked before it said
						before := len(h.asana.Requests())
						time.Sleep(c.after - time.Millisecond)
						_, err := p.members(cookie)
						wantKind(t, err, asanaauth.TryAgain)
						wantCount(t, "requests meanwhile", len(h.asana.Requests())-before, 0)
						time.Sleep(time.Millisecond)
					}
					p.mustMembers(cookie)
				})
			})
		}
	}
}

// Waiting for a lease, a refresh and the lists together take 25 seconds.
func TestMembershipsTake25Seconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.expire()
		h.edit(cookie, func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = "dead", time.Now().Add(8*time.Second) })
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Delay: 3 * time.Second})
		h.asana.Inject(asanatest.Fault{Path: workspacesPath, Delay: time.Hour})
		began := time.Now()
		_, err := p.members(cookie)
		wantKind(t, err, asanaauth.AsanaUnavailable)
		if took := time.Since(began); took != 25*time.Second {
			t.Errorf("it took %v", took)
		}
		wantCount(t, "refreshes", h.refreshes(), 1)
	})
}

// A workspace list that is refused says nothing of licences.
func TestARefusedListOfWorkspacesIsTrouble(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.app(func(a *asanatest.App) { a.Scopes = []string{"users:read"} })
		p := h.process(func(s *settings) { s.scopes = "users:read" })
		_, err := p.members(p.signIn(asanatest.Member))
		wantKind(t, err, asanaauth.AsanaUnavailable)
		var e *asana.Error
		if !errors.As(err, &e) || e.Code != asana.MissingScope {
			t.Errorf("the cause is %v", err)
		}
	})
}

// What was learnt is not told of a connection that has broken or been ended.
func TestMembershipsOfABrokenConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		p.mustMembers(cookie)
		h.edit(cookie, func(hot *store.Hot) { hot.Status, hot.Reason = store.Broken, "invalid-grant" })
		_, err := p.members(cookie)
		wantKind(t, err, asanaauth.ReconnectRequired)
		_, err = p.memberships.In(t.Context(), &p.session(cookie).Connection, asanatest.Acme, "")
		wantKind(t, err, asanaauth.ReconnectRequired)
		h.switches(func(s *asanatest.Switches) { s.RefuseRefresh = true })
		other := p.signIn(asanatest.Guest)
		h.expire()
		_, err = p.members(other)
		wantKind(t, err, asanaauth.ReconnectRequired)
	})
}

// The connection is ended, and begun anew by somebody else's consent, while a
// refresh is under way: the old session learns nothing of the new one.
func TestMembershipsOfAnEndedSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.expire()
		s := p.session(cookie)
		h.inRequest("refresh_token", func() {
			h.edit(cookie, func(hot *store.Hot) { hot.Epoch, hot.Generation = "another", hot.Generation+1 })
		})
		_, err := p.memberships.List(t.Context(), &s.Connection, "")
		if kind := asanaauth.KindOf(err); kind != asanaauth.Unauthenticated {
			t.Errorf("List() = %v", err)
		}
		wantCount(t, "requests", h.asana.CountRequests(workspacesPath), 0)
	})
}

func TestMembershipsServeManyAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Several)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if list, err := p.members(cookie); err != nil || len(list) != 2 {
					t.Errorf("List() = %v, %v", list, err)
				}
			})
		}
		wg.Wait()
	})
}

// An answer is its caller's own: what it does to it meets nobody else.
func TestMembershipsAreTheCallers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.ViewOnly)
		for range 3 { // asked, and kept
			list := p.mustMembers(cookie)
			if !list[0].ViewOnly.Value {
				t.Fatal("another caller's change is told")
			}
			list[0].ViewOnly = asanaauth.Flag{Known: true}
		}
	})
}

// movedClock is the system's clock, set otherwise.
type movedClock struct {
	asanaauth.Clock
	by time.Duration
}

func (c *movedClock) Now() time.Time { return c.Clock.Now().Add(c.by) }

func (c *movedClock) WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	return c.Clock.WithDeadline(ctx, at.Add(-c.by))
}

// A clock that was set back makes nothing last longer.
func TestMembershipsFromTheFuture(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		clock := &movedClock{Clock: p.conns.Clock, by: 2 * time.Second}
		p.conns.Clock = clock
		p.mustMembers(cookie)
		wantCount(t, "requests", h.asana.CountRequests(workspacesPath), 1)
		clock.by = 0
		p.mustMembers(cookie)
		wantCount(t, "requests afterwards", h.asana.CountRequests(workspacesPath), 2)
	})
}

// Two connections never share an answer, not even where their epochs are the same.
func TestMembershipsAreKeptByConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		for i, owner := range []string{"one", "another"} {
			d, _ := p.importToken(owner, asanatest.Bot)
			h.editOf(d.ID, func(hot *store.Hot) { hot.Epoch, hot.Generation = "same", 1 })
			if _, err := p.memberships.List(t.Context(), p.opened(d.ID), ""); err != nil {
				t.Fatal(err)
			}
			wantCount(t, "requests", h.asana.CountRequests(workspacesPath), i+1)
		}
	})
}

// What is kept does not grow for ever: a thousand answers make room for others.
func TestMembershipsKeptAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		conn := p.opened(p.connect("o", asanatest.Member).ID)
		h.asana.Inject(asanatest.Fault{Path: "/api/1.0/users/*", Body: `{"data":[]}`, Times: -1})
		asked := func(i int) int {
			t.Helper()
			before := h.asana.CountRequests(workspacesPath)
			if _, err := p.memberships.List(t.Context(), conn, fmt.Sprint(1_300_000_000_000_000+i)); err != nil {
				t.Fatal(err)
			}
			return h.asana.CountRequests(workspacesPath) - before
		}
		for i := range 1000 {
			asked(i)
		}
		wantCount(t, "requests for a kept one", asked(0), 0)
		asked(1000)
		wantCount(t, "requests for one that made room", asked(0), 1)
	})
}

// Asana's Retry-After is believed for five minutes at most.
func TestARateLimitEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.asana.Inject(asanatest.Fault{Path: workspacesPath, Status: 429, Header: http.Header{"Retry-After": {"3600"}}})
		_, err := p.members(cookie)
		wantKind(t, err, asanaauth.TryAgain)
		time.Sleep(5*time.Minute - time.Second)
		_, err = p.members(cookie)
		wantKind(t, err, asanaauth.TryAgain)
		wantCount(t, "requests", h.asana.CountRequests(workspacesPath), 1)
		time.Sleep(time.Second)
		p.mustMembers(cookie)
	})
}
