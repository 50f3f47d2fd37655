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

// TestSimulation runs the refresh protocol in many small simulated worlds, and checks
// invariants in each world. A run is the simulation of one world, which is generated from
// a seed.
//
// A world (sim_world_test.go) contains one table, one offline Asana, and two or more
// processes. The clocks of the processes differ by less than the clock skew. In some
// processes, callers share refreshes. One or two persons have signed in. Three to eight
// callers request a token eight times each. Most of these requests come at the same
// moments, shortly before the tokens expire. The callers also report tokens as rejected,
// cancel calls, disconnect, sign in again, and deauthorize the app (sim_callers_test.go).
// The lifetime of tokens is random. Asana's behavior is random too: whether it rotates
// refresh tokens, what happens if an old token is used again, and whether a revocation
// also ends the user's other consents.
//
// In each operation, faults happen at random. The probability of each kind of fault stays
// the same during a run, and is zero for some kinds in most runs (sim_faults_test.go).
// Asana refuses requests, loses responses, or is slow. The table fails reads or writes,
// loses the response to a write that succeeded, or is slow. A process dies during an
// operation, or is suspended before or after an operation, in some cases for longer than
// its lease. On average, one run in seven has no faults.
//
// The invariants for each write of a hot row (sim_rules_test.go) are:
//
//   - A lease is not taken while the last holder may still be working, during a
//     cool-down, or while the token is fresh.
//   - If the tokens change, Asana issued the new ones for the row's old refresh token.
//   - Only the holder marks a connection as broken, and only if Asana rejected the
//     refresh token.
//   - A refresh token is erased only after Asana revoked it, or refused to revoke it.
//   - A token counts as refused for all callers only during the refresh that a report
//     caused, or if Asana said that the token is not active.
//   - At most one introspection of a reported token begins in 30 seconds.
//   - Grant and Generation never decrease.
//
// The invariants for each request to Asana (sim_asana_test.go) are:
//
//   - Two requests with the same refresh token are never in progress at the same time,
//     unless the first holder died or stalled.
//   - When a request is sent, the lease lasts for at least ten more seconds.
//   - If a caller cancels its call, a request in progress continues.
//   - A grant is not revoked while an active or broken connection uses the grant.
//
// The invariants for each response to a caller (sim_callers_test.go) are:
//
//   - The token belongs to the right person and is saved.
//   - The token was not removed before the caller last read the hot row, and did not count
//     as refused then.
//   - A caller gets the token that it reported only if Asana just said that it is active.
//   - The session did not end before that read.
//   - The call takes at most 28 seconds.
//   - In a run without faults, a caller that reports no token gets no error, and a caller
//     that reports a token gets no error except TryAgain.
//
// The invariants at the end of a run, after the faults have ended (sim_end_test.go), are:
//
//   - Every process returns a token for every active connection.
//   - No lease is left in a row.
//   - If a consent was reported as revoked, Asana accepts none of its refresh tokens, not
//     even one from a response that was lost.
//   - A lost token has raised an alarm, and it is the reason of the break.
//   - In a run without faults, the numbers of requests, of leases and of saves are equal.
//
// The seed alone determines the world, and each call and each process has its own stream
// of random numbers. Therefore, a run can be repeated with its seed. Only the order of
// goroutines that wake up at the same nanosecond can differ:
//
//	go test ./pkg/asanaauth/internal/refresher -run TestSimulation -sim.runs 1 -sim.trace -sim.seed 1234
//
// If a seed finds a bug, add a test that reproduces the bug (sim_found_test.go).
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
	for _, what := range requiredEvents {
		if total[what] == 0 {
			t.Errorf("never in %d runs: %s", runs, what)
		}
	}
}

// requiredEvents are the events that a test of 100 or more runs must produce at least
// once. If an event never happens, the simulation does not test what follows from it.
var requiredEvents = []string{
	"asked", "handed out", "refreshed", "broken", "lost", "revoked", "revocation refused", "dead holder's lease taken",
	"left", "reported", "introspected", "returned again", "signed in again", "deauthorized", causeDied, causeLost, causeUnsaved, causeStalled,
}

func simulate(t *testing.T, seed uint64) (count map[string]int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { count = newSim(t, seed).run() })
	if t.Failed() {
		t.Fatalf("seed %d: repeat it with -run TestSimulation -sim.runs 1 -sim.trace -sim.seed %d", seed, seed)
	}
	return count
}
