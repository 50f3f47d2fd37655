package link_test

import (
	"context"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// If table operation n of a Redeem call and all later ones of the same call fail, a
// backend that repeats the call must get one connection with working tokens.
func TestCrashPointsOfRedeeming(t *testing.T) {
	t.Parallel()
	authtest.CrashPoints(t, func(t *testing.T, fault *authtest.Fault) {
		inst := authtest.New(t)
		p := inst.Process()
		code := p.Follow(p.Link(link.Request{Owner: "o"}), asanatest.Member)
		var err error
		fault.CutOff(inst, func() { _, err = p.Redeem(code, "o", "") })
		if err != nil {
			authtest.WantKind(t, err, asanaauth.TryAgain)
		}
		q := inst.Process()
		d, err := q.Redeem(code, "o", "")
		if err != nil {
			t.Fatalf("repeating the call: %v", err)
		}
		if n := inst.Log.Says("audit", "connected"); n > 1 {
			t.Errorf("got %d audit lines for one connection", n)
		}
		time.Sleep(2 * time.Hour)
		if _, err := q.TokenOf(d.ID, token.Request{}); err != nil {
			t.Errorf("the token afterwards: %v", err)
		}
		if kept := inst.Rows.Kept(); kept["*store.Hot"] != 1 || kept["*store.Cold"] != 1 || kept["*store.UserPointer"] != 1 {
			t.Errorf("rows %v, want those of one connection", kept)
		}
	})
}

// If the table's response to a write is lost, the process repeats the write. The repeated
// write must not save a second consent.
func TestALostHoldOrRedemptionRecognizesItself(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"hold", "redeem"} {
		authtest.Bubble(t, func(t *testing.T) {
			inst := authtest.New(t)
			p := inst.Process()
			lost := false
			inst.Table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
				if op.Name == "write" && !lost && len(op.Changes) == map[string]int{"hold": 2, "redeem": 4}[what] && len(inst.Wire.Seen()) > 0 {
					lost = true
					return true, authtest.ErrTableDown
				}
				return true, nil
			}
			d := p.Connect("o", asanatest.Member)
			if !lost {
				t.Fatal("no response was lost")
			}
			if hot := inst.Rows.Hot(d.ID); hot.Generation != 1 {
				t.Errorf("%s: %d consents were saved", what, hot.Generation)
			}
			authtest.WantCount(t, "exchanges", inst.Exchanges(), 1)
		})
	}
}
