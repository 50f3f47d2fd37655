package asanaauth_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func wantNothing(inst *authtest.Installation, l results, kind asanaauth.ErrorKind) {
	inst.T.Helper()
	for _, err := range l.errs {
		authtest.WantKind(inst.T, err, kind)
	}
	if len(l.texts) > 0 {
		inst.T.Errorf("got %q, want nothing", l.texts)
	}
}

// TestTheLabelsOfSealedFields checks the label with which each field is sealed. The
// labels must not change, because the next release must be able to open fields that this
// release sealed. A field must not open with a different label.
func TestTheLabelsOfSealedFields(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(victim)
		ring, err := p.Keys.Ring(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hot, cold, session := inst.Rows.Hot(cookie.Reveal()), inst.Rows.Cold(cookie.Reveal()), inst.Rows.SessionRow(cookie)
		owner := "asana:" + victim
		facts := []string{
			session.Connection, session.Epoch, "946684800000", "949276800000", "604800000", "947289600000",
		}
		bot, _ := p.ImportToken("o", asanatest.Bot)
		imported := inst.Rows.Cold(bot.ID)
		for _, c := range []struct {
			row    store.Row
			owner  string
			field  string
			facts  []string
			sealed secret.Sealed
			text   string
		}{
			{hot, owner, "access", nil, hot.Access, p.MustToken(cookie, 0).Access.Reveal()},
			{hot, owner, "refresh", nil, hot.Refresh, inst.Wire.Seen()[0]},
			{cold, owner, "owner_name", nil, cold.OwnerName, owner},
			{cold, owner, "name", nil, cold.Name, "Mia Member"},
			{cold, owner, "email", nil, cold.Email, "mia@acme.example"},
			{cold, owner, "picture", nil, cold.Picture, "https://photos.example/mia.png"},
			{session, owner, "proof", facts, session.Proof, "session"},
			{imported, "o", "owner_name", []string{imported.Imported.String()}, imported.OwnerName, "o"},
		} {
			owner := store.HashText(c.owner)
			label := seal.Label{Row: c.row.Key().String(), Owner: string(owner[:]), Field: c.field, Facts: c.facts}
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
				change(&other)
				if _, err := ring.Open(other, c.sealed); err == nil {
					t.Errorf("%s opens with another %s", c.field, what)
				}
			}
		}
	})
}

// If the refresh token in a row cannot be opened, the refresh takes no lease and sends no
// request.
func TestAForgedRefreshTokenIsNotSent(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		victims, mine := p.SignIn(victim), p.SignIn(attacker)
		refresh := inst.Rows.Hot(victims.Reveal()).Refresh
		inst.Rows.Edit(mine.Reveal(), func(hot *store.Hot) { hot.Refresh = refresh })
		inst.Expire()
		inst.Table.Reset()
		_, err := inst.Process().Token(mine, 0)
		authtest.WantKind(t, err, asanaauth.Internal)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
		authtest.WantCount(t, "writes", inst.Table.Count("write"), 0)
	})
}

// A sealed field must not open if one of its bits is changed or its end is cut off.
func TestTamperedSeals(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(attacker)
		good := inst.Rows.Hot(cookie.Reveal()).Access
		refused := func(access secret.Sealed) bool {
			inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Access = access })
			got, err := inst.Process().Token(cookie, 0)
			return asanaauth.KindOf(err) == asanaauth.Internal && got.Access.IsZero()
		}
		for i := range good {
			changed := bytes.Clone(good)
			changed[i] ^= 1
			if !refused(changed) {
				t.Errorf("a token with byte %d changed was returned", i)
			}
			if !refused(good[:i]) {
				t.Errorf("a token cut to %d bytes was returned", i)
			}
		}
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "unseal_failed"), 2*len(good))
	})
}

// The attacker replaces the keyring with a keyring that is wrapped with the attacker's
// own key. The attacker's keyring must be rejected, even if its row contains the name of
// our key.
func TestAForeignKeyring(t *testing.T) {
	t.Parallel()
	for _, named := range []string{"its own key", "our key"} {
		t.Run(named, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				cookie := inst.Process().SignIn(victim)
				ours := authtest.Row[*store.Keyring](inst.Rows, store.KeyringKey)
				inst.Rows.Forge(foreignKeyring(t, *ours, named == "our key"))

				p := inst.Process()
				_, err := p.Callback(p.Answer(p.Begin(), asanatest.Several))
				// The sign-in must fail, because no field may be sealed with a key that
				// an attacker knows.
				authtest.WantKind(t, err, asanaauth.TryAgain)
				authtest.WantCount(t, "exchanges", inst.Exchanges(), 1)
				wantNothing(inst, requestEverything(inst, cookie), asanaauth.TryAgain)
				if inst.Log.Says("alarm", "kms_denied") == 0 {
					t.Error("no alarm kms_denied")
				}

				inst.Rows.Forge(ours)
				if hot := inst.Rows.Hot(cookie.Reveal()); hot.Status != string(asanaauth.Active) {
					t.Errorf("got status %s", hot.Status)
				}
				inst.Process().MustToken(cookie, 0)
			})
		})
	}
}

// foreignKeyring returns a keyring row of the attacker: the attacker knows the data keys,
// and they are wrapped with the attacker's own key. If underOurName is true, the row
// contains the name of our key. Otherwise, it contains the name of the attacker's key.
func foreignKeyring(t *testing.T, row store.Keyring, underOurName bool) *store.Keyring {
	t.Helper()
	ring, err := seal.NewRing(strings.NewReader(strings.Repeat("known to the attacker", 10)), authtest.Name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ourKey := row.KMSKey
	row.Wrapped, row.KMSKey, err = local.New([32]byte{2}).Wrap(t.Context(), ring.Bytes(), seal.Context(authtest.Name))
	if err != nil {
		t.Fatal(err)
	}
	if underOurName {
		row.KMSKey = ourKey
	}
	return &row
}

// After a disconnect, an attacker restores the row of an old session. The old session
// must stay invalid, even if the attacker also deletes the tombstone, and even after the
// person connects again.
func TestAnOldSessionOpensNothingAfterADisconnect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ deleteTombstone, useNewEpoch bool }{
		"the tombstone stays":                            {false, false},
		"the tombstone is deleted":                       {true, false},
		"the old session is put back with the new epoch": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				old := p.SignIn(victim)
				row, epoch := inst.Rows.SessionRow(old), inst.Rows.Hot(old.Reveal()).Epoch
				if _, err := p.Disconnect(old); err != nil {
					t.Fatal(err)
				}
				if c.deleteTombstone {
					inst.Rows.Delete(store.HotKey(authtest.ConnectionOf(old)))
				}
				fresh := p.SignIn(victim)
				if inst.Rows.Hot(fresh.Reveal()).Epoch == epoch {
					t.Error("the epoch did not change")
				}
				if c.useNewEpoch {
					row.Epoch = inst.Rows.Hot(fresh.Reveal()).Epoch
				}
				inst.Rows.Forge(row)
				wantNothing(inst, requestEverything(inst, old), asanaauth.Unauthenticated)
				p.MustToken(fresh, 0)
			})
		})
	}
}
