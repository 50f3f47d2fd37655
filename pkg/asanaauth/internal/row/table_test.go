package row_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
)

func TestNewReportsEveryMissingField(t *testing.T) {
	_, err := row.New(row.Config{})
	for _, field := range []string{"Store", "Keys"} {
		if err == nil || !strings.Contains(err.Error(), field+" is missing") {
			t.Errorf("got %v, want %s in it", err, field)
		}
	}
}

func TestDeadlines(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		if got := x.table.Remaining(t.Context()); got != time.Hour {
			t.Errorf("without a deadline: %v remain, want 1h", got)
		}
		early, cancel := x.table.WithTimeout(t.Context(), time.Second)
		defer cancel()
		late, cancelLate := x.table.WithTimeout(early, time.Minute)
		defer cancelLate()
		if got := x.table.Remaining(late); got != time.Second {
			t.Errorf("within a deadline of 1s: %v remain", got)
		}
		detached, cancelDetached := x.table.Detach(late)
		defer cancelDetached()
		cancel()
		if late.Err() == nil || detached.Err() != nil || x.table.Remaining(detached) != time.Second {
			t.Errorf("after a cancellation: %v; detached: %v, %v remain", late.Err(), detached.Err(), x.table.Remaining(detached))
		}
		time.Sleep(time.Second + 1)
		if detached.Err() != context.DeadlineExceeded {
			t.Errorf("detached, after the deadline: %v", detached.Err())
		}
		bounded, cancelBounded := x.table.Detach(t.Context())
		defer cancelBounded()
		if got := x.table.Remaining(bounded); got != row.CallerTime {
			t.Errorf("detached, without a deadline: %v remain, want %v", got, row.CallerTime)
		}
	})
}

func TestPauses(t *testing.T) {
	withTable(t, func(t *testing.T, x *fixture) {
		pauses := map[time.Duration]bool{}
		for range 50 {
			began := time.Now()
			if err := x.table.Pause(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < 100*time.Millisecond || took >= 400*time.Millisecond {
				t.Errorf("paused %v, want 100 to 400 ms", took)
			}
			pauses[time.Since(began)] = true
			began = time.Now()
			if err := x.table.PauseAtMost(t.Context(), 10*time.Millisecond); err != nil || time.Since(began) != 10*time.Millisecond {
				t.Errorf("paused %v, %v, want 10 ms", time.Since(began), err)
			}
		}
		if len(pauses) < 25 {
			t.Errorf("50 pauses have only %d different lengths, want jitter", len(pauses))
		}
	})
}
