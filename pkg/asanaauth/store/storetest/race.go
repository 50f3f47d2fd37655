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

// race has all writers replace the same rev, and each round go on from there.
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
				t.Errorf("round %d: writer %s was not told what is there", round, writer)
			}
		}
	}
}

// raceTransactions allows a loser to hear ErrUnavailable, as one does whom
// DynamoDB has cancelled for a conflict with another transaction.
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

// compete starts all writers at once and returns what each of them heard.
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
	heard := map[string]error{}
	for i, err := range outcomes {
		heard[fmt.Sprint("writer ", i)] = err
	}
	return heard
}

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
			t.Errorf("%s: got %v", writer, err)
		}
	}
	if winners != 1 {
		t.Fatalf("%d winners", winners)
	}
	return winner
}
