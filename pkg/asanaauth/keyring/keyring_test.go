package keyring_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func mustRing(p *authtest.Process) *seal.Ring {
	p.Installation.T.Helper()
	ring, err := p.Keys.Ring(context.Background())
	if err != nil {
		p.Installation.T.Fatalf("Ring() = %v", err)
	}
	return ring
}

func withRing(t *testing.T) *authtest.Installation {
	inst := authtest.New(t)
	mustRing(inst.Process())
	return inst
}

func wantErr(t *testing.T, keys *keyring.Keyring, target error) {
	t.Helper()
	if ring, err := keys.Ring(context.Background()); !errors.Is(err, target) || ring != nil {
		t.Fatalf("Ring() = %v, %v, want an error that wraps %q", ring, err, target)
	}
}

func TestNewReportsEveryMistake(t *testing.T) {
	t.Parallel()
	k, err := keyring.New(keyring.Config{TTL: -1})
	if k != nil || err == nil {
		t.Fatalf("New() = %v, %v, want an error", k, err)
	}
	for _, field := range []string{"Store", "Wrapper", "Installation", "TTL"} {
		if !strings.Contains(err.Error(), "keyring: "+field+" ") {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}

// New must make no request, and the defaults of the optional fields must work.
func TestNewWithTheRequiredFields(t *testing.T) {
	t.Parallel()
	inst := authtest.New(t)
	keys, err := keyring.New(keyring.Config{Store: inst.Table, Wrapper: inst.KMS, Installation: authtest.Name})
	if err != nil {
		t.Fatal(err)
	}
	authtest.WantCount(t, "calls", len(inst.Table.Calls())+inst.Unwraps(), 0)
	ring, err := keys.Ring(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ring.Primary() != mustRing(inst.Process()).Primary() {
		t.Error("the ring in the table differs from the returned ring")
	}
}

func TestColdStartUnwrapsOnce(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		cookie := inst.Process().SignIn(asanatest.Member)
		inst.Expire()
		cold := inst.Unwraps()
		p := inst.Process()
		p.MustToken(cookie, 0)
		authtest.WantCount(t, "unwraps during a cold start", inst.Unwraps()-cold, 1)
		for range 4 {
			time.Sleep(time.Minute)
			inst.Process().MustToken(cookie, 0) // another process refreshes the token
			before := inst.Unwraps()
			p.Session(cookie)
			if _, err := p.Refused(cookie, p.MustToken(cookie, 0)); err != nil {
				t.Fatal(err)
			}
			authtest.WantCount(t, "unwraps during a warm refresh", inst.Unwraps()-before, 0)
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 5)
	})
}

func TestConcurrentCallersUnwrapOnce(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := withRing(t)
		inst.KMS.Hook = func(string) error { time.Sleep(time.Second); return nil }
		before := inst.Unwraps()
		p := inst.Process()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { mustRing(p) })
		}
		// While one caller unwraps the keyring, another caller must wait only until its
		// own context ends.
		time.Sleep(time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		began := time.Now()
		if _, err := p.Keys.Ring(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ring() = %v, want the context's error", err)
		}
		if took := time.Since(began); took != 500*time.Millisecond {
			t.Errorf("Ring() returned after %v, want 500ms", took)
		}
		wg.Wait()
		authtest.WantCount(t, "unwraps", inst.Unwraps()-before, 1)
	})
}

func TestKeyringIsCachedForTTL(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := withRing(t)
		p := inst.Process()
		mustRing(p)
		before := inst.Unwraps()
		time.Sleep(5*time.Minute - time.Nanosecond)
		mustRing(p)
		authtest.WantCount(t, "unwraps before five minutes", inst.Unwraps()-before, 0)
		time.Sleep(time.Nanosecond)
		mustRing(p)
		authtest.WantCount(t, "unwraps at five minutes", inst.Unwraps()-before, 1)
		mustRing(p)
		authtest.WantCount(t, "unwraps immediately afterwards", inst.Unwraps()-before, 1)
	})
}

// While a Lambda sandbox is frozen, only its wall clock advances. Therefore the wall
// clock determines when the cached keyring expires.
func TestKeyringExpiresByTheWallClock(t *testing.T) {
	t.Parallel()
	inst := withRing(t)
	now := time.Now().Round(0)
	keys, err := keyring.New(keyring.Config{
		Store: inst.Table, Wrapper: inst.KMS, Installation: authtest.Name, TTL: 5 * time.Minute,
		Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	wantUnwraps := func(n int) {
		t.Helper()
		before := inst.Unwraps()
		if _, err := keys.Ring(t.Context()); err != nil {
			t.Fatal(err)
		}
		authtest.WantCount(t, "unwraps", inst.Unwraps()-before, n)
	}
	wantUnwraps(1)
	wantUnwraps(0)
	now = now.Add(6 * time.Minute)
	wantUnwraps(1)
}

func TestKeyringWithTTLZeroIsNotCached(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := withRing(t)
		p := inst.Process(func(s *authtest.Settings) { s.KeyTTL = 0 })
		for range 3 {
			before := inst.Unwraps()
			mustRing(p)
			authtest.WantCount(t, "unwraps", inst.Unwraps()-before, 1)
		}
		inst.KMS.Hook = func(string) error { return seal.ErrUnavailable }
		wantErr(t, p.Keys, seal.ErrUnavailable)
		time.Sleep(time.Minute)
		wantErr(t, p.Keys, seal.ErrUnavailable)
	})
}

func TestKeyringIsUsedOneHourLongerDuringAnOutage(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		fail func(*authtest.Installation)
		err  error
	}{
		"KMS": {func(inst *authtest.Installation) {
			inst.KMS.Hook = func(string) error { return seal.ErrUnavailable }
		}, seal.ErrUnavailable},
		"the table": {func(inst *authtest.Installation) {
			inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, authtest.ErrTableDown }
		}, store.ErrUnavailable},
	} {
		t.Run(what, func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				inst := withRing(t)
				p := inst.Process()
				ring := mustRing(p)
				c.fail(inst)
				time.Sleep(5 * time.Minute)
				reads := inst.Table.Count("read")
				for range 100 {
					if mustRing(p) != ring {
						t.Fatal("Ring() returned another ring, want the cached one")
					}
				}
				authtest.WantCount(t, "reads in the first ten seconds", inst.Table.Count("read")-reads, 1)
				time.Sleep(10 * time.Second)
				mustRing(p)
				authtest.WantCount(t, "reads after ten seconds", inst.Table.Count("read")-reads, 2)
				time.Sleep(time.Hour - 10*time.Second - time.Nanosecond)
				mustRing(p)
				time.Sleep(time.Nanosecond)
				wantErr(t, p.Keys, c.err)
				inst.KMS.Hook, inst.Table.Hook = nil, nil
				mustRing(p)
				if inst.Log.Says("alarm", "kms_denied") > 0 {
					t.Error("got the alarm kms_denied during an outage")
				}
			})
		})
	}
}

func TestKeyringIsDiscardedWhenKMSDenies(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		p := inst.Process()
		cookie := p.SignIn(asanatest.Member)
		mustRing(p)
		inst.KMS.Hook = func(string) error { return seal.ErrDenied }
		time.Sleep(5 * time.Minute)
		before := inst.Rows.Hot(cookie.Reveal())
		_, err := p.Token(cookie, 3000*time.Second)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "kms_denied"), 1)
		// KMS denied the request above, so the process discarded its cached keyring and
		// cannot use it during this outage.
		inst.KMS.Hook = func(string) error { return seal.ErrUnavailable }
		wantErr(t, p.Keys, seal.ErrUnavailable)
		if after := inst.Rows.Hot(cookie.Reveal()); after.Rev != before.Rev || after.Status != string(asanaauth.Active) {
			t.Errorf("connection = %+v, want it unchanged and active", after)
		}
		inst.KMS.Hook = nil
		p.MustToken(cookie, 0)
	})
}

func TestKeyringOfAnotherInstallationIsDenied(t *testing.T) {
	t.Parallel()
	inst := withRing(t)
	keys, err := keyring.New(keyring.Config{
		Store: inst.Table, Wrapper: inst.KMS, Installation: "another installation", TTL: time.Minute,
		Log: slog.New(slog.NewJSONHandler(inst.Log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, keys, seal.ErrDenied)
	authtest.WantCount(t, "alarms", inst.Log.Says("alarm", "kms_denied"), 1)
}

// If KMS can unwrap the row but the result is not a valid keyring, the error must wrap
// neither ErrDenied nor ErrUnavailable.
func TestRowWithoutAValidKeyring(t *testing.T) {
	t.Parallel()
	inst := authtest.New(t)
	wrapped, name, err := inst.KMS.Wrapper.Wrap(t.Context(), []byte("no keyring"), seal.Context(authtest.Name))
	if err != nil {
		t.Fatal(err)
	}
	inst.Rows.Forge(&store.Keyring{Wrapped: wrapped, KMSKey: name})
	ring, err := inst.Process().Keys.Ring(t.Context())
	if ring != nil || err == nil || errors.Is(err, seal.ErrDenied) || errors.Is(err, seal.ErrUnavailable) {
		t.Errorf("Ring() = %v, %v, want an error other than ErrDenied and ErrUnavailable", ring, err)
	}
}
