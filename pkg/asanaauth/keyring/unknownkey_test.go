package keyring_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func openSession(p *authtest.Process, cookie secret.String) error {
	_, err := p.Sessions.Open(context.Background(), cookie)
	return err
}

// If a field is sealed with a key that is newer than a process's cached ring, the process
// must read the keyring again.
func TestUnknownKeyReadsTheKeyringAgain(t *testing.T) {
	t.Parallel()
	for _, age := range []time.Duration{0, time.Second, 4 * time.Minute} {
		t.Run(age.String(), func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				mustRing(p)
				inst.RotateKey()
				time.Sleep(age)
				cookie := inst.Process().SignIn(asanatest.Member) // sealed under the new key
				before := inst.Unwraps()
				p.MustToken(cookie, 0)
				if _, err := p.Sessions.Profile(t.Context(), p.Session(cookie)); err != nil {
					t.Error(err)
				}
				authtest.WantCount(t, "unwraps", inst.Unwraps()-before, 1)
				if inst.Log.Says("alarm", "unseal_failed") > 0 {
					t.Error("got the alarm unseal_failed for a valid row")
				}
			})
		})
	}
}

// While KMS fails, a process cannot find out whether a field's key is newer than its
// cached ring or was forged. Opening a session must fail with TryAgain, because
// Unauthenticated would mean that the session has ended.
func TestUnknownKeyWithoutKMS(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		err    error
		alarms int
	}{"unavailable": {seal.ErrUnavailable, 0}, "denied": {seal.ErrDenied, 1}} {
		t.Run(what, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := authtest.New(t)
				p := inst.Process()
				mustRing(p)
				inst.RotateKey()
				cookie := inst.Process().SignIn(asanatest.Member)
				inst.KMS.Hook = func(string) error { return c.err }
				before := inst.Unwraps()
				authtest.WantKind(t, openSession(p, cookie), asanaauth.TryAgain)
				authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "kms_denied"), c.alarms)
				if what == "unavailable" {
					authtest.WantKind(t, openSession(p, cookie), asanaauth.TryAgain)
					authtest.WantCount(t, "unwraps within ten seconds", inst.Unwraps()-before, 1)
				}
				authtest.WantCount(t, "alarms unseal_failed", inst.Log.Says("alarm", "unseal_failed"), 0)
				inst.KMS.Hook = nil
				time.Sleep(10 * time.Second)
				p.Session(cookie)
			})
		})
	}
}

// After KMS has failed, Open must not call KMS for ten seconds, and RetryAfter must be the
// rest of that time.
func TestOpenOfAnUnknownKey(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		old := mustRing(p)
		inst.RotateKey()
		label := seal.Label{Row: "row", Field: "field"}
		sealed, err := mustRing(inst.Process()).Seal(rand.Reader, label, secret.New("text"))
		if err != nil {
			t.Fatal(err)
		}
		inst.KMS.Hook = func(string) error { return seal.ErrUnavailable }
		if _, err := p.Keys.Open(t.Context(), old, label, sealed); !errors.Is(err, seal.ErrUnavailable) {
			t.Errorf("Open() = %v, want the error of KMS, %v", err, seal.ErrUnavailable)
		}
		time.Sleep(3 * time.Second)
		_, err = p.Keys.Open(t.Context(), old, label, sealed)
		var unavailable *keyring.UnavailableError
		if !errors.As(err, &unavailable) || !errors.Is(err, seal.ErrUnavailable) || unavailable.RetryAfter != 7*time.Second {
			t.Errorf("Open() = %#v, want an UnavailableError with RetryAfter 7s", err)
		}
		inst.KMS.Hook = nil
		time.Sleep(7 * time.Second)
		if text, err := p.Keys.Open(t.Context(), old, label, sealed); err != nil || text.Reveal() != "text" {
			t.Errorf("Open() = %q, %v, want \"text\"", text.Reveal(), err)
		}
		label.Field = "another field"
		if _, err := p.Keys.Open(t.Context(), mustRing(p), label, sealed); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("Open() of another field = %v, want %v", err, seal.ErrOpen)
		}
	})
}

// An attacker who can write to the table can forge key IDs. Forged IDs must cause at most
// one KMS request in ten seconds.
func TestForgedKeyIDsRarelyReachKMS(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		row := inst.Rows.SessionRow(cookie)
		row.Proof = append(secret.Sealed{}, row.Proof...)
		row.Proof[1] ^= 1
		inst.Rows.Forge(row)
		before := inst.Unwraps()
		for range 20 {
			authtest.WantKind(t, openSession(p, cookie), asanaauth.Unauthenticated)
		}
		authtest.WantCount(t, "unwraps", inst.Unwraps()-before, 1)
		time.Sleep(10 * time.Second)
		authtest.WantKind(t, openSession(p, cookie), asanaauth.Unauthenticated)
		authtest.WantCount(t, "unwraps ten seconds later", inst.Unwraps()-before, 2)
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "unseal_failed"), 21)
	})
}
