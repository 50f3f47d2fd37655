package asanaauth_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The tests of this file follow "Rows", session.

func (p *process) open(cookie secret.String) error {
	_, err := p.conns.Session(context.Background(), cookie)
	return err
}

func (h *house) sessionRow(cookie secret.String) *store.Session {
	h.t.Helper()
	key := store.SessionKey(store.HashText(cookie.Reveal()))
	rows, err := h.rows.Read(context.Background(), key)
	if err != nil {
		h.t.Fatal(err)
	}
	row, _ := rows[key].(*store.Session)
	if row == nil {
		h.t.Fatal("there is no session")
	}
	return row
}

func TestASessionIsOneRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.table.Reset()
		s := p.session(cookie)
		if _, err := p.conns.Profile(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		calls := h.table.Calls()
		if len(calls) != 1 || calls[0].Name != "read" || len(calls[0].Keys) != 3 {
			t.Errorf("calls: %+v", calls)
		}
		if s.ID() != connectionOf(cookie) || s.Caller() != "session:"+store.HashText(cookie.Reveal()).String()[:8] {
			t.Errorf("connection %q, caller %q", s.ID(), s.Caller())
		}
	})
}

func TestCookiesThatAreNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member).Reveal()
		other := p.signIn(asanatest.Guest).Reveal()
		id, rest, _ := strings.Cut(cookie, ".")
		otherID, otherRest, _ := strings.Cut(other, ".")
		for name, c := range map[string]struct {
			value string
			reads int // none for what can be no cookie
		}{
			"nothing":                  {"", 0},
			"a dot":                    {".", 0},
			"the id":                   {id, 0},
			"the id and a dot":         {id + ".", 0},
			"the secret":               {rest, 0},
			"a dot and the secret":     {"." + rest, 0},
			"no dot":                   {id + rest, 0},
			"another prefix":           {"xon_" + id[4:] + "." + rest, 0},
			"no prefix":                {id[4:] + "." + rest, 0},
			"upper case":               {strings.ToUpper(id) + "." + rest, 0},
			"a short id":               {id[:len(id)-1] + "." + rest, 0},
			"a long id":                {id + "a." + rest, 0},
			"a row's key":              {"c#" + id[4:] + "." + rest, 0},
			"a blank before":           {" " + cookie, 0},
			"NUL":                      {"con_\x00" + id[5:] + "." + rest, 0},
			"quotes":                   {`"` + cookie + `"`, 0},
			"a blank behind":           {cookie + " ", 1},
			"a line behind":            {cookie + "\n", 1},
			"twice":                    {cookie + cookie, 1},
			"two dots":                 {id + ".." + rest, 1},
			"a shorter secret":         {cookie[:len(cookie)-1], 1},
			"a longer secret":          {cookie + "A", 1},
			"an unknown secret":        {id + "." + strings.Repeat("A", 43), 1},
			"a large secret":           {id + "." + strings.Repeat("A", 64<<10), 1},
			"an unknown connection":    {"con_" + strings.Repeat("a", 32) + "." + rest, 1},
			"another one's id":         {otherID + "." + rest, 1},
			"another one's secret":     {id + "." + otherRest, 1},
			"the hash of the cookie":   {id + "." + store.HashText(cookie).String(), 1},
			"the attempt's own secret": {id + "." + p.begin().Browser.Reveal(), 1},
		} {
			h.table.Reset()
			s, err := p.conns.Session(t.Context(), secret.New(c.value))
			if s != nil || asanaauth.KindOf(err) != asanaauth.Unauthenticated {
				t.Errorf("%s: Session() = %v", name, err)
			}
			wantCount(t, name+": reads", h.table.Count("read"), c.reads)
		}
	})
}

func TestASessionEndsAtItsAbsoluteEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process(func(s *settings) { s.sessionTTL, s.idleTTL = 5*time.Hour, 2*time.Hour })
		cookie := p.signIn(asanatest.Member)
		end := time.Now().Add(5 * time.Hour)
		for time.Until(end) > 30*time.Minute {
			time.Sleep(30 * time.Minute)
			if time.Until(end) == 0 {
				break
			}
			p.session(cookie)
			if row := h.sessionRow(cookie); row.IdleEnd.After(row.End) || !row.End.Equal(end) {
				t.Errorf("idle end %v, end %v, want %v", row.IdleEnd, row.End, end)
			}
		}
		time.Sleep(time.Until(end) - time.Millisecond)
		p.session(cookie)
		time.Sleep(time.Millisecond)
		wantKind(t, p.open(cookie), asanaauth.Unauthenticated)
	})
}

// An idle time that is longer than the absolute one counts for nothing.
func TestTheAbsoluteEndBoundsTheIdleEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process(func(s *settings) { s.sessionTTL, s.idleTTL = time.Minute, 168*time.Hour })
		cookie := p.signIn(asanatest.Member)
		if row := h.sessionRow(cookie); !row.IdleEnd.Equal(row.End) {
			t.Errorf("idle end %v, end %v", row.IdleEnd, row.End)
		}
		time.Sleep(time.Minute)
		wantKind(t, p.open(cookie), asanaauth.Unauthenticated)
	})
}

func TestASessionEndsWhenItIsIdle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process(func(s *settings) { s.idleTTL = 2 * time.Hour })
		cookie, early := p.signIn(asanatest.Member), p.signIn(asanatest.Member)
		time.Sleep(time.Hour - time.Millisecond)
		p.session(early) // too early to be moved
		time.Sleep(time.Hour)
		p.session(cookie)
		time.Sleep(time.Millisecond)
		wantKind(t, p.open(early), asanaauth.Unauthenticated)
		p.session(cookie)
	})
}

func TestTheIdleEndIsMovedAtMostHourly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process(func(s *settings) { s.idleTTL = 2 * time.Hour })
		cookie := p.signIn(asanatest.Member)
		first := h.sessionRow(cookie)
		h.table.Reset()
		time.Sleep(time.Hour - time.Millisecond)
		p.session(cookie)
		wantCount(t, "writes before an hour", h.table.Count("write"), 0)
		time.Sleep(time.Millisecond)
		// The setting of today does not count, the session's own does.
		p = h.process(func(s *settings) { s.idleTTL, s.sessionTTL = 50*time.Hour, 10*time.Hour })
		p.session(cookie)
		wantCount(t, "writes at an hour", h.table.Count("write"), 1)
		row := h.sessionRow(cookie)
		if !row.IdleEnd.Equal(time.Now().Add(2*time.Hour)) || row.IdleTTL != 2*time.Hour || !row.End.Equal(first.End) {
			t.Errorf("moved to %v: %+v", row.IdleEnd, row)
		}
		if slices.Equal(row.Proof, first.Proof) {
			t.Error("the proof is the old one")
		}
		for range 10 {
			h.process().session(cookie)
			time.Sleep(6*time.Minute - time.Millisecond)
		}
		wantCount(t, "writes in the next hour", h.table.Count("write"), 1)
		time.Sleep(time.Second)
		h.process().session(cookie)
		wantCount(t, "writes after it", h.table.Count("write"), 2)
	})
}

// A session in use lives to its absolute end, also where that is less than an
// hour behind the idle end.
func TestTheLastMoveReachesTheAbsoluteEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process(func(s *settings) { s.sessionTTL, s.idleTTL = 150*time.Minute, 2*time.Hour })
		cookie := p.signIn(asanatest.Member)
		h.table.Reset()
		time.Sleep(59 * time.Minute)
		p.session(cookie)
		wantCount(t, "writes before an hour", h.table.Count("write"), 0)
		time.Sleep(31 * time.Minute)
		p.session(cookie)
		time.Sleep(60*time.Minute - time.Millisecond)
		p.session(cookie)
		wantCount(t, "writes", h.table.Count("write"), 1)
	})
}

func TestARefusedMoveIsIgnored(t *testing.T) {
	for name, hook := range map[string]func(*house, secret.String) (bool, error){
		"the table is away":  func(*house, secret.String) (bool, error) { return false, errAway },
		"its answer is lost": func(*house, secret.String) (bool, error) { return true, errAway },
		"another moved it": func(h *house, cookie secret.String) (bool, error) {
			h.table.Hook = nil
			h.process().session(cookie)
			return true, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				cookie := h.process().signIn(asanatest.Member)
				time.Sleep(2 * time.Hour)
				h.table.Reset()
				h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
					if op.Name == "write" {
						return hook(h, cookie)
					}
					return true, nil
				}
				p := h.process()
				s := p.session(cookie)
				h.table.Hook = nil
				if _, err := p.conns.Profile(t.Context(), s); err != nil {
					t.Errorf("Profile() = %v", err)
				}
				h.process().session(cookie)
				if err := p.conns.SignOut(t.Context(), s); err != nil {
					t.Errorf("SignOut() = %v", err)
				}
				wantKind(t, p.open(cookie), asanaauth.Unauthenticated)
			})
		})
	}
}

func TestSigningOutEndsThisBrowserAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		here, elsewhere := p.signIn(asanatest.Member), p.signIn(asanatest.Member)
		s, again := p.session(here), p.session(here)
		if err := p.conns.SignOut(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		wantKind(t, p.open(here), asanaauth.Unauthenticated)
		p.mustToken(elsewhere, 0)
		if err := p.conns.SignOut(t.Context(), again); err != nil {
			t.Errorf("signing out twice: %v", err)
		}
		h.wantOneConnection(1)
		wantCount(t, "revocations", h.revocations(), 0)
	})
}

func TestSigningOutWithTheTableAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		s := p.session(cookie)
		h.table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, errAway }
		wantKind(t, p.conns.SignOut(t.Context(), s), asanaauth.TryAgain)
		h.table.Hook = nil
		p.session(cookie)
	})
}

func TestASessionEndsWithItsConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		here, elsewhere, other := p.signIn(asanatest.Member), p.signIn(asanatest.Member), p.signIn(asanatest.Guest)
		if _, err := p.disconnect(here); err != nil {
			t.Fatal(err)
		}
		wantKind(t, p.open(here), asanaauth.Unauthenticated)
		wantKind(t, p.open(elsewhere), asanaauth.Unauthenticated)
		p.mustToken(other, 0)
		again := p.signIn(asanatest.Member)
		p.mustToken(again, 0)
		wantKind(t, p.open(elsewhere), asanaauth.Unauthenticated)
	})
}

func TestABrokenConnectionKeepsItsSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		h.expire()
		h.switches(func(s *asanatest.Switches) { s.RefuseRefresh = true })
		_, err := p.token(cookie, 0)
		wantKind(t, err, asanaauth.ReconnectRequired)
		profile, err := p.conns.Profile(t.Context(), p.session(cookie))
		if err != nil || profile.Status != store.Broken || profile.Name.Reveal() != "Mia Member" {
			t.Errorf("Profile() = %+v, %v", profile, err)
		}
	})
}

// torn answers a batch read with rows of different times: it is no snapshot.
type torn struct {
	store.Store
	old   store.Rows
	times int
	reads int
}

func (s *torn) Read(ctx context.Context, keys ...store.Key) (store.Rows, error) {
	rows, err := s.Store.Read(ctx, keys...)
	if len(keys) != 3 {
		return rows, err
	}
	if s.reads++; s.reads <= s.times {
		for key, row := range s.old {
			if rows[key] = row; row == nil {
				delete(rows, key)
			}
		}
	}
	return rows, err
}

func TestRowsOfDifferentConsentsAreReadAgain(t *testing.T) {
	for _, which := range []string{"hot", "cold", "no cold"} {
		for times, kind := range map[int]asanaauth.ErrorKind{1: "", 2: "", 1000: asanaauth.TryAgain} {
			t.Run(fmt.Sprintf("%s row of before, %d times", which, times), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					h := newHouse(t)
					cookie := h.process().signIn(asanatest.Member)
					key := map[string]store.Key{"hot": store.HotKey(connectionOf(cookie))}[which]
					if key == (store.Key{}) {
						key = store.ColdKey(connectionOf(cookie))
					}
					old, err := h.rows.Read(t.Context(), key)
					if err != nil {
						t.Fatal(err)
					}
					if which == "no cold" {
						old[key] = nil
					}
					h.process().signIn(asanatest.Member)
					table := &torn{Store: h.rows, old: old, times: times}
					p := h.process(func(s *settings) { s.store = table })
					s, err := p.conns.Session(t.Context(), cookie)
					if kind != "" {
						wantKind(t, err, kind)
						if table.reads > 10 {
							t.Errorf("%d reads", table.reads)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					wantCount(t, "reads", table.reads, times+1)
					if profile, err := p.conns.Profile(t.Context(), s); err != nil || profile.Name.IsZero() {
						t.Errorf("Profile() = %+v, %v", profile, err)
					}
				})
			})
		}
	}
}

// Only what was read and absent is missing: trouble never signs anybody out.
func TestTroubleIsNoMissingSession(t *testing.T) {
	for name, c := range map[string]struct {
		trouble func(*house)
		kind    asanaauth.ErrorKind
	}{
		"the table is away": {func(h *house) {
			h.table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, errAway }
		}, asanaauth.TryAgain},
		"the table is slow": {func(h *house) {
			h.table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, context.DeadlineExceeded }
		}, asanaauth.TryAgain},
		"KMS is away": {func(h *house) {
			h.kms.Hook = func(string) error { return seal.ErrUnavailable }
		}, asanaauth.TryAgain},
		"KMS refuses": {func(h *house) {
			h.kms.Hook = func(string) error { return seal.ErrDenied }
		}, asanaauth.TryAgain},
		"a row of another release": {func(h *house) {
			h.table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, store.ErrFormat }
		}, asanaauth.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				cookie := h.process().signIn(asanatest.Member)
				c.trouble(h)
				wantKind(t, h.process().open(cookie), c.kind)
				h.table.Hook, h.kms.Hook = nil, nil
				h.process().session(cookie)
				if h.log.says("alarm", "unseal_failed") > 0 {
					t.Error("the alarm of a forged row")
				}
			})
		})
	}
}

// The function that only opens sessions has nothing of Asana's.
func TestConnectionsWithoutAsanaOpenSessions(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		conns, err := asanaauth.NewConnections(asanaauth.Parts{Store: h.rows, Keys: p.keys}, asanaauth.ConnectionsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p.conns, p.memberships = conns, asanaauth.NewMemberships(conns)
		s := p.session(cookie)
		h.expire()
		_, err = p.conns.Token(t.Context(), s, asanaauth.TokenRequest{})
		wantKind(t, err, asanaauth.Internal)
		_, err = p.memberships.List(t.Context(), &s.Connection, "")
		wantKind(t, err, asanaauth.Internal)
		_, err = p.conns.Disconnect(t.Context(), s)
		wantKind(t, err, asanaauth.Internal)
		if err := p.conns.SignOut(t.Context(), s); err != nil {
			t.Error(err)
		}
	})
}
