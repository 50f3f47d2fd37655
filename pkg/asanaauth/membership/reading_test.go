package membership_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// If the person's own token is not allowed to read the membership, List uses the reader's
// token.
func TestAReaderIsAsked(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst, p := granular(t)
		cookie := p.SignIn(asanatest.ViewOnly)
		if got := flags(mustMembers(p, cookie)[0]); got != allUnknown("Acme", membership.FullPermissionsRequired) {
			t.Fatalf("without a reader: %s", got)
		}
		importReader(p, "it", asanatest.Acme)
		list := mustMembers(p, cookie)
		if len(list) != 1 || list[0].AskedWith != "reader" || list[0].UserGID != asanatest.ViewOnly || list[0].Workspace.Name != "Acme" ||
			flags(list[0]) != "Acme: active y, admin n, guest n, view only y, can write n" {
			t.Errorf("with a reader: %+v", list)
		}
		one, err := p.Memberships.In(t.Context(), p.Session(cookie).Connection(), asanatest.Acme, "")
		if err != nil || one.AskedWith != "reader" {
			t.Errorf("In() = %+v, %v", one, err)
		}
		// The response to the request with the reader's token is cached, because each
		// such request counts against the token's rate limit.
		before := len(inst.Asana.Requests())
		time.Sleep(4 * time.Minute)
		mustMembers(p, cookie)
		authtest.WantCount(t, "requests", len(inst.Asana.Requests())-before, 0)
		time.Sleep(2 * time.Minute)
		mustMembers(p, cookie)
		if len(inst.Asana.Requests()) == before {
			t.Error("the response was cached for more than five minutes")
		}
	})
}

// List uses a reader's token only for memberships of the connection's own user, and only
// in workspaces that the connection's own token can read.
func TestTheLimitsOfAReader(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst, p := granular(t)
		importReader(p, "it", asanatest.Acme)
		// The service account is not the reader of Globex.
		list := mustMembers(p, p.SignIn(asanatest.Several))
		if len(list) != 2 || list[0].AskedWith != "reader" || list[1].AskedWith != "connection" ||
			flags(list[1]) != allUnknown("Globex", membership.FullPermissionsRequired) {
			t.Errorf("got %+v, want Acme from the reader, and Globex unknown", list)
		}
		conn := p.Open(p.Connect("o", asanatest.Member).ID)
		about := func() int { return inst.Asana.CountRequests(authtest.MembershipsPath(asanatest.ViewOnly)) }
		before := about()
		list, err := p.Memberships.List(t.Context(), conn, asanatest.ViewOnly)
		if err != nil || len(list) != 1 || flags(list[0]) != allUnknown("Acme", membership.FullPermissionsRequired) || list[0].AskedWith != "connection" {
			t.Errorf("about another user: %+v, %v", list, err)
		}
		// Only the connection's own token is used to request another user's memberships.
		authtest.WantCount(t, "requests about another user", about()-before, 1)
		outside := p.Open(p.Connect("o", asanatest.Deactivated).ID)
		_, err = p.Memberships.In(t.Context(), outside, asanatest.Acme, "")
		authtest.WantKind(t, err, asanaauth.NotFound)
	})
}

// After a reader is disconnected or replaced, its cached responses are not used.
func TestAFormerReaderIsNotAsked(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*authtest.Installation, *authtest.Process, string){
		"disconnected": func(inst *authtest.Installation, p *authtest.Process, id string) {
			if _, err := p.Connections.Disconnect(context.Background(), p.Open(id)); err != nil {
				inst.T.Fatal(err)
			}
		},
		"dismissed": func(_ *authtest.Installation, p *authtest.Process, id string) { setReader(p, id) },
		"revoking": func(inst *authtest.Installation, _ *authtest.Process, id string) {
			inst.Rows.Edit(id, func(hot *store.Hot) { hot.Status = row.Revoking })
		},
		"its cold row does not name the workspace": func(inst *authtest.Installation, _ *authtest.Process, id string) {
			inst.Rows.EditCold(id, func(c *store.Cold) { c.ReaderOf = "" })
		},
		"the pointer names another kind": func(inst *authtest.Installation, p *authtest.Process, _ string) {
			pointer := authtest.Row[*store.Reader](inst.Rows, store.ReaderKey(store.HashText(asanatest.Acme)))
			d, _ := p.ImportToken("x", asanatest.Admin) // an admin, whose token can read the membership
			pointer.Connection = d.ID
			inst.Rows.Forge(pointer)
			inst.Rows.EditCold(d.ID, func(c *store.Cold) { c.ReaderOf = asanatest.Acme })
		},
		"its id does not match": func(inst *authtest.Installation, _ *authtest.Process, id string) {
			inst.Rows.Edit(id, func(hot *store.Hot) { hot.Owner = store.HashText("somebody") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst, p := granular(t)
				cookie := p.SignIn(asanatest.Member)
				id := importReader(p, "it", asanatest.Acme)
				if mustMembers(p, cookie)[0].AskedWith != "reader" {
					t.Fatal("the reader was not asked")
				}
				end(inst, p, id)
				if m := mustMembers(p, cookie)[0]; m.AskedWith != "connection" || flags(m) != allUnknown("Acme", membership.FullPermissionsRequired) {
					t.Errorf("got %s, asked with %s", flags(m), m.AskedWith)
				}
			})
		})
	}
}

// If the request with a reader's token fails, List returns the memberships that Asana
// reports for the connection's own token. A refusal is cached. After any other failure, the
// unknown flags have the reason ReaderUnavailable, and the next call of List uses the
// reader's token again.
func TestAReaderThatFails(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]asanatest.Fault{
		"a 500": {Status: 500}, "a cut connection": {Cut: true}, "nonsense": {Body: "nonsense"}, "no response": {Delay: time.Hour}, "a 408": {Status: 408},
		"a 403": {Status: 403}, "a 404": {Status: 404}, "a 402": {Status: 402}, "a 451": {Status: 451},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst, p := granular(t)
				cookie := p.SignIn(asanatest.Member)
				importReader(p, "it", asanatest.Acme)
				path := authtest.MembershipsPath(asanatest.Member)
				// List sends the first request with the person's own token. The test
				// makes only the second request fail, the one with the reader's token.
				inst.Asana.Inject(asanatest.Fault{Path: path, Before: func(*http.Request) {
					fault.Path = path
					inst.Asana.Inject(fault)
				}})
				refused := fault.Status == 402 || fault.Status == 403 || fault.Status == 404 || fault.Status == 451
				want := allUnknown("Acme", membership.ReaderUnavailable)
				if refused {
					want = allUnknown("Acme", membership.FullPermissionsRequired)
				}
				if m := mustMembers(p, cookie)[0]; flags(m) != want || m.AskedWith != "connection" {
					t.Errorf("got %s, asked with %s", flags(m), m.AskedWith)
				}
				if asked := mustMembers(p, cookie)[0].AskedWith == "reader"; asked == refused {
					t.Errorf("asked again: %v", asked)
				}
			})
		})
	}
}

// If the reader is unavailable, the flags that Asana reports for the person's own token
// stay known.
func TestAReaderThatFailsRemovesNothing(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst, p := granular(t)
		cookie := p.SignIn(asanatest.Member)
		importReader(p, "it", asanatest.Acme)
		path := authtest.MembershipsPath(asanatest.Member)
		inst.Asana.Inject(asanatest.Fault{Path: path, Body: `{"data":[{"gid":"1","user":{"gid":"` + asanatest.Member + `"},"workspace":{"gid":"` + asanatest.Acme + `"},"is_guest":true}]}`})
		inst.Asana.Inject(asanatest.Fault{Path: path, Status: 500})
		want := "Acme: active reader-unavailable, admin reader-unavailable, guest y, view only reader-unavailable, can write reader-unavailable"
		if m := mustMembers(p, cookie)[0]; flags(m) != want || m.Guest.Unknown != "" {
			t.Errorf("got %s, want %s; the known flag has the reason %q", flags(m), want, m.Guest.Unknown)
		}
	})
}

// No caller uses a rate-limited reader's token before the time in Retry-After has passed.
func TestAReaderOverItsLimit(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst, p := granular(t)
		cookie := p.SignIn(asanatest.Member)
		importReader(p, "it", asanatest.Acme)
		path := authtest.MembershipsPath(asanatest.Member)
		inst.Asana.Inject(asanatest.Fault{Path: path, Before: func(*http.Request) {
			inst.Asana.Inject(asanatest.Fault{Path: path, Status: 429, Header: http.Header{"Retry-After": {"20"}}})
		}})
		wantUnavailable := func(c secret.String) {
			t.Helper()
			if m := mustMembers(p, c)[0]; flags(m) != allUnknown("Acme", membership.ReaderUnavailable) || m.AskedWith != "connection" {
				t.Errorf("got %s, asked with %s", flags(m), m.AskedWith)
			}
		}
		wantUnavailable(cookie)
		before := len(inst.Asana.Requests())
		time.Sleep(19 * time.Second)
		for _, c := range []secret.String{cookie, p.SignIn(asanatest.ViewOnly)} {
			wantUnavailable(c)
		}
		for _, r := range inst.Asana.Requests()[before:] {
			if r.Path == path {
				t.Error("the reader was asked before Retry-After")
			}
		}
		time.Sleep(time.Second)
		if mustMembers(p, cookie)[0].AskedWith != "reader" {
			t.Error("the reader was not asked after Retry-After")
		}
	})
}

// If a reader's token is no longer active, the reader's connection is marked as broken.
func TestAReaderWhoseTokenWasRevoked(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst, p := granular(t)
		cookie := p.SignIn(asanatest.Member)
		d, value := p.ImportToken("it", asanatest.ServiceAccount)
		setReader(p, d.ID, asanatest.Acme)
		time.Sleep(time.Minute)
		if err := inst.Asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		if m := mustMembers(p, cookie)[0]; m.AskedWith != "connection" || m.ViewOnly.Known {
			t.Errorf("got %s, asked with %s", flags(m), m.AskedWith)
		}
		if hot := inst.Rows.Hot(d.ID); hot.Status != row.Broken || hot.Reason != "inactive" {
			t.Errorf("status %s, reason %s, want broken, inactive", hot.Status, hot.Reason)
		}
		// After a new token is imported, the service account is still the workspace's
		// reader.
		p.ImportToken("it", asanatest.ServiceAccount)
		if mustMembers(p, cookie)[0].AskedWith != "reader" {
			t.Error("the service account is no longer the reader")
		}
	})
}

// If a service account is the reader of several workspaces, one call of List or
// Capabilities sends only one request with the service account's token, because each
// request counts against the token's rate limit. The test calls Capabilities, which does
// not use the cache. The request with the service account's token succeeds in the first
// call and fails in the second.
func TestAReaderIsAskedOnce(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst, p := granular(t)
		addToWorkspaces(inst, asanatest.Workspace{GID: asanatest.Globex, Name: "Globex"})
		importReader(p, "it", asanatest.Acme, asanatest.Globex)
		id := p.Connect("o", asanatest.Several).ID
		path := authtest.MembershipsPath(asanatest.Several)
		got, err := can(p, id)
		if err != nil || len(got.Workspaces) != 2 || got.Workspaces[0].AskedWith != "reader" || got.Workspaces[1].AskedWith != "reader" {
			t.Errorf("got %+v, %v", got.Workspaces, err)
		}
		authtest.WantCount(t, "own and reader's requests", inst.Asana.CountRequests(path), 2)
		inst.Asana.Inject(asanatest.Fault{Path: path, Before: func(*http.Request) {
			inst.Asana.Inject(asanatest.Fault{Path: path, Status: 500, Times: -1})
		}})
		if got, err = can(p, id); err != nil || got.Workspaces[0].AskedWith != "connection" || got.Workspaces[1].AskedWith != "connection" {
			t.Errorf("if it fails: %+v, %v", got.Workspaces, err)
		}
		authtest.WantCount(t, "requests if it fails", inst.Asana.CountRequests(path), 4)
	})
}

// A call for one workspace does not use the readers of other workspaces.
func TestInAsksOnlyTheReaderOfTheWorkspace(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst, p := granular(t)
		addToWorkspaces(inst, asanatest.Workspace{GID: asanatest.Globex, Name: "Globex"})
		importReader(p, "first", asanatest.Acme)
		importReader(p, "second", asanatest.Globex)
		conn := p.Open(p.Connect("o", asanatest.Several).ID)
		in, err := p.Memberships.In(t.Context(), conn, asanatest.Acme, "")
		if err != nil || in.AskedWith != "reader" || !in.ViewOnly.Value {
			t.Errorf("In() = %+v, %v", in, err)
		}
		authtest.WantCount(t, "own and one reader's", inst.Asana.CountRequests(authtest.MembershipsPath(asanatest.Several)), 2)
		list, err := p.Memberships.List(t.Context(), conn, "")
		if err != nil || list[0].AskedWith != "reader" || list[1].AskedWith != "reader" || list[1].ViewOnly.Value {
			t.Errorf("List() = %+v, %v", list, err)
		}
		authtest.WantCount(t, "and the other's", inst.Asana.CountRequests(authtest.MembershipsPath(asanatest.Several)), 3)
	})
}

// List does not use a reader whose rows are inconsistent, and returns no error.
func TestAReaderWithInconsistentRows(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst, p := granular(t)
		cookie := p.SignIn(asanatest.Member)
		id := importReader(p, "it", asanatest.Acme)
		c := inst.Rows.Cold(id)
		c.Generation++
		inst.Rows.Forge(c)
		if m := mustMembers(p, cookie)[0]; m.AskedWith != "connection" {
			t.Errorf("got %s, asked with %s", flags(m), m.AskedWith)
		}
	})
}

// If an import changes a reader's rows while List reads them, List reads the rows again.
func TestAReaderIsReadAgainDuringAnImport(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst, p := granular(t)
		cookie := p.SignIn(asanatest.Member)
		id := importReader(p, "it", asanatest.Acme)
		whole := inst.Rows.Cold(id)
		torn := *whole
		torn.Generation--
		inst.Rows.Forge(&torn)
		reads := 0
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "read" && slices.Contains(op.Keys, store.ColdKey(id)) {
				if reads++; reads == 2 {
					again := torn
					again.Generation++
					inst.Rows.Forge(&again)
				}
			}
			return true, nil
		}
		if m := mustMembers(p, cookie)[0]; m.AskedWith != "reader" {
			t.Errorf("got %s, asked with %s", flags(m), m.AskedWith)
		}
	})
}

// List uses no reader if all flags are known. List also uses no reader if the connection
// is itself the workspace's reader.
func TestAReaderIsNotAskedUnnecessarily(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		id := importReader(p, "it", asanatest.Acme)
		mustMembers(p, p.SignIn(asanatest.Member))
		authtest.WantCount(t, "requests if all is known", inst.Asana.CountRequests(authtest.MembershipsPath(asanatest.Member)), 1)
		path := authtest.MembershipsPath(asanatest.ServiceAccount)
		inst.Asana.Inject(asanatest.Fault{Path: path, Body: `{"data":[]}`})
		list, err := p.Memberships.List(t.Context(), p.Open(id), "")
		if err != nil || flags(list[0]) != allUnknown("Acme", membership.NotReported) || list[0].AskedWith != "connection" {
			t.Errorf("List() = %+v, %v; want all flags unknown, asked with the connection's token", list, err)
		}
		authtest.WantCount(t, "its own requests", inst.Asana.CountRequests(path), 1)
	})
}
