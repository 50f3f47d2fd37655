package membership_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func TestAnEmptyConfigReportsEveryMissingField(t *testing.T) {
	t.Parallel()
	got, err := membership.New(membership.Config{})
	if got != nil {
		t.Error("got a value and an error, want only an error")
	}
	authtest.WantMistakes(t, err,
		"asanaauth: Asana is missing", "asanaauth: Keys is missing", "asanaauth: Secrets is missing", "asanaauth: Store is missing",
	)
}

func TestMembershipsOfEachPerson(t *testing.T) {
	t.Parallel()
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
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				cookie := p.SignIn(gid)
				list := mustMembers(p, cookie)
				var got []string
				for _, m := range list {
					got = append(got, flags(m))
					if m.UserGID != gid || m.UserName.IsZero() || m.AskedWith != "connection" || !m.CheckedAt.Equal(time.Now()) {
						t.Errorf("membership: %+v", m)
					}
					one, err := p.Memberships.In(t.Context(), p.Session(cookie).Connection(), m.Workspace.GID, "")
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

// To request another user's memberships, List uses the connection's own token, and never
// a reader's token.
func TestMembershipsOfAnotherUser(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		conn := p.Open(p.Connect("o", asanatest.Several).ID)
		list, err := p.Memberships.List(t.Context(), conn, asanatest.ViewOnly)
		if err != nil || len(list) != 1 || list[0].UserGID != asanatest.ViewOnly ||
			flags(list[0]) != "Acme: active y, admin n, guest n, view only y, can write n" {
			t.Fatalf("List() = %v, %v", list, err)
		}
		_, err = p.Memberships.In(t.Context(), conn, asanatest.Globex, asanatest.ViewOnly)
		authtest.WantKind(t, err, asanaauth.NotFound)
		_, err = p.Memberships.List(t.Context(), conn, "1299999999999999")
		authtest.WantKind(t, err, asanaauth.NotFound)
		for _, user := range []string{"me", "mia@acme.example", " ", "12a"} {
			_, err = p.Memberships.List(t.Context(), conn, user)
			authtest.WantKind(t, err, asanaauth.InvalidRequest)
		}
		own, err := p.Memberships.List(t.Context(), conn, "")
		if err != nil || len(own) != 2 || own[0].UserGID != asanatest.Several {
			t.Errorf("the person's own memberships: %v, %v", own, err)
		}
	})
}

func TestAnInactiveMembershipCannotWrite(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Switches(func(s *asanatest.Switches) { s.ListInactiveMemberships = true })
		p := inst.Process()
		m, err := p.Memberships.In(t.Context(), p.Session(p.SignIn(asanatest.Deactivated)).Connection(), asanatest.Acme, "")
		if want := "Acme: active n, admin n, guest n, view only n, can write n"; err != nil || flags(m) != want {
			t.Errorf("In() = %s, %v", flags(m), err)
		}
	})
}

// None of Asana's granular scopes gives access to the membership endpoints. For an app
// with granular scopes, List therefore reports every flag as unknown, not as false.
func TestAGranularAppDoesNotKnow(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.App(func(a *asanatest.App) { a.Scopes = []string{"users:read", "workspaces:read"} })
		p := inst.Process(func(s *authtest.Settings) { s.Scopes = "users:read workspaces:read" })
		for _, gid := range []string{asanatest.Member, asanatest.ViewOnly} {
			list := mustMembers(p, p.SignIn(gid))
			if len(list) != 1 || flags(list[0]) != allUnknown("Acme", membership.FullPermissionsRequired) {
				t.Errorf("got %v, want all flags unknown", list)
			}
		}
	})
}

func TestWhatAsanaDoesNotReportIsUnknown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(path string, m map[string]any) int
		want   string
	}{
		"a refusal for an unknown reason": {func(path string, m map[string]any) int {
			if path == authtest.MembershipsPath(asanatest.ViewOnly) {
				delete(m, "data")
				m["errors"] = []any{map[string]any{"message": "You shall not."}}
				return http.StatusForbidden
			}
			return 0
		}, allUnknown("Acme", membership.NotAllowed)},
		"no such membership": {func(path string, m map[string]any) int {
			if path == authtest.MembershipsPath(asanatest.ViewOnly) {
				m["data"] = []any{}
			}
			return 0
		}, allUnknown("Acme", membership.NotReported)},
		"no flags": {func(path string, m map[string]any) int {
			if path == authtest.MembershipsPath(asanatest.ViewOnly) {
				for _, name := range []string{"is_active", "is_admin", "is_guest", "is_view_only"} {
					delete(m["data"].([]any)[0].(map[string]any), name)
				}
			}
			return 0
		}, allUnknown("Acme", membership.NotReported)},
		"no is_view_only": {func(path string, m map[string]any) int {
			if path == authtest.MembershipsPath(asanatest.ViewOnly) {
				m["data"].([]any)[0].(map[string]any)["is_view_only"] = nil
			}
			return 0
		}, "Acme: active y, admin n, guest n, view only not-reported, can write not-reported"},
		"another workspace": {func(path string, m map[string]any) int {
			if path == authtest.MembershipsPath(asanatest.ViewOnly) {
				m["data"].([]any)[0].(map[string]any)["workspace"].(map[string]any)["gid"] = asanatest.Globex
			}
			return 0
		}, allUnknown("Acme", membership.NotReported)},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process(func(s *authtest.Settings) { s.Transport = authtest.Tampered{Next: inst.Wire, Change: c.change} })
				list := mustMembers(p, p.SignIn(asanatest.ViewOnly))
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
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Switches(func(s *asanatest.Switches) { s.BlockedWorkspace = asanatest.Acme })
		p := inst.Process()
		cookie := p.SignIn(asanatest.Several)
		if list := mustMembers(p, cookie); len(list) != 1 || list[0].Workspace.GID != asanatest.Globex {
			t.Errorf("got %v, want only Globex", list)
		}
		_, err := p.Memberships.In(t.Context(), p.Session(cookie).Connection(), asanatest.Acme, "")
		authtest.WantKind(t, err, asanaauth.NotFound)
	})
}

func TestUnknownWorkspaces(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		for _, gid := range []string{"", "me", "12a", "-1", " 1", "1 ", "1/../2", "١", "1111111111111111111111111111111"} {
			_, err := p.Memberships.In(t.Context(), p.Session(cookie).Connection(), gid, "")
			if asanaauth.KindOf(err) != asanaauth.InvalidRequest {
				t.Errorf("In(%q): got error %v, want invalid-request", gid, err)
			}
		}
		authtest.WantCount(t, "requests", inst.Asana.CountRequests(authtest.WorkspacesPath), 0)
		for _, gid := range []string{asanatest.Globex, "1", "0" + asanatest.Acme, asanatest.Member} {
			_, err := p.Memberships.In(t.Context(), p.Session(cookie).Connection(), gid, "")
			if asanaauth.KindOf(err) != asanaauth.NotFound {
				t.Errorf("In(%q): got error %v, want not-found", gid, err)
			}
		}
		authtest.WantCount(t, "requests", inst.Asana.CountRequests(authtest.WorkspacesPath), 1)
	})
}

func TestMembershipsAreAskedWithAFreshToken(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		time.Sleep(56 * time.Minute) // the token expires in four minutes
		mustMembers(p, cookie)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
		authtest.WantCount(t, "audit lines of a token that left us", inst.Log.Says("audit", "token_released"), 0)
	})
}

// If Asana rejects an access token before its expiry, List refreshes the token and
// repeats the request once with the new token.
func TestARefusedTokenIsReportedByMemberships(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		old := p.MustToken(cookie, 0)
		if err := inst.Asana.ExpireAccessTokens(); err != nil {
			t.Fatal(err)
		}
		mustMembers(p, cookie)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
		if p.MustToken(cookie, 0).Access.Equal(old.Access) {
			t.Error("the refused token is returned again")
		}
	})
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Asana.Inject(asanatest.Fault{Path: authtest.WorkspacesPath, Status: 401, Times: -1})
		_, err := p.Members(cookie)
		authtest.WantKind(t, err, asanaauth.AsanaUnavailable)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
		authtest.WantCount(t, "requests", inst.Asana.CountRequests(authtest.WorkspacesPath), 2)
		inst.Asana.ClearFaults()
		mustMembers(p, cookie) // the failure was not cached
	})
}

// If a connection is broken, List does not return cached responses for the connection.
func TestMembershipsOfABrokenConnection(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		mustMembers(p, cookie)
		inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Status, hot.Reason = row.Broken, "invalid-grant" })
		_, err := p.Members(cookie)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		_, err = p.Memberships.In(t.Context(), p.Session(cookie).Connection(), asanatest.Acme, "")
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
		inst.Switches(func(s *asanatest.Switches) { s.RefuseRefresh = true })
		other := p.SignIn(asanatest.Guest)
		inst.Expire()
		_, err = p.Members(other)
		authtest.WantKind(t, err, asanaauth.ReconnectRequired)
	})
}

// During a refresh, the person disconnects and connects again. The old session gets no
// memberships through the new consent.
func TestMembershipsOfAnEndedSession(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		inst.Expire()
		s := p.Session(cookie)
		inst.InRequest("refresh_token", func() {
			inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Epoch, hot.Generation = "another", hot.Generation+1 })
		})
		_, err := p.Memberships.List(t.Context(), s.Connection(), "")
		if kind := asanaauth.KindOf(err); kind != asanaauth.Unauthenticated {
			t.Errorf("List() = %v", err)
		}
		authtest.WantCount(t, "requests", inst.Asana.CountRequests(authtest.WorkspacesPath), 0)
	})
}

func TestMembershipsServeManyAtOnce(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Several)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if list, err := p.Members(cookie); err != nil || len(list) != 2 {
					t.Errorf("List() = %v, %v", list, err)
				}
			})
		}
		wg.Wait()
	})
}
