package asanaauth_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// Who can only write the table gets no token: the tests of this file forge
// rows, ask for all that a session may ask for, and look at what comes back.

// writes puts a row into the table over whatever is there, as an attacker does.
func (h *house) writes(rows ...store.Row) {
	h.t.Helper()
	ctx := context.Background()
	for _, row := range rows {
		there, err := h.rows.Read(ctx, row.Key())
		if err != nil {
			h.t.Fatal(err)
		}
		rev := store.Absent
		if old := there[row.Key()]; old != nil {
			rev = old.(interface{ Revision() int64 }).Revision()
		}
		if err := h.rows.Write(ctx, store.Put(row, rev, "attacker")); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) cold(cookie secret.String) *store.Cold {
	h.t.Helper()
	key := store.ColdKey(connectionOf(cookie))
	rows, err := h.rows.Read(context.Background(), key)
	if err != nil {
		h.t.Fatal(err)
	}
	return rows[key].(*store.Cold)
}

func (h *house) deletes(key store.Key) {
	h.t.Helper()
	rows, err := h.rows.Read(context.Background(), key)
	if err != nil {
		h.t.Fatal(err)
	}
	rev := rows[key].(interface{ Revision() int64 }).Revision()
	if err := h.rows.Write(context.Background(), store.Delete(key, rev)); err != nil {
		h.t.Fatal(err)
	}
}

// whose asks Asana whose an access token is; nobody's is "".
func (h *house) whose(access secret.String) string {
	h.t.Helper()
	r, err := http.NewRequest(http.MethodGet, asanaURL+mePath, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+access.Reveal())
	answer, err := h.asana.Client().Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	var me struct {
		Data struct{ GID string }
	}
	if err := json.NewDecoder(answer.Body).Decode(&me); err != nil {
		h.t.Fatal(err)
	}
	return me.Data.GID
}

// loot is what a cookie gets, opened by a process that knows nothing yet.
type loot struct {
	errs  []error
	texts []string
	whose []string // the access tokens
}

func (h *house) plunder(cookie secret.String) loot {
	h.t.Helper()
	ctx := context.Background()
	var l loot
	ask := func(r asanaauth.TokenRequest) {
		token, err := h.process().ask(ctx, cookie, r)
		if l.errs = append(l.errs, err); !token.Access.IsZero() {
			l.texts = append(l.texts, token.Access.Reveal(), token.Scope)
			l.whose = append(l.whose, h.whose(token.Access))
		}
	}
	ask(asanaauth.TokenRequest{})
	p := h.process()
	s, err := p.conns.Session(ctx, cookie)
	if l.errs = append(l.errs, err); err == nil {
		profile, err := p.conns.Profile(ctx, s)
		l.errs = append(l.errs, err)
		l.texts = append(l.texts, profile.Name.Reveal(), profile.Email.Reveal(), profile.Picture.Reveal(), profile.AsanaUser)
		list, err := p.memberships.List(ctx, &s.Connection, "")
		l.errs = append(l.errs, err)
		for _, m := range list {
			l.texts = append(l.texts, m.UserGID, m.UserName.Reveal())
		}
	}
	h.expire() // a refresh
	ask(asanaauth.TokenRequest{})
	return l
}

// victim is who the attacker is after.
const (
	victim   = asanatest.Member
	attacker = asanatest.Guest
)

func (h *house) wantNothingOfTheVictim(l loot) {
	h.t.Helper()
	for _, gid := range l.whose {
		if gid != attacker {
			h.t.Errorf("a token of %q was handed out", gid)
		}
	}
	for _, text := range l.texts {
		for _, of := range append(h.wire.tokens, victim, "Mia", "mia@", "mia.png") {
			if strings.Contains(text, of) {
				h.t.Errorf("handed out: %q", text)
			}
		}
	}
	said := h.log.String()
	for _, of := range []string{"Mia", "mia@", "mia.png"} {
		if strings.Contains(said, of) {
			h.t.Errorf("the log says %q", of)
		}
	}
}

func TestForgedRows(t *testing.T) {
	type theft struct {
		// attempt forges, and returns the cookie to ask with.
		attempt func(h *house, mine, victims secret.String) secret.String
		// failed is the kind of each failure; "" where something of the
		// attacker's own may still come back.
		failed asanaauth.ErrorKind
		alarm  bool
	}
	// A session row that names the victim's connection, under a cookie that the
	// attacker made.
	session := func(change func(h *house, row *store.Session, mine, victims secret.String)) func(*house, secret.String, secret.String) secret.String {
		return func(h *house, mine, victims secret.String) secret.String {
			cookie := secret.New(connectionOf(victims) + "." + strings.Repeat("A", 43))
			row := *h.sessionRow(mine)
			row.Cookie, row.Connection, row.Epoch = store.HashText(cookie.Reveal()), connectionOf(victims), h.hot(victims).Epoch
			change(h, &row, mine, victims)
			h.writes(&row)
			return cookie
		}
	}
	hot := func(change func(mine, victims *store.Hot)) func(*house, secret.String, secret.String) secret.String {
		return func(h *house, mine, victims secret.String) secret.String {
			row := h.hot(mine)
			change(row, h.hot(victims))
			h.writes(row)
			return mine
		}
	}
	cold := func(change func(mine, victims *store.Cold)) func(*house, secret.String, secret.String) secret.String {
		return func(h *house, mine, victims secret.String) secret.String {
			row := h.cold(mine)
			change(row, h.cold(victims))
			h.writes(row)
			return mine
		}
	}
	for name, c := range map[string]theft{
		"a session with my own proof": {session(func(*house, *store.Session, secret.String, secret.String) {}), asanaauth.Unauthenticated, true},
		"a session with the victim's proof": {session(func(h *house, row *store.Session, _, victims secret.String) {
			row.Proof = h.sessionRow(victims).Proof
		}), asanaauth.Unauthenticated, true},
		"a session as the victim's own, but for the cookie": {session(func(h *house, row *store.Session, _, victims secret.String) {
			cookie := row.Cookie
			*row = *h.sessionRow(victims)
			row.Cookie = cookie
		}), asanaauth.Unauthenticated, true},
		"a session without a proof": {session(func(_ *house, row *store.Session, _, _ secret.String) { row.Proof = nil }), asanaauth.Unauthenticated, true},
		"a session with one of the victim's other seals": {session(func(h *house, row *store.Session, _, victims secret.String) {
			row.Proof = h.hot(victims).Access
		}), asanaauth.Unauthenticated, true},
		"my session row, renamed to the victim's connection": {func(h *house, mine, victims secret.String) secret.String {
			row := h.sessionRow(mine)
			row.Connection, row.Epoch = connectionOf(victims), h.hot(victims).Epoch
			h.writes(row)
			return mine
		}, asanaauth.Unauthenticated, false},
		"my session row, naming the victim's connection": {func(h *house, mine, victims secret.String) secret.String {
			row := h.sessionRow(mine)
			row.Connection = connectionOf(victims)
			h.writes(row)
			return mine
		}, asanaauth.Unauthenticated, false},
		"two session rows swapped": {func(h *house, mine, victims secret.String) secret.String {
			a, b := h.sessionRow(mine), h.sessionRow(victims)
			a.Cookie, b.Cookie = b.Cookie, a.Cookie
			h.writes(a, b)
			return mine
		}, asanaauth.Unauthenticated, false},
		"two proofs swapped": {func(h *house, mine, victims secret.String) secret.String {
			a, b := h.sessionRow(mine), h.sessionRow(victims)
			a.Proof, b.Proof = b.Proof, a.Proof
			h.writes(a, b)
			return mine
		}, asanaauth.Unauthenticated, true},
		"my session, of longer life": {func(h *house, mine, _ secret.String) secret.String {
			row := h.sessionRow(mine)
			row.End = row.End.Add(time.Hour)
			h.writes(row)
			return mine
		}, asanaauth.Unauthenticated, true},
		"my session, of longer idle time": {func(h *house, mine, _ secret.String) secret.String {
			row := h.sessionRow(mine)
			row.IdleTTL += time.Hour
			h.writes(row)
			return mine
		}, asanaauth.Unauthenticated, true},
		"my session, with a later idle end": {func(h *house, mine, _ secret.String) secret.String {
			row := h.sessionRow(mine)
			row.IdleEnd = row.IdleEnd.Add(time.Hour)
			h.writes(row)
			return mine
		}, asanaauth.Unauthenticated, true},
		"my session, begun at another time": {func(h *house, mine, _ secret.String) secret.String {
			row := h.sessionRow(mine)
			row.Start = row.Start.Add(time.Hour)
			h.writes(row)
			return mine
		}, asanaauth.Unauthenticated, true},
		"my session and my hot row, of another epoch": {func(h *house, mine, _ secret.String) secret.String {
			row, hot := h.sessionRow(mine), h.hot(mine)
			row.Epoch, hot.Epoch = "another", "another"
			h.writes(row, hot)
			return mine
		}, asanaauth.Unauthenticated, true},
		"a session without an epoch, and a row without one": {func(h *house, mine, _ secret.String) secret.String {
			row, hot := h.sessionRow(mine), h.hot(mine)
			row.Epoch, hot.Epoch = "", ""
			h.writes(row, hot)
			return mine
		}, asanaauth.Unauthenticated, false},

		"the victim's access token in my row":  {hot(func(m, v *store.Hot) { m.Access = v.Access }), asanaauth.Internal, true},
		"the victim's refresh token in my row": {hot(func(m, v *store.Hot) { m.Refresh = v.Refresh }), "", true},
		"both, and its times":                  {hot(func(m, v *store.Hot) { m.Access, m.Refresh, m.Expires = v.Access, v.Refresh, v.Expires }), asanaauth.Internal, true},
		"my refresh token as access token":     {hot(func(m, _ *store.Hot) { m.Access = m.Refresh }), asanaauth.Internal, true},
		"my access token as refresh token":     {hot(func(m, _ *store.Hot) { m.Refresh = m.Access }), "", true},
		"no access token":                      {hot(func(m, _ *store.Hot) { m.Access = nil }), asanaauth.Internal, true},
		"no refresh token":                     {hot(func(m, _ *store.Hot) { m.Refresh = nil }), "", false},
		"the victim's owner":                   {hot(func(m, v *store.Hot) { m.Owner = v.Owner }), asanaauth.Unauthenticated, false},
		"the victim's gid":                     {hot(func(m, v *store.Hot) { m.AsanaGID = v.AsanaGID }), asanaauth.Unauthenticated, false},
		"another kind":                         {hot(func(m, _ *store.Hot) { m.Kind = store.ServiceAccount }), asanaauth.Unauthenticated, false},
		"another epoch":                        {hot(func(m, _ *store.Hot) { m.Epoch = "another" }), asanaauth.Unauthenticated, false},
		"the victim's row under my name": {hot(func(m, v *store.Hot) {
			id := m.Connection
			*m = *v
			m.Connection = id
		}), asanaauth.Unauthenticated, false},
		"the victim's row under my name, in my epoch": {hot(func(m, v *store.Hot) {
			id, epoch := m.Connection, m.Epoch
			*m = *v
			m.Connection, m.Epoch = id, epoch
		}), asanaauth.Unauthenticated, false},
		"the victim's tokens, owner and gid": {hot(func(m, v *store.Hot) {
			m.Owner, m.AsanaGID, m.Access, m.Refresh = v.Owner, v.AsanaGID, v.Access, v.Refresh
		}), asanaauth.Unauthenticated, false},
		"both hot rows under each other's name": {func(h *house, mine, victims secret.String) secret.String {
			a, b := h.hot(mine), h.hot(victims)
			a.Connection, b.Connection = b.Connection, a.Connection
			h.writes(a, b)
			return mine
		}, asanaauth.Unauthenticated, false},
		"a new row of the victim's, under a name of my own": {func(h *house, mine, victims secret.String) secret.String {
			v := h.hot(victims)
			v.Owner = store.HashText("attacker")
			v.Connection = store.ConnectionID(v.Owner, v.AsanaGID, v.Kind)
			c := h.cold(victims)
			c.Connection = v.Connection
			cookie := secret.New(v.Connection + "." + strings.Repeat("A", 43))
			row := *h.sessionRow(mine)
			row.Cookie, row.Connection, row.Epoch = store.HashText(cookie.Reveal()), v.Connection, v.Epoch
			h.writes(v, c, &row)
			return cookie
		}, asanaauth.Unauthenticated, true},

		"the victim's name":    {cold(func(m, v *store.Cold) { m.Name = v.Name }), "", true},
		"the victim's e-mail":  {cold(func(m, v *store.Cold) { m.Email = v.Email }), "", true},
		"the victim's picture": {cold(func(m, v *store.Cold) { m.Picture = v.Picture }), "", true},
		"the victim's e-mail as my name": {cold(func(m, v *store.Cold) {
			m.Name, m.Email = v.Email, nil
		}), "", true},
		"my e-mail as my name": {cold(func(m, _ *store.Cold) { m.Name = m.Email }), "", true},
		"both cold rows under each other's name": {func(h *house, mine, victims secret.String) secret.String {
			a, b := h.cold(mine), h.cold(victims)
			a.Connection, b.Connection = b.Connection, a.Connection
			h.writes(a, b)
			return mine
		}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				victims, mine := p.signIn(victim), p.signIn(attacker)
				l := h.plunder(c.attempt(h, mine, victims))
				h.wantNothingOfTheVictim(l)
				failures := 0
				for _, err := range l.errs {
					if err == nil {
						continue
					}
					failures++
					if kind := asanaauth.KindOf(err); c.failed != "" && kind != c.failed {
						t.Errorf("refused with %v, want %s", err, c.failed)
					}
				}
				if failures == 0 {
					t.Error("nothing was refused")
				}
				if len(l.whose) > 0 && c.failed != "" {
					t.Error("a token was handed out")
				}
				if got := h.log.says("alarm", "unseal_failed") > 0; got != c.alarm {
					t.Errorf("alarm unseal_failed: %v, want %v", got, c.alarm)
				}
			})
		})
	}
}

// What a sealed field is bound to is part of its format: the next release has
// to open what this one seals, and neither opens it as anything else.
func TestWhatSealsAreBoundTo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(victim)
		ring := p.mustRing()
		hot, cold, session := h.hot(cookie), h.cold(cookie), h.sessionRow(cookie)
		owner := store.HashText("asana:" + victim)
		facts := []string{
			session.Connection, session.Epoch, "946684800000", "949276800000", "604800000", "947289600000",
		}
		for _, c := range []struct {
			row    string
			field  string
			facts  []string
			sealed secret.Sealed
			text   string
		}{
			{hot.Key().String(), "access", nil, hot.Access, p.mustToken(cookie, 0).Access.Reveal()},
			{hot.Key().String(), "refresh", nil, hot.Refresh, h.wire.tokens[0]},
			{cold.Key().String(), "owner_name", nil, cold.OwnerName, "asana:" + victim},
			{cold.Key().String(), "name", nil, cold.Name, "Mia Member"},
			{cold.Key().String(), "email", nil, cold.Email, "mia@acme.example"},
			{cold.Key().String(), "picture", nil, cold.Picture, "https://photos.example/mia.png"},
			{session.Key().String(), "proof", facts, session.Proof, "session"},
		} {
			label := seal.Label{Row: c.row, Owner: string(owner[:]), Field: c.field, Facts: c.facts}
			if text, err := ring.Open(label, c.sealed); err != nil || text.Reveal() != c.text {
				t.Errorf("%s: %q, %v", c.field, text.Reveal(), err)
			}
			for what, change := range map[string]func(*seal.Label){
				"row":   func(l *seal.Label) { l.Row = "c#x/y" },
				"owner": func(l *seal.Label) { l.Owner = "" },
				"field": func(l *seal.Label) { l.Field = "x" },
				"facts": func(l *seal.Label) { l.Facts = append([]string{"x"}, l.Facts...) },
			} {
				other := label
				if change(&other); second(ring.Open(other, c.sealed)) == nil {
					t.Errorf("%s opens under another %s", c.field, what)
				}
			}
		}
	})
}

// A seal that does not open costs nobody anything: no lease, no request.
func TestAForgedRefreshTokenIsNotSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		victims, mine := p.signIn(victim), p.signIn(attacker)
		row := h.hot(mine)
		row.Refresh = h.hot(victims).Refresh
		h.writes(row)
		h.expire()
		h.table.Reset()
		_, err := h.process().token(mine, 0)
		wantKind(t, err, asanaauth.Internal)
		wantCount(t, "refreshes", h.refreshes(), 0)
		wantCount(t, "writes", h.table.Count("write"), 0)
	})
}

// A session of before a disconnect opens nothing after it, even where the
// tombstone is gone and the person has connected again, and even where the old
// rows are put back.
func TestAnOldSessionOpensNothingLater(t *testing.T) {
	for _, again := range []string{"the tombstone stays", "the tombstone is deleted", "the old session is put back with the new epoch"} {
		t.Run(again, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				old := p.signIn(victim)
				row, epoch := h.sessionRow(old), h.hot(old).Epoch
				if _, err := p.disconnect(old); err != nil {
					t.Fatal(err)
				}
				if again != "the tombstone stays" {
					h.deletes(store.HotKey(connectionOf(old)))
				}
				fresh := p.signIn(victim)
				if h.hot(fresh).Epoch == epoch {
					t.Error("the epoch is the old one")
				}
				if again == "the old session is put back with the new epoch" {
					row.Epoch = h.hot(fresh).Epoch
				}
				h.writes(row)
				l := h.plunder(old)
				for _, err := range l.errs {
					wantKind(t, err, asanaauth.Unauthenticated)
				}
				if len(l.texts) > 0 {
					t.Errorf("handed out: %q", l.texts)
				}
				p.mustToken(fresh, 0)
			})
		})
	}
}

// A keyring that somebody else wrapped is none of ours, whatever its row says.
func TestAForeignKeyring(t *testing.T) {
	for _, named := range []string{"its own key", "our key"} {
		t.Run(named, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				cookie := h.process().signIn(victim)
				rows, err := h.rows.Read(t.Context(), store.KeyringKey)
				if err != nil {
					t.Fatal(err)
				}
				row := rows[store.KeyringKey].(*store.Keyring)
				ours := *row
				known, err := seal.NewRing(strings.NewReader(strings.Repeat("known to the attacker", 10)), "house", time.Now())
				if err != nil {
					t.Fatal(err)
				}
				foreign := local.New([32]byte{2})
				if row.Wrapped, row.KMSKey, err = foreign.Wrap(t.Context(), known.Bytes(), seal.Context("house")); err != nil {
					t.Fatal(err)
				}
				if named == "our key" {
					row.KMSKey = ours.KMSKey
				}
				h.writes(row)
				p := h.process()
				answer := p.answer(p.begin(), asanatest.Several)
				_, err = p.finish(answer)
				wantKind(t, err, asanaauth.TryAgain) // nothing is sealed under a key that somebody knows
				wantCount(t, "exchanges", h.exchanges(), 1)
				l := h.plunder(cookie)
				for _, err := range l.errs {
					wantKind(t, err, asanaauth.TryAgain)
				}
				if len(l.texts) > 0 {
					t.Errorf("handed out: %q", l.texts)
				}
				if h.log.says("alarm", "kms_denied") == 0 {
					t.Error("no alarm kms_denied")
				}
				h.writes(&ours)
				if hot := h.hot(cookie); hot.Status != store.Active {
					t.Errorf("the connection is %s", hot.Status)
				}
				h.process().mustToken(cookie, 0)
			})
		})
	}
}

// A seal that was cut, or changed in one bit, is refused as a whole.
func TestTamperedSeals(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(attacker)
		good := h.hot(cookie).Access
		for i := range good {
			row := h.hot(cookie)
			row.Access = append(secret.Sealed{}, good...)
			row.Access[i] ^= 1
			h.writes(row)
			token, err := h.process().token(cookie, 0)
			if asanaauth.KindOf(err) != asanaauth.Internal || !token.Access.IsZero() {
				t.Errorf("byte %d changed: %v", i, err)
			}
		}
		wantCount(t, "alarms", h.log.says("alarm", "unseal_failed"), len(good))
	})
}
