package asanaauth_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// granular is a house whose app may not ask for memberships, and a process of it.
func granular(t *testing.T) (*house, *process) {
	h := newHouse(t)
	h.app(func(a *asanatest.App) { a.Scopes = []string{"users:read", "workspaces:read"} })
	return h, h.process(func(s *settings) { s.scopes = "users:read workspaces:read" })
}

// reader imports a service account's token and names it the reader of workspaces.
func (p *process) reader(owner string, workspaces ...string) string {
	p.h.t.Helper()
	d, _ := p.importToken(owner, asanatest.ServiceAccount)
	p.setReader(d.ID, workspaces...)
	return d.ID
}

func (p *process) setReader(id string, workspaces ...string) {
	p.h.t.Helper()
	d, err := p.conns.SetReaderOf(context.Background(), p.opened(id), workspaces)
	if err != nil || strings.Join(d.ReaderOf, " ") != strings.Join(workspaces, " ") {
		p.h.t.Fatalf("SetReaderOf() = %v, %v", d.ReaderOf, err)
	}
}

// pointers are the connections that workspaces point to.
func (h *house) pointers() map[string]string {
	h.t.Helper()
	got := map[string]string{}
	for _, row := range h.all() {
		if r, ok := row.(*store.Reader); ok {
			for _, gid := range []string{asanatest.Acme, asanatest.Globex} {
				if r.Workspace == store.HashText(gid) {
					got[gid] = r.Connection
				}
			}
		}
	}
	return got
}

// A service account tells what the person's own token may not ask.
func TestAReaderTells(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := granular(t)
		cookie := p.signIn(asanatest.ViewOnly)
		if got := flags(p.mustMembers(cookie)[0]); got != allUnknown("Acme", asanaauth.FullPermissionsRequired) {
			t.Fatalf("without a reader: %s", got)
		}
		p.reader("it", asanatest.Acme)
		list := p.mustMembers(cookie)
		if len(list) != 1 || list[0].AskedWith != "reader" || list[0].UserGID != asanatest.ViewOnly || list[0].Workspace.Name != "Acme" ||
			flags(list[0]) != "Acme: active y, admin n, guest n, view only y, can write n" {
			t.Errorf("with one: %+v", list)
		}
		one, err := p.memberships.In(t.Context(), &p.session(cookie).Connection, asanatest.Acme, "")
		if err != nil || one.AskedWith != "reader" {
			t.Errorf("In() = %+v, %v", one, err)
		}
		// Kept, so that it spends little of the customer's rate limit.
		before := len(h.asana.Requests())
		time.Sleep(4 * time.Minute)
		p.mustMembers(cookie)
		wantCount(t, "requests", len(h.asana.Requests())-before, 0)
		time.Sleep(2 * time.Minute)
		p.mustMembers(cookie)
		if len(h.asana.Requests()) == before {
			t.Error("kept for more than five minutes")
		}
	})
}

// The two limits of a reader: only about the connection's own user, and only in
// workspaces that the connection's own token reaches.
func TestTheLimitsOfAReader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := granular(t)
		p.reader("it", asanatest.Acme)
		// Globex is not the reader's; Acme is not reached where it is blocked.
		list := p.mustMembers(p.signIn(asanatest.Several))
		if len(list) != 2 || list[0].AskedWith != "reader" || list[1].AskedWith != "connection" ||
			flags(list[1]) != allUnknown("Globex", asanaauth.FullPermissionsRequired) {
			t.Errorf("got %+v", list)
		}
		conn := p.opened(p.connect("o", asanatest.Member).ID)
		about := func() int { return h.asana.CountRequests(membershipsPath(asanatest.ViewOnly)) }
		before := about()
		list, err := p.memberships.List(t.Context(), conn, asanatest.ViewOnly)
		if err != nil || len(list) != 1 || flags(list[0]) != allUnknown("Acme", asanaauth.FullPermissionsRequired) || list[0].AskedWith != "connection" {
			t.Errorf("about somebody else: %+v, %v", list, err)
		}
		wantCount(t, "requests about somebody else", about()-before, 1) // with the own token
		outside := p.opened(p.connect("o", asanatest.Deactivated).ID)
		_, err = p.memberships.In(t.Context(), outside, asanatest.Acme, "")
		wantKind(t, err, asanaauth.NotFound)
	})
}

// What was learnt by a reader that was ended, dismissed or broken meets nobody.
func TestAReaderThatIsNoneAnyMore(t *testing.T) {
	for name, end := range map[string]func(h *house, p *process, id string){
		"ended": func(h *house, p *process, id string) {
			if _, err := p.conns.End(context.Background(), p.opened(id)); err != nil {
				h.t.Fatal(err)
			}
		},
		"dismissed": func(_ *house, p *process, id string) { p.setReader(id) },
		"broken": func(h *house, _ *process, id string) {
			h.editOf(id, func(hot *store.Hot) { hot.Status = store.Broken })
		},
		"its cold row denies": func(h *house, p *process, id string) { c := h.cold(secret.New(id + ".")); c.ReaderOf = ""; h.writes(c) },
		"no service account": func(h *house, p *process, _ string) {
			rows, err := h.rows.Read(context.Background(), store.ReaderKey(store.HashText(asanatest.Acme)))
			if err != nil {
				h.t.Fatal(err)
			}
			for _, row := range rows {
				r := row.(*store.Reader)
				d, _ := p.importToken("x", asanatest.Admin) // that could tell
				r.Connection = d.ID
				h.writes(r)
				h.editCold(r.Connection, func(c *store.Cold) { c.ReaderOf = asanatest.Acme })
			}
		},
		"not what its id says": func(h *house, _ *process, id string) {
			h.editOf(id, func(hot *store.Hot) { hot.Owner = store.HashText("somebody") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, p := granular(t)
				cookie := p.signIn(asanatest.Member)
				id := p.reader("it", asanatest.Acme)
				if p.mustMembers(cookie)[0].AskedWith != "reader" {
					t.Fatal("the reader was not asked")
				}
				end(h, p, id)
				if m := p.mustMembers(cookie)[0]; m.AskedWith != "connection" || flags(m) != allUnknown("Acme", asanaauth.FullPermissionsRequired) {
					t.Errorf("got %s by %s", flags(m), m.AskedWith)
				}
			})
		})
	}
}

// A reader in trouble leaves what is known without it, and is asked again.
func TestAReaderInTrouble(t *testing.T) {
	for name, fault := range map[string]asanatest.Fault{
		"a 500": {Status: 500}, "a cut": {Cut: true}, "nonsense": {Body: "nonsense"}, "a 403": {Status: 403}, "a 404": {Status: 404},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, p := granular(t)
				cookie := p.signIn(asanatest.Member)
				p.reader("it", asanatest.Acme)
				path := membershipsPath(asanatest.Member)
				// The first request is the person's own.
				h.asana.Inject(asanatest.Fault{Path: path, Before: func(*http.Request) {
					fault.Path = path
					h.asana.Inject(fault)
				}})
				if m := p.mustMembers(cookie)[0]; flags(m) != allUnknown("Acme", asanaauth.FullPermissionsRequired) || m.AskedWith != "connection" {
					t.Errorf("got %s by %s", flags(m), m.AskedWith)
				}
				told := p.mustMembers(cookie)[0].AskedWith == "reader"
				if definite := fault.Status == 403 || fault.Status == 404; told == definite {
					t.Errorf("asked again: %v", told)
				}
			})
		})
	}
}

// Asana's rate limit of the reader is honoured, and nobody is told that it is known.
func TestAReaderOverItsLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := granular(t)
		cookie := p.signIn(asanatest.Member)
		p.reader("it", asanatest.Acme)
		path := membershipsPath(asanatest.Member)
		h.asana.Inject(asanatest.Fault{Path: path, Before: func(*http.Request) {
			h.asana.Inject(asanatest.Fault{Path: path, Status: 429, Header: http.Header{"Retry-After": {"20"}}})
		}})
		_, err := p.members(cookie)
		wantKind(t, err, asanaauth.TryAgain)
		before := len(h.asana.Requests())
		time.Sleep(19 * time.Second)
		for _, c := range []secret.String{cookie, p.signIn(asanatest.ViewOnly)} { // whoever asks
			if _, err = p.members(c); asanaauth.KindOf(err) != asanaauth.TryAgain {
				t.Errorf("got %v", err)
			}
		}
		for _, r := range h.asana.Requests()[before:] {
			if r.Path == path {
				t.Error("the reader was asked before its time")
			}
		}
		time.Sleep(time.Second)
		if p.mustMembers(cookie)[0].AskedWith != "reader" {
			t.Error("afterwards it is not asked")
		}
	})
}

// A reader whose token died is found out, and broken.
func TestAReaderWhoseTokenDied(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := granular(t)
		cookie := p.signIn(asanatest.Member)
		d, value := p.importToken("it", asanatest.ServiceAccount)
		p.setReader(d.ID, asanatest.Acme)
		time.Sleep(time.Minute)
		if err := h.asana.RevokeToken(value.Reveal()); err != nil {
			t.Fatal(err)
		}
		if m := p.mustMembers(cookie)[0]; m.AskedWith != "connection" || m.ViewOnly.Known {
			t.Errorf("got %s by %s", flags(m), m.AskedWith)
		}
		if hot := h.hotOf(d.ID); hot.Status != store.Broken || hot.Reason != "inactive" {
			t.Errorf("it is %s, %s", hot.Status, hot.Reason)
		}
		// A new token of the account goes on as the reader.
		p.importToken("it", asanatest.ServiceAccount)
		if p.mustMembers(cookie)[0].AskedWith != "reader" {
			t.Error("the account is no reader any more")
		}
	})
}

func TestSetReaderOfRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		account, _ := p.importToken("it", asanatest.ServiceAccount)
		many := make([]string, 41)
		for i := range many {
			many[i] = fmt.Sprint(1_100_000_000_000_100 + i)
		}
		for name, c := range map[string]struct {
			workspaces []string
			kind       asanaauth.ErrorKind
		}{
			"too many":        {many, asanaauth.InvalidRequest},
			"no gid":          {[]string{"acme"}, asanaauth.InvalidRequest},
			"one twice":       {[]string{asanatest.Acme, asanatest.Acme}, asanaauth.InvalidRequest},
			"out of reach":    {[]string{asanatest.Globex}, asanaauth.NotFound},
			"one of them is":  {[]string{asanatest.Acme, asanatest.Globex}, asanaauth.NotFound},
			"one that is not": {many[:1], asanaauth.NotFound},
		} {
			_, err := p.conns.SetReaderOf(t.Context(), p.opened(account.ID), c.workspaces)
			if asanaauth.KindOf(err) != c.kind {
				t.Errorf("%s: %v", name, err)
			}
		}
		pat, _ := p.importToken("it", asanatest.Admin)
		for _, id := range []string{pat.ID, p.connect("o", asanatest.Admin).ID} {
			_, err := p.conns.SetReaderOf(t.Context(), p.opened(id), []string{asanatest.Acme})
			wantKind(t, err, asanaauth.NotAllowedForKind)
		}
		if len(h.pointers()) > 0 {
			t.Errorf("pointers: %v", h.pointers())
		}
		// A broken one can be dismissed, and named for nothing new.
		p.setReader(account.ID, asanatest.Acme)
		h.editOf(account.ID, func(hot *store.Hot) { hot.Status = store.Broken })
		p.setReader(account.ID, asanatest.Acme)
		_, err := p.conns.SetReaderOf(t.Context(), p.opened(account.ID), []string{asanatest.Acme, asanatest.Globex})
		wantKind(t, err, asanaauth.ReconnectRequired)
		p.setReader(account.ID)
		h.editOf(account.ID, func(hot *store.Hot) { hot.Status = store.Revoking })
		_, err = p.conns.SetReaderOf(t.Context(), p.opened(account.ID), nil)
		wantKind(t, err, asanaauth.ReconnectRequired)
		h.editOf(account.ID, func(hot *store.Hot) { hot.Status = store.Broken })
		if _, err := p.conns.End(t.Context(), p.opened(account.ID)); err != nil {
			t.Fatal(err)
		}
		_, err = p.conns.SetReaderOf(t.Context(), p.opened(account.ID), nil)
		wantKind(t, err, asanaauth.ReconnectRequired)
	})
}

// A workspace has one reader: the next takes over, and what ends leaves no pointer.
func TestAReaderTakesOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		if err := h.asana.UpdatePerson(asanatest.ServiceAccount, func(p *asanatest.Person) {
			p.Memberships = append(p.Memberships, asanatest.Membership{Workspace: asanatest.Workspace{GID: asanatest.Globex, Name: "Globex"}})
		}); err != nil {
			t.Fatal(err)
		}
		p := h.process()
		first := p.reader("first", asanatest.Acme, asanatest.Globex)
		second := p.reader("second", asanatest.Acme)
		if got := h.pointers(); got[asanatest.Acme] != second || got[asanatest.Globex] != first {
			t.Errorf("pointers: %v", got)
		}
		d, err := p.conns.Describe(t.Context(), p.opened(first))
		if err != nil || strings.Join(d.ReaderOf, " ") != asanatest.Globex {
			t.Errorf("the first is the reader of %v, %v", d.ReaderOf, err)
		}
		if _, err := p.conns.End(t.Context(), p.opened(first)); err != nil {
			t.Fatal(err)
		}
		if got := h.pointers(); len(got) != 1 || got[asanatest.Acme] != second {
			t.Errorf("pointers after the end: %v", got)
		}
		if _, err := p.conns.End(t.Context(), p.opened(second)); err != nil {
			t.Fatal(err)
		}
		if got := h.pointers(); len(got) > 0 {
			t.Errorf("pointers in the end: %v", got)
		}
	})
}

// Whatever operation fails, saved or not: row and pointers agree, and the same again
// does it.
func TestCrashPointsOfAReader(t *testing.T) {
	for _, saved := range []bool{false, true} {
		for at := 1; ; at++ {
			reached := false
			t.Run(fmt.Sprintf("operation %d, saved %v", at, saved), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					h := newHouse(t)
					p := h.process()
					p.reader("first", asanatest.Acme)
					account, _ := p.importToken("second", asanatest.ServiceAccount)
					conn := p.opened(account.ID)
					n := 0
					h.table.Hook = func(context.Context, storetest.Op) (bool, error) {
						if n++; n == at {
							return saved, errAway
						}
						return true, nil
					}
					_, err := p.conns.SetReaderOf(t.Context(), conn, []string{asanatest.Acme})
					h.table.Hook = nil
					if reached = n >= at; err != nil {
						wantKind(t, err, asanaauth.TryAgain)
					}
					p.setReader(account.ID, asanatest.Acme)
					if got := h.pointers(); len(got) != 1 || got[asanatest.Acme] != account.ID {
						t.Errorf("pointers: %v", got)
					}
				})
			})
			if !reached {
				break
			}
		}
	}
}

// reaches lets the service account reach workspaces besides Acme.
func (h *house) reaches(workspaces ...asanatest.Workspace) {
	h.t.Helper()
	if err := h.asana.UpdatePerson(asanatest.ServiceAccount, func(p *asanatest.Person) {
		for _, w := range workspaces {
			p.Memberships = append(p.Memberships, asanatest.Membership{Workspace: w})
		}
	}); err != nil {
		h.t.Fatal(err)
	}
}

// A reader of many workspaces is asked once for all, also past the cache and in
// trouble: its rate limit is one customer's for everything.
func TestAReaderIsAskedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := granular(t)
		h.reaches(asanatest.Workspace{GID: asanatest.Globex, Name: "Globex"})
		p.reader("it", asanatest.Acme, asanatest.Globex)
		id := p.connect("o", asanatest.Several).ID
		path := membershipsPath(asanatest.Several)
		can, err := p.can(id)
		if err != nil || len(can.Workspaces) != 2 || can.Workspaces[0].AskedWith != "reader" || can.Workspaces[1].AskedWith != "reader" {
			t.Errorf("got %+v, %v", can.Workspaces, err)
		}
		wantCount(t, "own and reader's requests", h.asana.CountRequests(path), 2)
		h.asana.Inject(asanatest.Fault{Path: path, Before: func(*http.Request) {
			h.asana.Inject(asanatest.Fault{Path: path, Status: 500, Times: -1})
		}})
		if can, err = p.can(id); err != nil || can.Workspaces[0].AskedWith != "connection" || can.Workspaces[1].AskedWith != "connection" {
			t.Errorf("in trouble: %+v, %v", can.Workspaces, err)
		}
		wantCount(t, "requests in trouble", h.asana.CountRequests(path), 4)
	})
}

// One workspace's question troubles no other workspace's reader.
func TestOneWorkspaceAsksItsReader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := granular(t)
		h.reaches(asanatest.Workspace{GID: asanatest.Globex, Name: "Globex"})
		p.reader("first", asanatest.Acme)
		p.reader("second", asanatest.Globex)
		conn := p.opened(p.connect("o", asanatest.Several).ID)
		in, err := p.memberships.In(t.Context(), conn, asanatest.Acme, "")
		if err != nil || in.AskedWith != "reader" || !in.ViewOnly.Value {
			t.Errorf("In() = %+v, %v", in, err)
		}
		wantCount(t, "own and one reader's", h.asana.CountRequests(membershipsPath(asanatest.Several)), 2)
		list, err := p.memberships.List(t.Context(), conn, "")
		if err != nil || list[0].AskedWith != "reader" || list[1].AskedWith != "reader" || list[1].ViewOnly.Value {
			t.Errorf("List() = %+v, %v", list, err)
		}
		wantCount(t, "and the other's", h.asana.CountRequests(membershipsPath(asanatest.Several)), 3)
	})
}

// A reader adds to what is known, and takes nothing away.
func TestAReaderTakesNothingAway(t *testing.T) {
	body := func(flags string) string {
		return `{"data":[{"gid":"1","user":{"gid":"` + asanatest.Member + `"},"workspace":{"gid":"` + asanatest.Acme + `"}` + flags + `}]}`
	}
	for name, c := range map[string]struct{ own, reader, want, with string }{
		"it tells what is missing": {`,"is_active":true`, `,"is_active":true,"is_view_only":true`,
			"Acme: active y, admin not-reported, guest not-reported, view only y, can write n", "reader"},
		"it tells less of the rest": {`,"is_view_only":true,"is_guest":true`, `,"is_active":true,"is_admin":false`,
			"Acme: active y, admin n, guest y, view only y, can write n", "reader"},
		"it knows better": {`,"is_active":true,"is_guest":true`, `,"is_active":false,"is_guest":false`,
			"Acme: active n, admin not-reported, guest n, view only not-reported, can write n", "reader"},
		"it tells nothing": {`,"is_active":true`, ``,
			"Acme: active y, admin not-reported, guest not-reported, view only not-reported, can write not-reported", "connection"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, p := granular(t)
				cookie := p.signIn(asanatest.Member)
				p.reader("it", asanatest.Acme)
				path := membershipsPath(asanatest.Member)
				h.asana.Inject(asanatest.Fault{Path: path, Body: body(c.own)})
				h.asana.Inject(asanatest.Fault{Path: path, Body: body(c.reader)})
				if m := p.mustMembers(cookie)[0]; flags(m) != c.want || m.AskedWith != c.with {
					t.Errorf("got %s by %s", flags(m), m.AskedWith)
				}
			})
		})
	}
}

// What is mixed is as old as its oldest part.
func TestAReadersAnswerIsAsOldAsItsParts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := granular(t)
		cookie := p.signIn(asanatest.Member)
		path := membershipsPath(asanatest.Member)
		h.asana.Inject(asanatest.Fault{Path: path, Body: `{"data":[{"gid":"1","user":{"gid":"` + asanatest.Member + `"},"workspace":{"gid":"` + asanatest.Acme + `"},"is_guest":true}]}`})
		p.mustMembers(cookie)
		asked := time.Now()
		time.Sleep(time.Minute)
		p.reader("it", asanatest.Acme)
		h.asana.Inject(asanatest.Fault{Path: path, Body: `{"data":[{"gid":"1","user":{"gid":"` + asanatest.Member + `"},"workspace":{"gid":"` + asanatest.Acme + `"},"is_active":true,"is_view_only":false}]}`})
		if m := p.mustMembers(cookie)[0]; m.AskedWith != "reader" || !m.Guest.Value || !m.CheckedAt.Equal(asked) {
			t.Errorf("got %+v, want it checked at %v", m, asked)
		}
		cookie = p.signIn(asanatest.ViewOnly)
		conn := p.opened(connectionOf(cookie))
		h.asana.Inject(asanatest.Fault{Path: membershipsPath(asanatest.ViewOnly), Status: 403})
		h.asana.Inject(asanatest.Fault{Path: membershipsPath(asanatest.ViewOnly), Status: 500})
		p.mustMembers(cookie) // the reader is in trouble
		time.Sleep(time.Minute)
		if m, err := p.memberships.In(t.Context(), conn, asanatest.Acme, ""); err != nil || m.AskedWith != "reader" || !m.CheckedAt.Equal(time.Now()) {
			t.Errorf("all of the reader: %+v, %v", m, err)
		}
	})
}

// Rows that do not belong together make no reader, and no trouble for anybody.
func TestAReaderWhoseRowsStayApart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := granular(t)
		cookie := p.signIn(asanatest.Member)
		id := p.reader("it", asanatest.Acme)
		c := h.cold(secret.New(id + "."))
		c.Generation++
		h.writes(c)
		if m := p.mustMembers(cookie)[0]; m.AskedWith != "connection" {
			t.Errorf("got %s by %s", flags(m), m.AskedWith)
		}
	})
}

// Rows read while an import writes them are read again.
func TestAReaderReadDuringAnImport(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := granular(t)
		cookie := p.signIn(asanatest.Member)
		id := p.reader("it", asanatest.Acme)
		whole := h.cold(secret.New(id + "."))
		torn := *whole
		torn.Generation--
		h.writes(&torn)
		reads := 0
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "read" && slices.Contains(op.Keys, store.ColdKey(id)) {
				if reads++; reads == 2 {
					again := torn
					again.Generation++
					h.writes(&again)
				}
			}
			return true, nil
		}
		if m := p.mustMembers(cookie)[0]; m.AskedWith != "reader" {
			t.Errorf("got %s by %s", flags(m), m.AskedWith)
		}
	})
}

// What a reader told is kept for its consent, and for that of who asked.
func TestAReadersAnswersAreKeptByConsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := granular(t)
		first := p.signIn(asanatest.Member)
		id := p.reader("it", asanatest.Acme)
		asked := func(what string, want int) {
			t.Helper()
			p.mustMembers(first)
			wantCount(t, what, h.asana.CountRequests(membershipsPath(asanatest.Member)), want)
		}
		asked("own and reader's", 2)
		asked("kept", 2)
		p.importToken("it", asanatest.ServiceAccount)
		asked("another generation of the reader", 3)
		h.editOf(id, func(hot *store.Hot) { hot.RefusedGrant = -1 })
		asked("a write that changes no consent", 3)
		second := p.reader("other", asanatest.Acme)
		asked("another reader", 4)
		first = p.signIn(asanatest.Member)
		asked("another generation of who asks", 6)
		p.setReader(second)
		p.setReader(second, asanatest.Acme)
		asked("dismissed and named again, the same consent", 6)
	})
}

// A transaction takes 100 changes. Who replaces 40 workspaces by 40 others, each of
// another reader, needs two; the first leaves what both lists have.
func TestSetReaderOfFitsIntoTransactions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		var all []asanatest.Workspace
		var gids []string
		for i := range 79 {
			gids = append(gids, fmt.Sprint(1_100_000_000_001_000+i))
			all = append(all, asanatest.Workspace{GID: gids[i], Name: "one"})
		}
		h.reaches(all...)
		p := h.process()
		id := p.reader("it", gids[:40]...)
		theirs := map[string]string{}
		for _, gid := range gids[40:] {
			theirs[gid] = p.reader("of "+gid, gid)
		}
		most, writes := 0, 0
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				writes++
			}
			most = max(most, len(op.Changes))
			return true, nil
		}
		p.setReader(id, gids[39:]...) // one of them stays
		h.table.Hook = nil
		if most > 100 || writes != 2 {
			t.Errorf("%d writes, of %d changes at most", writes, most)
		}
		pointers := map[store.Hash]string{}
		for _, row := range h.all() {
			if r, ok := row.(*store.Reader); ok {
				pointers[r.Workspace] = r.Connection
			}
		}
		wantCount(t, "pointers", len(pointers), 40)
		for _, gid := range gids[39:] {
			if pointers[store.HashText(gid)] != id {
				t.Fatalf("%s has another reader", gid)
			}
		}
		for gid, other := range theirs {
			if d, err := p.conns.Describe(t.Context(), p.opened(other)); err != nil || len(d.ReaderOf) > 0 {
				t.Fatalf("%s still is the reader of %v, %v", gid, d.ReaderOf, err)
			}
		}
	})
}

// However often a write has to be tried, Asana is asked once.
func TestSetReaderOfAsksOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		account, _ := p.importToken("it", asanatest.ServiceAccount)
		conn, left := p.opened(account.ID), 3
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" && left > 0 {
				left--
				return false, errAway
			}
			return true, nil
		}
		if _, err := p.conns.SetReaderOf(t.Context(), conn, []string{asanatest.Acme}); err != nil {
			t.Fatal(err)
		}
		wantCount(t, "requests", h.asana.CountRequests(workspacesPath), 1)
		if h.pointers()[asanatest.Acme] != account.ID {
			t.Errorf("pointers: %v", h.pointers())
		}
	})
}

// A table that always refuses ends the call in its 25 seconds, not before.
func TestSetReaderOfGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		account, _ := p.importToken("it", asanatest.ServiceAccount)
		conn := p.opened(account.ID)
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) { return op.Name != "write", nil }
		began := time.Now()
		_, err := p.conns.SetReaderOf(t.Context(), conn, []string{asanatest.Acme})
		wantKind(t, err, asanaauth.TryAgain)
		if took := time.Since(began); took < 24*time.Second || took > 25*time.Second {
			t.Errorf("it took %v", took)
		}
		if len(h.pointers()) > 0 {
			t.Errorf("pointers: %v", h.pointers())
		}
	})
}

// Two accounts reach for one workspace at once: one has it, and both know.
func TestTwoReadersAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		var ids []string
		for _, owner := range []string{"first", "second", "third"} {
			d, _ := p.importToken(owner, asanatest.ServiceAccount)
			ids = append(ids, d.ID)
		}
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				if _, err := p.conns.SetReaderOf(context.Background(), p.opened(id), []string{asanatest.Acme}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, id := range ids {
			has := h.cold(secret.New(id+".")).ReaderOf == asanatest.Acme
			if points := h.pointers()[asanatest.Acme] == id; has != points {
				t.Errorf("%s: its row says %v, the pointer %v", id, has, points)
			}
		}
		wantCount(t, "pointers", len(h.pointers()), 1)
	})
}

// Whatever operation of an end fails, saved or not, the same again leaves no pointer.
func TestCrashPointsOfAReadersEnd(t *testing.T) {
	for _, saved := range []bool{false, true} {
		for at := 1; ; at++ {
			reached := false
			t.Run(fmt.Sprintf("operation %d, saved %v", at, saved), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					h := newHouse(t)
					p := h.process()
					id := p.reader("it", asanatest.Acme)
					conn, n := p.opened(id), 0
					h.table.Hook = func(context.Context, storetest.Op) (bool, error) {
						if n++; n == at {
							return saved, errAway
						}
						return true, nil
					}
					p.conns.End(t.Context(), conn) // whatever it says
					h.table.Hook = nil
					reached = n >= at
					time.Sleep(time.Minute) // a lease runs out
					if _, err := p.conns.End(t.Context(), p.opened(id)); err != nil {
						t.Fatal(err)
					}
					if got := h.pointers(); len(got) > 0 || h.hotOf(id).Status != store.Disconnected {
						t.Errorf("%s, pointers: %v", h.hotOf(id).Status, got)
					}
				})
			})
			if !reached {
				break
			}
		}
	}
}

// Who knows by itself asks no reader, and nobody is its own reader.
func TestAReaderIsNotAskedInVain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		id := p.reader("it", asanatest.Acme)
		p.mustMembers(p.signIn(asanatest.Member))
		wantCount(t, "requests where all is known", h.asana.CountRequests(membershipsPath(asanatest.Member)), 1)
		path := membershipsPath(asanatest.ServiceAccount)
		h.asana.Inject(asanatest.Fault{Path: path, Body: `{"data":[]}`})
		list, err := p.memberships.List(t.Context(), p.opened(id), "")
		if err != nil || flags(list[0]) != allUnknown("Acme", asanaauth.NotReported) || list[0].AskedWith != "connection" {
			t.Errorf("got %+v, %v", list, err)
		}
		wantCount(t, "its own requests", h.asana.CountRequests(path), 1)
	})
}

// Naming a reader is an update of the connection.
func TestSetReaderOfIsAnUpdate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newHouse(t).process()
		account, _ := p.importToken("it", asanatest.ServiceAccount)
		time.Sleep(time.Hour)
		d, err := p.conns.SetReaderOf(t.Context(), p.opened(account.ID), []string{asanatest.Acme})
		if err != nil || !d.UpdatedAt.Equal(time.Now()) || !d.CreatedAt.Equal(account.CreatedAt) {
			t.Errorf("created %v, updated %v, %v", d.CreatedAt, d.UpdatedAt, err)
		}
	})
}

// A pointer that names another reader is that one's, whatever a row says that ends or
// is dismissed: a restored row, say.
func TestAnothersPointerStays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		second := p.reader("second", asanatest.Acme)
		for name, leave := range map[string]func(id string){
			"dismissed": func(id string) { p.setReader(id) },
			"ended": func(id string) {
				if _, err := p.conns.End(t.Context(), p.opened(id)); err != nil {
					t.Fatal(err)
				}
			},
		} {
			d, _ := p.importToken(name, asanatest.ServiceAccount)
			h.editCold(d.ID, func(c *store.Cold) { c.ReaderOf = asanatest.Acme })
			leave(d.ID)
			if got := h.pointers(); got[asanatest.Acme] != second {
				t.Errorf("%s: pointers: %v", name, got)
			}
		}
	})
}
