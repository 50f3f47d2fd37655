package refresher_test

import (
	"math/rand/v2"
	"sync"
	"time"
)

// chances contains the probability of each fault in one operation, and the probability of
// each thing that a caller can do instead of requesting a token.
type chances struct {
	asanaRefuses, asanaLoses, asanaSlow, asanaStalls                   float64
	readFails, writeFails, writeIsLost, tableSlow, tableStalls         float64
	processDies                                                        float64
	callerLeaves, callerDisconnects, callerSignsIn, personDeauthorizes float64
}

func (c chances) isZero() bool { return c == chances{} }

// hasStalls reports whether a process can be suspended, so that a call may end after its
// deadline.
func (c chances) hasStalls() bool { return c.tableStalls+c.asanaStalls > 0 }

// drawChances chooses a run's faults at random. Some runs have only one kind of fault, so
// that a failure shows which fault caused it.
func drawChances(r *random) chances {
	c := chances{callerLeaves: 0.1, callerDisconnects: 0.02, callerSignsIn: 0.02, personDeauthorizes: 0.005}
	switch r.intN(14) {
	case 0, 1:
		return chances{}
	case 2:
		c.callerDisconnects, c.callerSignsIn, c.asanaSlow = 0.1, 0.1, 0.4
	case 3, 4:
		c.asanaRefuses = 0.3
		c.personDeauthorizes = 0
	case 5:
		c.asanaRefuses, c.asanaLoses, c.asanaSlow = 0.1, 0.1, 0.1
	case 6:
		c.readFails, c.writeFails, c.writeIsLost, c.tableSlow = 0.03, 0.08, 0.08, 0.1
	case 7, 8:
		c.tableStalls, c.asanaStalls, c.asanaSlow = 0.15, 0.2, 0.4
	case 9:
		c.processDies, c.asanaSlow = 0.03, 0.1
	case 10, 11: // stalled holders, which continue while the next holder's request is in progress
		return chances{asanaStalls: 0.4, asanaSlow: 0.7}
	default:
		c.asanaRefuses, c.asanaLoses, c.asanaSlow, c.asanaStalls = 0.05, 0.05, 0.05, 0.03
		c.readFails, c.writeFails, c.writeIsLost, c.tableSlow, c.tableStalls = 0.02, 0.04, 0.04, 0.03, 0.02
		c.processDies = 0.01
	}
	return c
}

// random is a source of random numbers. Each call and each process has its own source, so
// that a run does not depend on the order of goroutines.
type random struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newRandom(seed, stream uint64) *random {
	return &random{r: rand.New(rand.NewPCG(seed, stream))}
}

func (r *random) intN(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.IntN(n)
}

func (r *random) happens(chance float64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Float64() < chance
}

func (r *random) between(low, high time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return low + time.Duration(r.r.Int64N(int64(high-low)))
}

// Read makes r an [io.Reader], the source of random bytes of a process.
func (r *random) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range b {
		b[i] = byte(r.r.Uint32())
	}
	return len(b), nil
}
