package lambdatest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// runtimeAPI serves the Lambda Runtime API to one function. Source:
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
type runtimeAPI struct {
	pending chan *invocation // unbuffered; received when the function requests its next event
	ready   chan struct{}    // closed when the function requests its first event
	asked   sync.Once

	mu     sync.Mutex
	count  int
	active map[string]*invocation // unfinished invocations, by ID
}

type invocation struct {
	id       string
	event    []byte
	deadline time.Time
	done     chan result // holds one result, so sending does not block
}

type result struct {
	body []byte
	err  error
}

func newRuntimeAPI() *runtimeAPI {
	return &runtimeAPI{
		pending: make(chan *invocation),
		ready:   make(chan struct{}),
		active:  map[string]*invocation{},
	}
}

func (a *runtimeAPI) newInvocation(event []byte, deadline time.Time) *invocation {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	id := fmt.Sprintf("00000000-0000-4000-8000-%012x", a.count)
	return &invocation{id: id, event: event, deadline: deadline, done: make(chan result, 1)}
}

func (a *runtimeAPI) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", a.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		a.complete(w, r, func(body []byte) result { return result{body: body} })
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		a.complete(w, r, func(body []byte) result { return result{err: &Error{Report: string(body)}} })
	})
	// The function also logs an init error and exits, so the server ignores the report.
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

func (a *runtimeAPI) next(w http.ResponseWriter, r *http.Request) {
	a.asked.Do(func() { close(a.ready) })
	select {
	case inv := <-a.pending:
		a.mu.Lock()
		a.active[inv.id] = inv
		a.mu.Unlock()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:111122223333:function:test")
		w.Write(inv.event)
	case <-r.Context().Done():
	}
}

// complete ends the invocation whose ID is in the path of r. f converts the body of r to
// the result.
func (a *runtimeAPI) complete(w http.ResponseWriter, r *http.Request, f func([]byte) result) {
	a.mu.Lock()
	inv := a.active[r.PathValue("id")]
	delete(a.active, r.PathValue("id"))
	a.mu.Unlock()
	if inv == nil {
		http.Error(w, "no such invocation", http.StatusForbidden)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		inv.done <- result{err: err}
		return
	}
	w.WriteHeader(http.StatusAccepted)
	inv.done <- f(body)
}
