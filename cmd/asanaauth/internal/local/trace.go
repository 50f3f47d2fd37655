package local

import (
	"net/http"
	"sync"
	"time"
)

// keptSteps is the maximum length of the trace, enough for a sign-in and a few refreshes.
const keptSteps = 60

// Step is a request or a write to the table. It contains names of parameters and kinds of
// rows, never their values.
type Step struct {
	Number int       `json:"number"`
	At     time.Time `json:"at"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	What   string    `json:"what"`           // a request line without its query, or "write"
	With   []string  `json:"with,omitempty"` // names of parameters, or kinds of rows
	Result string    `json:"result"`         // empty while in progress
}

// The parties of a step.
const (
	theBrowser = "browser"
	theBackend = "backend"
	theService = "asanaauth"
	theAsana   = "Asana"
	theTable   = "table"
)

// trace records the last steps for the page. It is safe for concurrent use.
type trace struct {
	mu    sync.Mutex
	count int
	steps []*Step // oldest first
}

// begin records a step. The caller must call end with the result.
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

// list returns a copy of the steps, oldest first.
func (t *trace) list() []Step {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Step, len(t.steps))
	for i, s := range t.steps {
		list[i] = *s
	}
	return list
}

// statusOf is a ResponseWriter that records the status.
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

// Unwrap returns the ResponseWriter for [http.ResponseController].
func (w *statusOf) Unwrap() http.ResponseWriter { return w.ResponseWriter }
