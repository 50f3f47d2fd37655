package asanaauth_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The tests in the files forge*_test.go prove that an attacker who can write to the
// table, but does not have the keys, cannot get the tokens of a different person. Most
// tests forge rows, request everything that a session can get, and check the results.

const (
	victim   = asanatest.Member
	attacker = asanatest.Guest
)

type results struct {
	errs  []error
	texts []string
	users []string // the gids of the users whose access tokens were returned
}

// requestEverything requests everything that the session with this cookie can get. It
// uses new processes, because their caches are empty.
func requestEverything(inst *authtest.Installation, cookie secret.String) results {
	inst.T.Helper()
	ctx := context.Background()
	var l results
	ask := func() {
		got, err := inst.Process().Ask(ctx, cookie, token.Request{})
		if l.errs = append(l.errs, err); !got.Access.IsZero() {
			l.texts = append(l.texts, got.Access.Reveal(), got.Scope)
			l.users = append(l.users, inst.Whose(got.Access))
		}
	}
	ask()
	p := inst.Process()
	s, err := p.Sessions.Open(ctx, cookie)
	if l.errs = append(l.errs, err); err == nil {
		profile, err := p.Sessions.Profile(ctx, s)
		l.errs = append(l.errs, err)
		l.texts = append(l.texts, profile.Name.Reveal(), profile.Email.Reveal(), profile.Picture.Reveal(), profile.AsanaUser)
		list, err := p.Memberships.List(ctx, s.Connection(), "")
		l.errs = append(l.errs, err)
		for _, m := range list {
			l.texts = append(l.texts, m.UserGID, m.UserName.Reveal())
		}
	}
	inst.Expire()
	ask() // the token has expired, so this call refreshes
	return l
}

// wantNothingOfTheVictim checks that the results do not contain the victim's tokens or
// personal data, and that the log does not contain the personal data.
func wantNothingOfTheVictim(inst *authtest.Installation, l results) {
	inst.T.Helper()
	for _, gid := range l.users {
		if gid != attacker {
			inst.T.Errorf("got a token of the user %q, want only the attacker's own", gid)
		}
	}
	person := []string{"Mia", "mia@", "mia.png"}
	secrets := append(inst.Wire.Seen(), victim)
	for _, text := range l.texts {
		for _, of := range append(secrets, person...) {
			if strings.Contains(text, of) {
				inst.T.Errorf("got the victim's text %q", text)
			}
		}
	}
	for _, of := range person {
		if strings.Contains(inst.Log.String(), of) {
			inst.T.Errorf("the log has %q", of)
		}
	}
}

// A forger changes rows, as an attacker who can write to the table could do. mine is the
// attacker's session cookie, and victims is the victim's. The forger returns the cookie
// that the attacker sends afterwards.
type forger func(inst *authtest.Installation, mine, victims secret.String) (cookie secret.String)

type forgery struct {
	forge forger
	kind  asanaauth.ErrorKind // the kind of every error; empty if some calls may return the attacker's own data
	alarm bool                // whether the alarm unseal_failed must be raised
}

func testForgeries(t *testing.T, forgeries map[string]forgery) {
	for name, f := range forgeries {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				victims, mine := p.SignIn(victim), p.SignIn(attacker)
				l := requestEverything(inst, f.forge(inst, mine, victims))
				wantNothingOfTheVictim(inst, l)
				failures := 0
				for _, err := range l.errs {
					if err == nil {
						continue
					}
					failures++
					if f.kind != "" && asanaauth.KindOf(err) != f.kind {
						t.Errorf("got error %v, want %s", err, f.kind)
					}
				}
				if failures == 0 {
					t.Error("got no error, want at least one")
				}
				if len(l.users) > 0 && f.kind != "" {
					t.Error("a token was returned")
				}
				if got := inst.Log.Says("alarm", "unseal_failed") > 0; got != f.alarm {
					t.Errorf("alarm unseal_failed: %v, want %v", got, f.alarm)
				}
			})
		})
	}
}

// newSession adds a session row for the victim's connection and for a cookie that the
// attacker chose. The sealed field Proof in this row is a copy from the attacker's own
// session row, unless change replaces it.
func newSession(change func(row, victims *store.Session, hot *store.Hot)) forger {
	return func(inst *authtest.Installation, mine, victims secret.String) secret.String {
		hot := inst.Rows.Hot(victims.Reveal())
		cookie := secret.New(hot.Connection + "." + strings.Repeat("A", 43))
		row := inst.Rows.SessionRow(mine)
		row.Cookie, row.Connection, row.Epoch = store.HashText(cookie.Reveal()), hot.Connection, hot.Epoch
		change(row, inst.Rows.SessionRow(victims), hot)
		inst.Rows.Forge(row)
		return cookie
	}
}

func mySession(change func(row *store.Session, victims *store.Hot)) forger {
	return func(inst *authtest.Installation, mine, victims secret.String) secret.String {
		row := inst.Rows.SessionRow(mine)
		change(row, inst.Rows.Hot(victims.Reveal()))
		inst.Rows.Forge(row)
		return mine
	}
}

func bothSessions(change func(mine, victims *store.Session)) forger {
	return func(inst *authtest.Installation, mine, victims secret.String) secret.String {
		a, b := inst.Rows.SessionRow(mine), inst.Rows.SessionRow(victims)
		change(a, b)
		inst.Rows.Forge(a, b)
		return mine
	}
}

func myEpoch(epoch string) forger {
	return func(inst *authtest.Installation, mine, _ secret.String) secret.String {
		row, hot := inst.Rows.SessionRow(mine), inst.Rows.Hot(mine.Reveal())
		row.Epoch, hot.Epoch = epoch, epoch
		inst.Rows.Forge(row, hot)
		return mine
	}
}

func TestForgedSessionRows(t *testing.T) {
	t.Parallel()
	const kind = asanaauth.Unauthenticated
	testForgeries(t, map[string]forgery{
		"new, with my own proof":            {newSession(func(_, _ *store.Session, _ *store.Hot) {}), kind, true},
		"new, with the victim's proof":      {newSession(func(row, v *store.Session, _ *store.Hot) { row.Proof = v.Proof }), kind, true},
		"new, without a proof":              {newSession(func(row, _ *store.Session, _ *store.Hot) { row.Proof = nil }), kind, true},
		"new, with another seal as proof":   {newSession(func(row, _ *store.Session, hot *store.Hot) { row.Proof = hot.Access }), kind, true},
		"the victim's under another cookie": {newSession(func(row, v *store.Session, _ *store.Hot) { v.Cookie = row.Cookie; *row = *v }), kind, true},
		"mine, of the victim's connection and epoch": {mySession(func(row *store.Session, v *store.Hot) {
			row.Connection, row.Epoch = v.Connection, v.Epoch
		}), kind, false},
		"mine, of the victim's connection": {mySession(func(row *store.Session, v *store.Hot) { row.Connection = v.Connection }), kind, false},
		"mine, with a later end":           {mySession(func(row *store.Session, _ *store.Hot) { row.End = row.End.Add(time.Hour) }), kind, true},
		"mine, with a longer idle time":    {mySession(func(row *store.Session, _ *store.Hot) { row.IdleTTL += time.Hour }), kind, true},
		"mine, with a later idle end":      {mySession(func(row *store.Session, _ *store.Hot) { row.IdleEnd = row.IdleEnd.Add(time.Hour) }), kind, true},
		"mine, with another start":         {mySession(func(row *store.Session, _ *store.Hot) { row.Start = row.Start.Add(time.Hour) }), kind, true},
		"mine, in another epoch":           {myEpoch("another"), kind, true},
		"mine, without an epoch":           {myEpoch(""), kind, false},
		"two rows swapped":                 {bothSessions(func(a, b *store.Session) { a.Cookie, b.Cookie = b.Cookie, a.Cookie }), kind, false},
		"two proofs swapped":               {bothSessions(func(a, b *store.Session) { a.Proof, b.Proof = b.Proof, a.Proof }), kind, true},
	})
}

func myHot(change func(mine, victims *store.Hot)) forger {
	return func(inst *authtest.Installation, mine, victims secret.String) secret.String {
		row := inst.Rows.Hot(mine.Reveal())
		change(row, inst.Rows.Hot(victims.Reveal()))
		inst.Rows.Forge(row)
		return mine
	}
}

func swapHots(inst *authtest.Installation, mine, victims secret.String) secret.String {
	a, b := inst.Rows.Hot(mine.Reveal()), inst.Rows.Hot(victims.Reveal())
	a.Connection, b.Connection = b.Connection, a.Connection
	inst.Rows.Forge(a, b)
	return mine
}

// takeOver copies the victim's connection to an owner that the attacker controls. The
// copy's connection ID is the correct one for this owner and the victim's Asana user.
// takeOver then forges a session for the copy.
func takeOver(inst *authtest.Installation, mine, victims secret.String) secret.String {
	hot, cold, row := inst.Rows.Hot(victims.Reveal()), inst.Rows.Cold(victims.Reveal()), inst.Rows.SessionRow(mine)
	hot.Owner = store.HashText("attacker")
	hot.Connection = store.ConnectionID(hot.Owner, hot.AsanaGID, hot.Kind)
	cold.Connection = hot.Connection
	cookie := secret.New(hot.Connection + "." + strings.Repeat("A", 43))
	row.Cookie, row.Connection, row.Epoch = store.HashText(cookie.Reveal()), hot.Connection, hot.Epoch
	inst.Rows.Forge(hot, cold, row)
	return cookie
}

func TestForgedHotRows(t *testing.T) {
	t.Parallel()
	const kind = asanaauth.Unauthenticated
	testForgeries(t, map[string]forgery{
		"the victim's access token":  {myHot(func(m, v *store.Hot) { m.Access = v.Access }), asanaauth.Internal, true},
		"the victim's refresh token": {myHot(func(m, v *store.Hot) { m.Refresh = v.Refresh }), "", true},
		"the victim's tokens": {myHot(func(m, v *store.Hot) {
			m.Access, m.Refresh, m.Expires = v.Access, v.Refresh, v.Expires
		}), asanaauth.Internal, true},
		"my refresh token as access token": {myHot(func(m, _ *store.Hot) { m.Access = m.Refresh }), asanaauth.Internal, true},
		"my access token as refresh token": {myHot(func(m, _ *store.Hot) { m.Refresh = m.Access }), "", true},
		"no access token":                  {myHot(func(m, _ *store.Hot) { m.Access = nil }), asanaauth.Internal, true},
		"no refresh token":                 {myHot(func(m, _ *store.Hot) { m.Refresh = nil }), "", false},
		"the victim's owner":               {myHot(func(m, v *store.Hot) { m.Owner = v.Owner }), kind, true},
		"the victim's gid":                 {myHot(func(m, v *store.Hot) { m.AsanaGID = v.AsanaGID }), kind, true},
		"another kind":                     {myHot(func(m, _ *store.Hot) { m.Kind = string(asanaauth.ServiceAccount) }), kind, true},
		"another epoch":                    {myHot(func(m, _ *store.Hot) { m.Epoch = "another" }), kind, false},
		"the victim's row":                 {myHot(func(m, v *store.Hot) { v.Connection = m.Connection; *m = *v }), kind, true},
		"the victim's row in my epoch": {myHot(func(m, v *store.Hot) {
			v.Connection, v.Epoch = m.Connection, m.Epoch
			*m = *v
		}), kind, true},
		"the victim's tokens, owner and gid": {myHot(func(m, v *store.Hot) {
			m.Owner, m.AsanaGID, m.Access, m.Refresh = v.Owner, v.AsanaGID, v.Access, v.Refresh
		}), kind, true},
		"two rows swapped": {swapHots, kind, true},
		"the victim's connection, copied to my owner": {takeOver, kind, true},
	})
}

func myCold(change func(mine, victims *store.Cold)) forger {
	return func(inst *authtest.Installation, mine, victims secret.String) secret.String {
		row := inst.Rows.Cold(mine.Reveal())
		change(row, inst.Rows.Cold(victims.Reveal()))
		inst.Rows.Forge(row)
		return mine
	}
}

func swapColds(inst *authtest.Installation, mine, victims secret.String) secret.String {
	a, b := inst.Rows.Cold(mine.Reveal()), inst.Rows.Cold(victims.Reveal())
	a.Connection, b.Connection = b.Connection, a.Connection
	inst.Rows.Forge(a, b)
	return mine
}

func TestForgedColdRows(t *testing.T) {
	t.Parallel()
	testForgeries(t, map[string]forgery{
		"the victim's name":             {myCold(func(m, v *store.Cold) { m.Name = v.Name }), "", true},
		"the victim's email":            {myCold(func(m, v *store.Cold) { m.Email = v.Email }), "", true},
		"the victim's picture":          {myCold(func(m, v *store.Cold) { m.Picture = v.Picture }), "", true},
		"the victim's email as my name": {myCold(func(m, v *store.Cold) { m.Name, m.Email = v.Email, nil }), "", true},
		"my email as my name":           {myCold(func(m, _ *store.Cold) { m.Name = m.Email }), "", true},
		"two rows swapped":              {swapColds, "", true},
	})
}
