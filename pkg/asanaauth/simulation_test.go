package asanaauth_test

import (
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// The simulation plays several processes with several callers over one table
// and one Asana, through the five doors of the rules, with faults drawn from a
// seed. What must always hold is checked at the table's door (moved), at
// Asana's (RoundTrip), at each answer (served) and at the end (settle).
//
// All that is drawn comes from the seed; goroutines that wake in the same
// nanosecond are all that may differ when a seed is run again.

var (
	simSeed  = flag.Uint64("sim.seed", 1, "the first seed of the simulation")
	simRuns  = flag.Int("sim.runs", 400, "how many runs the simulation has, each with the next seed")
	simTrace = flag.Bool("sim.trace", false, "print what happens in each run of the simulation")
)

func TestSimulation(t *testing.T) {
	total := map[string]int{}
	for i := range *simRuns {
		seed := *simSeed + uint64(i)
		bubble(t, func(t *testing.T) { newSim(t, seed).run(total) })
		if t.Failed() {
			t.Fatalf("seed %d: repeat with -run TestSimulation -sim.runs 1 -sim.trace -sim.seed %d", seed, seed)
		}
	}
	t.Logf("%d runs: %v", *simRuns, total)
	if *simRuns < 100 {
		return
	}
	// A simulation in which nothing happens proves nothing.
	for _, what := range []string{
		"asked", "handed out", "refreshed", "broken", "lost", "revoked", "lease taken from a dead one",
		"gone away", "reported refused", "signed in again", "deauthorised", "process died", "answer lost", "save faulted", "stalled",
	} {
		if total[what] == 0 {
			t.Errorf("never in %d runs: %s", *simRuns, what)
		}
	}
}

// chances are those of the faults of a run, for each operation.
type chances struct {
	asanaRefuses, asanaLoses, asanaSlow, asanaStalls    float64
	readFails, writeFails, writeIsLost, tableSlow, dies float64
	tableStalls                                         float64
	goesAway, disconnects, signsIn, deauthorises        float64
}

func (c chances) quiet() bool { return c == chances{} }

// draw picks what kind of trouble a run has. Runs of one kind of trouble are
// what tells which invariant depends on which.
func drawChances(d *dice) chances {
	people := chances{goesAway: 0.1, disconnects: 0.02, signsIn: 0.02, deauthorises: 0.005}
	c := people
	switch d.IntN(14) {
	case 0, 1:
		return chances{}
	case 2:
		c.disconnects, c.signsIn, c.asanaSlow = 0.1, 0.1, 0.4
	case 3, 4:
		c.asanaRefuses = 0.3
		c.deauthorises = 0
	case 5:
		c.asanaRefuses, c.asanaLoses, c.asanaSlow = 0.1, 0.1, 0.1
	case 6:
		c.readFails, c.writeFails, c.writeIsLost, c.tableSlow = 0.03, 0.08, 0.08, 0.1
	case 7, 8:
		c.tableStalls, c.asanaStalls, c.asanaSlow = 0.15, 0.2, 0.4
	case 9:
		c.dies, c.asanaSlow = 0.03, 0.1
	case 10, 11:
		// Holders that wake up while the next one asks.
		return chances{asanaStalls: 0.4, asanaSlow: 0.7}
	default:
		c.asanaRefuses, c.asanaLoses, c.asanaSlow, c.asanaStalls = 0.05, 0.05, 0.05, 0.03
		c.readFails, c.writeFails, c.writeIsLost, c.tableSlow, c.tableStalls, c.dies = 0.02, 0.04, 0.04, 0.03, 0.02, 0.01
	}
	return c
}

// dice is a source of randomness for one call or one process, so that what one
// draws does not depend on when another does. Safe for concurrent use.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(seed, stream uint64) *dice { return &dice{r: rand.New(rand.NewPCG(seed, stream))} }

func (d *dice) IntN(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

func (d *dice) comes(chance float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Float64() < chance
}

func (d *dice) between(low, high time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return low + time.Duration(d.r.Int64N(int64(high-low)))
}

// Read implements [io.Reader], for the rules.
func (d *dice) Read(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range b {
		b[i] = byte(d.r.Uint32())
	}
	return len(b), nil
}
