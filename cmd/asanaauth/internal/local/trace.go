package local

import (
	"net/http"
	"sync"
	"time"
)

// keptSteps bounds the trace: a sign-in and a few refreshes.
const keptSteps = 60

// Step is something that was sent or kept: who spoke to whom about what, and how
// it ended. It never has a value, only the names of parameters and kinds of rows.
type Step struct {
	Number int       `json:"number"`
	At     time.Time `json:"at"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	What   string    `json:"what"`           // a request line without its query, or "keep"
	With   []string  `json:"with,omitempty"` // names
	Result string    `json:"result"`         // empty: under way
}

// The parties of a trip.
const (
	theBrowser = "browser"
	theBackend = "backend"
	theService = "asanaauth"
	theAsana   = "Asana"
	theTable   = "table"
)

// trace remembers the last steps, for the page. Safe for concurrent use.
type trace struct {
	mu    sync.Mutex
	count int
	steps []*Step // oldest first
}

// begin notes a step, and returns how to note its end.
func (t *trace) begin(s Step) (end func(result string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	s.Number, s.At = t.count, time.Now().UTC()
	if len(t.steps) == keptSteps {
		t.steps = append(t.steps[:0:0], t.steps[1:]...)
	}
	t.steps = append(t.steps, &s)
	return func(result string) {
		t.mu.Lock()
		defer t.mu.Unlock()
		s.Result = result
	}
}

// list returns the steps as they are now, oldest first.
func (t *trace) list() []Step {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Step, len(t.steps))
	for i, s := range t.steps {
		list[i] = *s
	}
	return list
}

// statusOf remembers the status that passes through a ResponseWriter.
type statusOf struct {
	http.ResponseWriter
	status int
}

func (w *statusOf) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] through.
func (w *statusOf) Unwrap() http.ResponseWriter { return w.ResponseWriter }
