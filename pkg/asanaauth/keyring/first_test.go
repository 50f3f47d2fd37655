package keyring_test

import (
	"context"
	"crypto/rand"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
)

func TestConcurrentProcessesCreateOneFirstKeyring(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := authtest.New(t)
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			if op.Name == "write" {
				time.Sleep(time.Second) // before the first write, every process reads the empty table
			}
			return true, nil
		}
		rings := make([]*seal.Ring, 5)
		var wg sync.WaitGroup
		for i := range rings {
			p := inst.Process()
			wg.Go(func() { rings[i] = mustRing(p) })
		}
		wg.Wait()
		for _, ring := range rings {
			if ring.Primary() != rings[0].Primary() || string(ring.Bytes()) != string(rings[0].Bytes()) {
				t.Errorf("got rings with the primary keys %d and %d, want the same ring", ring.Primary(), rings[0].Primary())
			}
		}
		if mustRing(inst.Process()).Primary() != rings[0].Primary() {
			t.Error("the ring in the table differs from the processes' ring")
		}
		const created = "first keyring created, which is normal for a new deployment; if connections existed before, restore the table from a backup"
		authtest.WantCount(t, "log lines about the first keyring", inst.Log.Says("msg", created), 1)
	})
}

// If the write of the first keyring fails, the process must not use its new ring, because
// the table may not contain that ring. The next attempt must succeed, whether the row was
// saved or not.
func TestCrashPointsOfTheFirstKeyring(t *testing.T) {
	t.Parallel()
	for _, saved := range []bool{false, true} {
		inst := authtest.New(t)
		inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
			return op.Name != "write" || saved, authtest.FailIf(op.Name == "write", authtest.ErrTableDown)
		}
		p := inst.Process()
		wantErr(t, p.Keys, store.ErrUnavailable)
		inst.Table.Hook = nil
		if mustRing(p).Primary() != mustRing(inst.Process()).Primary() {
			t.Errorf("saved %t: two processes have different rings", saved)
		}
	}
}

func TestFirstKeyringIsNotCreatedWithoutKMS(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{seal.ErrUnavailable, seal.ErrDenied} {
		inst := authtest.New(t)
		inst.KMS.Hook = func(string) error { return cause }
		wantErr(t, inst.Process().Keys, cause)
		authtest.WantCount(t, "rows", len(inst.Rows.All()), 0)
	}
}

func TestFirstKeyringIsNotCreatedWithoutRandomness(t *testing.T) {
	t.Parallel()
	const key = 36 // bytes of a data key and its ID; the random bytes for the row's writer follow
	for n, cause := range map[int64]error{0: io.EOF, key - 1: io.ErrUnexpectedEOF, key: io.EOF, key + 1: io.ErrUnexpectedEOF} {
		inst := authtest.New(t)
		p := inst.Process(func(s *authtest.Settings) { s.Rand = io.LimitReader(rand.Reader, n) })
		wantErr(t, p.Keys, cause)
		authtest.WantCount(t, "rows", len(inst.Rows.All()), 0)
	}
}

// If the keyring's row is deleted, a process that has read the keyring must not create a
// new one, because a new keyring cannot open the existing fields.
func TestFirstKeyringIsNotCreatedTwice(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		inst := withRing(t)
		p := inst.Process()
		ring := mustRing(p)
		inst.Rows.Delete(store.KeyringKey)
		time.Sleep(5 * time.Minute)
		if mustRing(p) != ring {
			t.Error("Ring() returned another ring, want the cached one")
		}
		time.Sleep(time.Hour)
		if ring, err := p.Keys.Ring(t.Context()); ring != nil || err == nil {
			t.Errorf("Ring() = %v, %v, want an error", ring, err)
		}
		authtest.WantCount(t, "rows", len(inst.Rows.All()), 0)
	})
}
