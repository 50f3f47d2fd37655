package refresher_test

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
)

var (
	simSeed  = flag.Uint64("sim.seed", 1, "the first seed of the simulation")
	simRuns  = flag.Int("sim.runs", 0, "the number of runs of the simulation, each with the next seed; 0: 200, 400 in CI, or 40 with -short")
	simTrace = flag.Bool("sim.trace", false, "print what happens in each run of the simulation")
)

const (
	defaultRuns = 200
	ciRuns      = 400 // with CI_SERVERS=1
	shortRuns   = 40
	simShards   = 4 // run in parallel
)

// TestSimulation runs the refresh protocol in many small worlds that are drawn from a
// seed, and checks invariants in each.
//
// The world of a run (sim_world_test.go) has one table, one offline Asana, and two or
// more processes. The clocks of the processes differ by less than the clock skew, and
// some processes join their callers. One or two persons have signed in. Three to eight
// callers ask for tokens eight times each, most of them at the same moments, shortly
// before the tokens expire. They also report tokens as rejected, leave while they wait,
// disconnect, sign in again, and deauthorise the app (sim_callers_test.go). The lifetime
// of tokens is drawn, and so is Asana's behaviour: whether it rotates, what it does if an
// old token is used again, and how much a revocation ends.
//
// The faults of a run are of one kind or of all kinds, with a chance for each operation
// (sim_faults_test.go). Asana refuses requests, loses responses, or is slow. The table
// fails reads, does not save, saves and loses the response, or is slow. A process stalls
// for longer than its lease before or after an operation, or dies during the operation.
// Two of fourteen runs have no fault.
//
// The invariants are checked in four places:
//   - at the table, for each write of a hot row (sim_rules_test.go): the lease of a
//     holder that may still be at work is not taken, and none is taken in a cool-down or
//     for a fresh token; tokens change only to those that were issued for the row's refresh
//     token; only the holder breaks a connection, and only if Asana rejected that token;
//     a token is erased only after it was revoked; grant and generation never decrease.
//   - at Asana, for each request (sim_asana_test.go): there are no two requests for one
//     refresh token at a time, unless the first holder died or stalled; a request is
//     sent with ten seconds of the lease left, and does not end because a caller leaves;
//     no grant is revoked that an active connection uses.
//   - for each response to a caller (sim_callers_test.go): the token is of that person,
//     is saved, and was not removed or reported before the caller's last read; the
//     session had not ended; the call ends in time; without faults there is no error.
//   - at the end, without faults (sim_end_test.go): every process serves every active
//     connection; no lease is left; of a consent that was reported as revoked, nothing
//     is left at Asana; a lost token has raised an alarm; and in a run without any fault
//     there were as many requests as leases and saves.
//
// A world is drawn from its seed only, and each call and each process draws from a
// stream of its own. So a seed repeats a run, except for the order of goroutines that
// wake up at the same nanosecond:
//
//	go test ./pkg/asanaauth/internal/refresher -run TestSimulation -sim.runs 1 -sim.trace -sim.seed 1234
//
// If a seed finds a mistake, add a test that repeats it (sim_found_test.go).
func TestSimulation(t *testing.T) {
	t.Parallel()
	runs := *simRuns
	switch {
	case runs > 0:
	case testing.Short():
		runs = shortRuns
	case os.Getenv("CI_SERVERS") == "1":
		runs = ciRuns
	default:
		runs = defaultRuns
	}
	var mu sync.Mutex
	total := map[string]int{}
	t.Run("runs", func(t *testing.T) {
		for shard := range min(simShards, runs) {
			t.Run(fmt.Sprint(shard), func(t *testing.T) {
				t.Parallel()
				for i := shard; i < runs; i += simShards {
					count := simulate(t, *simSeed+uint64(i))
					mu.Lock()
					for what, n := range count {
						total[what] += n
					}
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("%d runs: %v", runs, total)
	if t.Failed() || runs < 100 {
		return
	}
	for _, what := range worthSeeing {
		if total[what] == 0 {
			t.Errorf("never in %d runs: %s", runs, what)
		}
	}
}

// worthSeeing lists what must happen in some run. Otherwise the simulation proves nothing.
var worthSeeing = []string{
	"asked", "handed out", "refreshed", "broken", "lost", "revoked", "dead holder's lease taken",
	"left", "reported", "signed in again", "deauthorised", causeDied, causeLost, causeUnsaved, causeStalled,
}

// simulate plays the run of a seed. It returns how often each event happened.
func simulate(t *testing.T, seed uint64) (count map[string]int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { count = newSim(t, seed).run() })
	if t.Failed() {
		t.Fatalf("seed %d: repeat it with -run TestSimulation -sim.runs 1 -sim.trace -sim.seed %d", seed, seed)
	}
	return count
}
