package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

const (
	writers = 50
	rounds  = 4
)

// race starts several writers that replace the same row at once. The test fails unless
// exactly one writer succeeds in each round. The next round replaces the row that the
// successful writer stored.
func race(t *testing.T, s store.Store) {
	for round := range int64(rounds) {
		outcomes := runWriters(func(writer string) error {
			return s.Write(t.Context(), store.Put(tokens(round), round, writer))
		})
		winner := onlyWinner(t, outcomes, store.ErrConflict)
		row := tokens(round)
		store.Put(row, round, winner)
		checkRead(t, s, []store.Key{row.Key()}, row)
		for writer, err := range outcomes {
			conflict, ok := errors.AsType[*store.Conflict](err)
			if ok && conflict.Rows[row.Key()] == nil {
				t.Errorf("round %d: the Conflict of writer %s does not contain the stored row", round, writer)
			}
		}
	}
}

// raceTransactions is like race, but each writer replaces two rows in one write. A writer
// that does not succeed may get ErrUnavailable instead of a Conflict, because DynamoDB
// cancels one of two transactions that change the same row at the same time.
func raceTransactions(t *testing.T, s store.Store) {
	for round := range int64(rounds) {
		both := func(writer string) (*store.Hot, *store.Cold, []store.Change) {
			h, c := tokens(round), cold(connection("owner", 1), 20)
			return h, c, []store.Change{store.Put(h, round, writer), store.Put(c, round, writer)}
		}
		winner := onlyWinner(t, runWriters(func(writer string) error {
			_, _, changes := both(writer)
			return s.Write(t.Context(), changes...)
		}), store.ErrConflict, store.ErrUnavailable)
		h, c, _ := both(winner)
		checkRead(t, s, []store.Key{h.Key(), c.Key()}, h, c)
	}
}

// runWriters starts all writers at once and returns their errors. The keys of the map are
// the names of the writers.
func runWriters(write func(writer string) error) map[string]error {
	outcomes := make([]error, writers)
	start := make(chan struct{})
	var running sync.WaitGroup
	for i := range outcomes {
		running.Go(func() {
			<-start
			outcomes[i] = write(fmt.Sprint("writer ", i))
		})
	}
	close(start)
	running.Wait()
	byWriter := map[string]error{}
	for i, err := range outcomes {
		byWriter[fmt.Sprint("writer ", i)] = err
	}
	return byWriter
}

// onlyWinner returns the name of the only writer whose write succeeded. The errors of all
// other writers must be in allowed.
func onlyWinner(t *testing.T, outcomes map[string]error, allowed ...error) (winner string) {
	t.Helper()
	winners := 0
	for writer, err := range outcomes {
		if err == nil {
			winner = writer
			winners++
			continue
		}
		expected := false
		for _, other := range allowed {
			expected = expected || errors.Is(err, other)
		}
		if !expected {
			t.Errorf("%s: got %v, want one of %v", writer, err, allowed)
		}
	}
	if winners != 1 {
		t.Fatalf("got %d winners, want 1", winners)
	}
	return winner
}
