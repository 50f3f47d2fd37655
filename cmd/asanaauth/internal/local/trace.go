package local

import (
	"net/http"
	"sync"
	"time"
)

// The trace keeps the last keptSteps steps. A sign-in and several refreshes have fewer
// steps.
const keptSteps = 60

// Step is an HTTP request, or a write to the table. A step contains the names of
// parameters and the kinds of rows, but no secrets.
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

// trace is safe for concurrent use.
type trace struct {
	mu    sync.Mutex
	count int
	steps []*Step // oldest first
}

// The caller of begin must call end when the step has ended.
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

func (t *trace) list() []Step {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Step, len(t.steps))
	for i, s := range t.steps {
		list[i] = *s
	}
	return list
}

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

// Unwrap gives [http.ResponseController] access to the underlying ResponseWriter.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
