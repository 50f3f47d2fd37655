package refresher_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

func TestALeaseIsDeadAfterItsEndAndTheClockSkew(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Rows.Edit(cookie.Reveal(), leasedFor(5*time.Second))
		began := time.Now()
		inst.Process().MustToken(cookie, 0)
		if took := time.Since(began); took < 8*time.Second || took > 9*time.Second {
			t.Errorf("waited %v for a lease of 5s and a skew of 3s", took)
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
	})
}

// A process whose clock is ahead can write a lease that ends in an hour. All other
// processes must treat the lease as expired 15 seconds after they first saw it.
func TestALeaseThatWasSeenLongEnoughIsDead(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		inst.Rows.Edit(cookie.Reveal(), leasedFor(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Second)
		defer cancel()
		if _, err := inst.Process().Ask(ctx, cookie, token.Request{}); err == nil {
			t.Fatal("got a token within 24 seconds, but waiting for the lease and refreshing takes longer")
		}
		began := time.Now()
		inst.Process().MustToken(cookie, 0)
		if took := time.Since(began); took < 14*time.Second || took > 16*time.Second {
			t.Errorf("waited %v, want 15s", took)
		}
	})
}

func TestANewLeaseIsSeenAnew(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		p := inst.Process()
		for _, name := range []string{"one", "two"} {
			inst.Rows.Edit(cookie.Reveal(), func(hot *store.Hot) { hot.Lease, hot.LeaseEnd = name, time.Now().Add(time.Hour) })
			ctx, cancel := context.WithTimeout(t.Context(), 14*time.Second)
			_, err := p.Ask(ctx, cookie, token.Request{})
			cancel()
			authtest.WantKind(t, err, asanaauth.TryAgain)
		}
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
	})
}

// If a process stops after it has taken the lease, the next caller must wait until the
// lease expires, and then refresh.
func TestAHolderThatDiesLosesNothing(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		dying := &storetest.Faulty{Store: inst.Rows, Hook: func(_ context.Context, op storetest.Op) (bool, error) {
			return true, authtest.FailIf(isWrite(op), authtest.ErrTableDown) // the write is saved, and then the process dies
		}}
		_, err := inst.Process(withStore(dying)).Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
		inst.Process().MustToken(cookie, 0)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 1)
	})
}

// slowWrites returns a store in which the first n writes take 3 seconds each.
func slowWrites(inst *authtest.Installation, n int) store.Store {
	writes := 0
	return &storetest.Faulty{Store: inst.Rows, Hook: func(_ context.Context, op storetest.Op) (bool, error) {
		if isWrite(op) {
			if writes++; writes <= n {
				time.Sleep(3 * time.Second)
			}
		}
		return true, nil
	}}
}

func TestNothingIsSentWithoutTimeForTheSave(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		_, err := inst.Process(withStore(slowWrites(inst, 1000))).Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
	})
}

func TestACallerWithoutTimeTakesNoLease(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		p := inst.Process()
		s := p.Session(cookie)
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		inst.Table.Reset()
		_, err := p.Tokens.Token(ctx, s.Connection(), token.Request{})
		authtest.WantKind(t, err, asanaauth.TryAgain)
		authtest.WantCount(t, "writes", inst.Table.Count("write"), 0)
	})
}

// The lease lasts long enough for the request, but the caller's time does not.
func TestNothingIsSentWithoutTimeOfTheCaller(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		slow := &storetest.Faulty{Store: inst.Rows, Hook: func(_ context.Context, op storetest.Op) (bool, error) {
			if isWrite(op) {
				time.Sleep(time.Second)
			}
			return true, nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 10500*time.Millisecond)
		defer cancel()
		_, err := inst.Process(withStore(slow)).Ask(ctx, cookie, token.Request{})
		authtest.WantKind(t, err, asanaauth.TryAgain)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Lease != "" {
			t.Errorf("the row still has the lease %q", hot.Lease)
		}
	})
}

// Without jitter, the callers in all processes would read the table at the same moments.
func TestPollsHaveJitter(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		var reads []time.Time
		counting := &storetest.Faulty{Store: inst.Rows, Hook: func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "read" {
				reads = append(reads, time.Now())
			}
			return true, nil
		}}
		p := inst.Process(withStore(counting))
		inst.Rows.Edit(cookie.Reveal(), leasedFor(5*time.Second))
		conn := p.Session(cookie).Connection()
		reads = nil
		if _, err := p.Tokens.Token(t.Context(), conn, token.Request{}); err != nil {
			t.Fatal(err)
		}
		pauses := map[time.Duration]bool{}
		for i := 1; i < len(reads)-1; i++ { // the last pause ends with the lease
			pause := reads[i].Sub(reads[i-1])
			if pause < 100*time.Millisecond || pause >= 400*time.Millisecond {
				t.Errorf("a pause of %v between two reads, want 100 to 400 ms", pause)
			}
			pauses[pause] = true
		}
		if len(pauses) < 10 {
			t.Errorf("%d different pauses between %d reads, want at least 10", len(pauses), len(reads))
		}
	})
}

// The keyring cannot be read because the table or KMS hangs.
func TestAKeyringThatHangsDoesNotHoldACallerBeyondItsTime(t *testing.T) {
	for name, settings := range map[string]func(*authtest.Settings){"alone": func(*authtest.Settings) {}, "joined": joined} {
		t.Run(name, func(t *testing.T) {
			expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
				hangs := false
				hanging := &storetest.Faulty{Store: inst.Rows, Hook: func(ctx context.Context, op storetest.Op) (bool, error) {
					if hangs && slices.Contains(op.Keys, store.KeyringKey) {
						<-ctx.Done()
						return false, ctx.Err()
					}
					return true, nil
				}}
				p := inst.Process(withStore(hanging), settings, func(s *authtest.Settings) { s.KeyTTL = 0 })
				conn := p.Session(cookie).Connection()
				hangs = true
				ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
				defer cancel()
				began := time.Now()
				_, err := p.Tokens.Token(ctx, conn, token.Request{})
				authtest.WantKind(t, err, asanaauth.TryAgain)
				if took := time.Since(began); took != 15*time.Second {
					t.Errorf("the caller waited %v, want its 15s", took)
				}
				if err := p.Tokens.Wait(t.Context()); err != nil || time.Since(began) > row.CallerTime {
					t.Errorf("the refresh ended after %v: %v", time.Since(began), err)
				}
				authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
			})
		})
	}
}

func TestALeaseThatIsNotUsedIsReleased(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		_, err := inst.Process(withStore(slowWrites(inst, 1))).Token(cookie, 0)
		authtest.WantKind(t, err, asanaauth.TryAgain)
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Lease != "" || !hot.CoolUntil.IsZero() {
			t.Errorf("the row has the lease %q and a cool-down until %v", hot.Lease, hot.CoolUntil)
		}
	})
}

func TestACallerThatLeavesBeforeTheRequestReleasesTheLease(t *testing.T) {
	expired(t, func(t *testing.T, inst *authtest.Installation, cookie secret.String) {
		ctx, cancel := context.WithCancel(t.Context())
		p := inst.Process(withStore(afterWrite{inst.Rows, cancel}))
		_, err := p.Tokens.Token(ctx, p.Session(cookie).Connection(), token.Request{})
		authtest.WantKind(t, err, asanaauth.TryAgain)
		authtest.WantCount(t, "refreshes", inst.Refreshes(), 0)
		if hot := inst.Rows.Hot(cookie.Reveal()); hot.Lease != "" {
			t.Errorf("the row still has the lease %q", hot.Lease)
		}
	})
}

type afterWrite struct {
	store.Store
	call func()
}

func (a afterWrite) Write(ctx context.Context, changes ...store.Change) error {
	defer a.call()
	return a.Store.Write(ctx, changes...)
}
