package authtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
)

// CrashPoints runs a test in two series of runs, each run in a new [Bubble]. In run n of
// a series, the n-th operation on the table fails. In the first series, the failing
// operation has no effect; in the second series, the operation succeeds, but its response
// is lost. A series ends with the run in which the test does fewer than n operations.
//
// The test must call Fault.During or Fault.CutOff exactly once. Only operations in this
// call are counted and fail.
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
				t.Fatal("the test did no operation on the table in During or CutOff")
			}
			if fault.count < at {
				break
			}
		}
	}
}

// Fault makes one operation on the table fail. [CrashPoints] passes a different Fault to
// each run of a test.
type Fault struct {
	at    int  // the number of the operation that fails, counted from 1
	saved bool // whether the operation succeeds and only its response is lost
	count int  // the number of operations so far
}

// During runs call and makes one operation on the table fail. Later operations succeed.
func (f *Fault) During(inst *Installation, call func()) { f.run(inst, call, false) }

// CutOff is like During, but every later operation in call fails too.
func (f *Fault) CutOff(inst *Installation, call func()) { f.run(inst, call, true) }

func (f *Fault) run(inst *Installation, call func(), cutOff bool) {
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
