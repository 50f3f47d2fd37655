package asanaauth_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/sealtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The tests of this file follow "Keys".

func (h *house) unwraps() int { return h.kms.Calls(sealtest.OpUnwrap) }

func (p *process) ring() (*seal.Ring, error) { return p.keys.Ring(context.Background()) }

func (p *process) mustRing() *seal.Ring {
	p.h.t.Helper()
	ring, err := p.ring()
	if err != nil {
		p.h.t.Fatalf("Ring() = %v", err)
	}
	return ring
}

// hasRing makes the installation's first keyring.
func hasRing(t *testing.T) *house {
	h := newHouse(t)
	h.process().mustRing()
	return h
}

func TestOneUnwrapForAColdStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		h.expire()
		cold := h.unwraps()
		p := h.process()
		p.mustToken(cookie, 0)
		wantCount(t, "unwraps of a cold start", h.unwraps()-cold, 1)
		for range 4 {
			time.Sleep(time.Minute)
			if _, err := h.process().token(cookie, 0); err != nil { // others go on meanwhile
				t.Fatal(err)
			}
			before := h.unwraps()
			p.session(cookie)
			if _, err := p.refused(cookie, p.mustToken(cookie, 0)); err != nil {
				t.Fatal(err)
			}
			wantCount(t, "unwraps of a warm refresh", h.unwraps()-before, 0)
		}
		wantCount(t, "refreshes", h.refreshes(), 5)
	})
}

func TestAColdStartOfManyIsOneUnwrap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := hasRing(t)
		h.kms.Hook = func(string) error { time.Sleep(time.Second); return nil }
		before := h.unwraps()
		p := h.process()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { p.mustRing() })
		}
		// One who waits for somebody else's unwrap waits within its own time.
		time.Sleep(time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := p.keys.Ring(ctx)
		wantKind(t, err, asanaauth.TryAgain)
		if took := time.Since(began); took != 500*time.Millisecond {
			t.Errorf("waited %v", took)
		}
		wg.Wait()
		wantCount(t, "unwraps", h.unwraps()-before, 1)
	})
}

func TestTheKeyringIsKeptForItsTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := hasRing(t)
		p := h.process()
		p.mustRing()
		before := h.unwraps()
		time.Sleep(5*time.Minute - time.Nanosecond)
		p.mustRing()
		wantCount(t, "unwraps before five minutes", h.unwraps()-before, 0)
		time.Sleep(time.Nanosecond)
		p.mustRing()
		wantCount(t, "unwraps at five minutes", h.unwraps()-before, 1)
		p.mustRing()
		wantCount(t, "unwraps right after", h.unwraps()-before, 1)
	})
}

// frozen is the clock of a sandbox that was frozen: its wall clock jumps, and
// nothing that waits has moved.
type frozen struct {
	asanaauth.SystemClock
	now time.Time
}

func (f *frozen) Now() time.Time { return f.now }

func TestTheKeyringAgesByTheWallClock(t *testing.T) {
	h := hasRing(t)
	clock := &frozen{now: time.Now().Round(0)}
	keys := asanaauth.NewKeys(asanaauth.KeysConfig{Store: h.table, Wrapper: h.kms, Installation: "house", TTL: 5 * time.Minute, Clock: clock})
	ask := func(unwraps int) {
		t.Helper()
		before := h.unwraps()
		if _, err := keys.Ring(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantCount(t, "unwraps", h.unwraps()-before, unwraps)
	}
	ask(1)
	ask(0)
	clock.now = clock.now.Add(6 * time.Minute)
	ask(1)
	if now := (asanaauth.SystemClock{}).Now(); strings.Contains(now.String(), "m=") {
		t.Errorf("the clock's time has a monotonic reading: %v", now)
	}
}

func TestAKeyringThatIsNotKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := hasRing(t)
		p := h.process(func(s *settings) { s.keyTTL = 0 })
		for range 3 {
			before := h.unwraps()
			p.mustRing()
			wantCount(t, "unwraps", h.unwraps()-before, 1)
		}
		h.kms.Hook = func(string) error { return seal.ErrUnavailable }
		_, err := p.ring()
		wantKind(t, err, asanaauth.TryAgain)
		time.Sleep(time.Minute)
		_, err = p.ring()
		wantKind(t, err, asanaauth.TryAgain)
	})
}

func TestAKeyringServesAnHourLongerWhileItCannotBeRead(t *testing.T) {
	for what, away := range map[string]func(*house){
		"KMS": func(h *house) { h.kms.Hook = func(string) error { return seal.ErrUnavailable } },
		"the table": func(h *house) {
			h.table.Hook = func(context.Context, storetest.Op) (bool, error) { return false, errAway }
		},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := hasRing(t)
				p := h.process()
				ring := p.mustRing()
				away(h)
				time.Sleep(5 * time.Minute)
				reads := h.table.Count("read")
				for range 100 {
					if p.mustRing() != ring {
						t.Fatal("another ring")
					}
				}
				wantCount(t, "attempts at once", h.table.Count("read")-reads, 1)
				time.Sleep(10 * time.Second)
				p.mustRing()
				wantCount(t, "attempts ten seconds later", h.table.Count("read")-reads, 2)
				time.Sleep(time.Hour - 10*time.Second - time.Nanosecond)
				p.mustRing()
				time.Sleep(time.Nanosecond)
				_, err := p.ring()
				wantKind(t, err, asanaauth.TryAgain)
				h.kms.Hook, h.table.Hook = nil, nil
				p.mustRing()
				if h.log.says("alarm", "kms_denied") > 0 {
					t.Error("the alarm of a refusal")
				}
			})
		})
	}
}

func TestAKeyringIsDroppedAtOnceWhereKMSRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		p.mustRing()
		h.kms.Hook = func(string) error { return seal.ErrDenied }
		time.Sleep(5 * time.Minute)
		before := h.hot(cookie)
		_, err := p.token(cookie, 3000*time.Second)
		wantKind(t, err, asanaauth.TryAgain)
		wantCount(t, "alarms", h.log.says("alarm", "kms_denied"), 1)
		// From then on the kept one does not serve, whatever KMS says.
		h.kms.Hook = func(string) error { return seal.ErrUnavailable }
		_, err = p.ring()
		wantKind(t, err, asanaauth.TryAgain)
		if after := h.hot(cookie); after.Rev != before.Rev || after.Status != store.Active {
			t.Errorf("the connection has moved: %+v", after)
		}
		h.kms.Hook = nil
		p.mustToken(cookie, 0)
	})
}

func TestTwoThatMakeTheFirstKeyEndWithOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				time.Sleep(time.Second) // all have found none by now
			}
			return true, nil
		}
		rings := make([]*seal.Ring, 5)
		var wg sync.WaitGroup
		for i := range rings {
			wg.Go(func() { rings[i] = h.process().mustRing() })
		}
		wg.Wait()
		for _, ring := range rings {
			if ring.Primary() != rings[0].Primary() || string(ring.Bytes()) != string(rings[0].Bytes()) {
				t.Errorf("rings with the keys %d and %d", ring.Primary(), rings[0].Primary())
			}
		}
		if h.process().mustRing().Primary() != rings[0].Primary() {
			t.Error("the table has another ring")
		}
	})
}

// The first key's write fails, saved or not: no ring serves that the table may
// not have, and the next try ends with one.
func TestCrashPointsOfTheFirstKey(t *testing.T) {
	for _, saved := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			h := newHouse(t)
			h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
				return op.Name != "write" || saved, failIf(op.Name == "write", errAway)
			}
			p := h.process()
			_, err := p.ring()
			wantKind(t, err, asanaauth.TryAgain)
			h.table.Hook = nil
			if p.mustRing().Primary() != h.process().mustRing().Primary() {
				t.Error("two rings")
			}
		})
	}
}

// A field under a key that the kept ring has not is younger than the ring.
func TestAnUnknownKeyHasTheRingReadAgain(t *testing.T) {
	for _, age := range []time.Duration{0, time.Second, 4 * time.Minute} {
		t.Run(age.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				p.mustRing()
				h.rotateKey()
				time.Sleep(age)
				cookie := h.process().signIn(asanatest.Member) // sealed under the new key
				before := h.unwraps()
				p.mustToken(cookie, 0)
				if _, err := p.conns.Profile(t.Context(), p.session(cookie)); err != nil {
					t.Error(err)
				}
				wantCount(t, "unwraps", h.unwraps()-before, 1)
				if h.log.says("alarm", "unseal_failed") > 0 {
					t.Error("the alarm of a forged row")
				}
			})
		})
	}
}

// With KMS away nobody can say that a key does not exist: nobody is signed out.
func TestAnUnknownKeyWithKMSAway(t *testing.T) {
	for what, c := range map[string]struct {
		err    error
		alarms int
	}{"away": {seal.ErrUnavailable, 0}, "denied": {seal.ErrDenied, 1}} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				p := h.process()
				p.mustRing()
				h.rotateKey()
				cookie := h.process().signIn(asanatest.Member)
				h.kms.Hook = func(string) error { return c.err }
				before := h.unwraps()
				wantKind(t, p.open(cookie), asanaauth.TryAgain)
				wantCount(t, "alarms", h.log.says("alarm", "kms_denied"), c.alarms)
				if what == "away" {
					wantKind(t, p.open(cookie), asanaauth.TryAgain)
					wantCount(t, "unwraps at once", h.unwraps()-before, 1)
				}
				wantCount(t, "alarms of forged rows", h.log.says("alarm", "unseal_failed"), 0)
				h.kms.Hook = nil
				time.Sleep(10 * time.Second)
				p.session(cookie)
			})
		})
	}
}

// Whoever can write the table invents key ids: KMS hears of it now and then.
func TestInventedKeysDoNotReachKMSEachTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		p := h.process()
		cookie := p.signIn(asanatest.Member)
		row := h.sessionRow(cookie)
		row.Proof = append(secret.Sealed{}, row.Proof...)
		row.Proof[1] ^= 1
		h.writes(row)
		before := h.unwraps()
		for range 20 {
			wantKind(t, p.open(cookie), asanaauth.Unauthenticated)
		}
		wantCount(t, "unwraps", h.unwraps()-before, 1)
		time.Sleep(10 * time.Second)
		wantKind(t, p.open(cookie), asanaauth.Unauthenticated)
		wantCount(t, "unwraps ten seconds later", h.unwraps()-before, 2)
		wantCount(t, "alarms", h.log.says("alarm", "unseal_failed"), 21)
	})
}

func TestAKeyringOfAnotherInstallation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := hasRing(t)
		keys := asanaauth.NewKeys(asanaauth.KeysConfig{
			Store: h.table, Wrapper: h.kms, Installation: "another house", TTL: time.Minute,
			Log: slog.New(slog.NewJSONHandler(h.log, nil)),
		})
		ring, err := keys.Ring(t.Context())
		wantKind(t, err, asanaauth.TryAgain)
		if ring != nil {
			t.Error("a ring beside an error")
		}
		wantCount(t, "alarms", h.log.says("alarm", "kms_denied"), 1)
	})
}

// What KMS unwraps and is no keyring is none, and no fault of the caller.
func TestAKeyringThatIsNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		wrapped, name, err := h.kms.Wrapper.Wrap(t.Context(), []byte("no keyring"), seal.Context("house"))
		if err != nil {
			t.Fatal(err)
		}
		h.writes(&store.Keyring{Wrapped: wrapped, KMSKey: name, Created: time.Now()})
		_, err = h.process().ring()
		wantKind(t, err, asanaauth.Internal)
	})
}

func TestKeysWithoutRandomness(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		_, err := h.process(func(s *settings) { s.rand = dry{} }).ring()
		wantKind(t, err, asanaauth.Internal)
		wantCount(t, "rows", len(h.all()), 0)
	})
}

// dry is a source of randomness that has none.
type dry struct{}

func (dry) Read([]byte) (int, error) { return 0, errors.New("no randomness") }
