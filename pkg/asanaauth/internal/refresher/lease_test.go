package refresher_test

import (
	"context"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
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
