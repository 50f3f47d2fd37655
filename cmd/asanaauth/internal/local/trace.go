package local

import (
	"net/http"
	"sync"
	"time"
)

// keptSteps is the maximum number of steps in the trace. A sign-in and several refreshes
// fit into 60 steps.
const keptSteps = 60

// Step is an HTTP request, or a write to the table. It contains the names of parameters
// and the kinds of rows, but never their values.
type Step struct {
	Number int       `json:"number"`
	At     time.Time `json:"at"`
	From   string    `json:"from"`
	To     string    `json:"to"`
	What   string    `json:"what"`           // method and path of a request, or "write"
	With   []string  `json:"with,omitempty"` // names of the request's parameters, or kinds of the written rows
	Result string    `json:"result"`         // empty until the step has ended
}

// The possible values of Step.From and Step.To.
const (
	theBrowser = "browser"
	theBackend = "backend"
	theService = "asanaauth"
	theAsana   = "Asana"
	theTable   = "table"
)

// trace records the most recent steps, which the page shows. A trace is safe for
// concurrent use.
type trace struct {
	mu    sync.Mutex
	count int
	steps []*Step // oldest first
}

// begin records a step. When the step has ended, the caller must call end with the
// result.
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

// list returns a copy of the recorded steps, oldest first.
func (t *trace) list() []Step {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Step, len(t.steps))
	for i, s := range t.steps {
		list[i] = *s
	}
	return list
}

// statusRecorder is an http.ResponseWriter that records the status of the response.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap returns the underlying ResponseWriter. [http.ResponseController] calls it.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
