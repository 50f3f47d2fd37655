package authtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
)

// CrashPoints runs a test many times, each time in a [Bubble]. Run n makes operation n on
// the table fail, until the test does fewer than n operations. There are two series of
// runs: in the first, the failing operation does nothing; in the second, it is done, and
// only its response is lost. The test calls Fault.During or Fault.CutOff once.
func CrashPoints(t *testing.T, test func(*testing.T, *Fault)) {
	t.Helper()
	for _, saved := range []bool{false, true} {
		for at := 1; ; at++ {
			fault, ran := Fault{at: at, saved: saved}, false
			t.Run(fmt.Sprintf("operation %d, saved %v", at, saved), func(t *testing.T) {
				ran = true
				Bubble(t, func(t *testing.T) { test(t, &fault) })
			})
			if ran && fault.count == 0 {
				t.Fatal("the test did no operation under the fault")
			}
			if fault.count < at {
				break
			}
		}
	}
}

// Fault is the fault of one run of [CrashPoints].
type Fault struct {
	at    int  // the number of the operation that fails, from 1
	saved bool // it is done, and only its response is lost
	count int  // operations so far
}

// During makes a call during which one operation on the table fails. Later operations
// succeed.
func (f *Fault) During(inst *Installation, call func()) { f.call(inst, call, false) }

// CutOff makes a call during which one operation on the table and all later ones fail.
func (f *Fault) CutOff(inst *Installation, call func()) { f.call(inst, call, true) }

func (f *Fault) call(inst *Installation, call func(), cutOff bool) {
	inst.Table.Hook = func(context.Context, storetest.Op) (bool, error) {
		f.count++
		switch {
		case f.count == f.at:
			return f.saved, ErrTableDown
		case f.count > f.at && cutOff:
			return false, ErrTableDown
		}
		return true, nil
	}
	defer func() { inst.Table.Hook = nil }()
	call()
}
