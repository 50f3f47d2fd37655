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

// race lets all writers replace the same row at once. In each round one writer must win.
// The next round replaces the winner's row.
func race(t *testing.T, s store.Store) {
	for round := range int64(rounds) {
		outcomes := compete(func(writer string) error {
			return s.Write(t.Context(), store.Put(tokens(round), round, writer))
		})
		winner := theWinner(t, outcomes, store.ErrConflict)
		row := tokens(round)
		store.Put(row, round, winner)
		there(t, s, []store.Key{row.Key()}, row)
		for writer, err := range outcomes {
			conflict, ok := errors.AsType[*store.Conflict](err)
			if ok && conflict.Rows[row.Key()] == nil {
				t.Errorf("round %d: the Conflict of writer %s does not have the stored row", round, writer)
			}
		}
	}
}

// raceTransactions is like race with two rows per write. A loser may also get
// ErrUnavailable, because DynamoDB cancels a transaction that conflicts with another one.
func raceTransactions(t *testing.T, s store.Store) {
	for round := range int64(rounds) {
		both := func(writer string) (*store.Hot, *store.Cold, []store.Change) {
			h, c := tokens(round), cold(connection("owner", 1), 20)
			return h, c, []store.Change{store.Put(h, round, writer), store.Put(c, round, writer)}
		}
		winner := theWinner(t, compete(func(writer string) error {
			_, _, changes := both(writer)
			return s.Write(t.Context(), changes...)
		}), store.ErrConflict, store.ErrUnavailable)
		h, c, _ := both(winner)
		there(t, s, []store.Key{h.Key(), c.Key()}, h, c)
	}
}

// compete starts all writers at once and returns the result of each.
func compete(write func(writer string) error) map[string]error {
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

// theWinner returns the only writer whose write succeeded. It fails the test if another
// number of writers succeeded, or if a loser got an error that is not in losers.
func theWinner(t *testing.T, outcomes map[string]error, losers ...error) (winner string) {
	t.Helper()
	winners := 0
	for writer, err := range outcomes {
		if err == nil {
			winner = writer
			winners++
			continue
		}
		expected := false
		for _, loser := range losers {
			expected = expected || errors.Is(err, loser)
		}
		if !expected {
			t.Errorf("%s: got %v, want one of %v", writer, err, losers)
		}
	}
	if winners != 1 {
		t.Fatalf("got %d winners, want 1", winners)
	}
	return winner
}
