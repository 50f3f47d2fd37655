package asanatest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const keptRequests = 1000

// Request is the record of an HTTP request, without secrets such as tokens and codes.
type Request struct {
	Method    string        `json:"method"`
	Path      string        `json:"path"` // without query
	GrantType string        `json:"grant_type,omitempty"`
	Status    int           `json:"status"`        // 0 if no response was sent, or not yet
	Cut       bool          `json:"cut,omitempty"` // the network connection was closed without a response
	Time      time.Time     `json:"time"`          // when the request arrived
	Took      time.Duration `json:"took_ns"`       // until the response was sent or the network connection was closed
}

type record struct {
	last   []Request
	gone   int // number of requests that were removed from last
	counts map[string]int
}

// Requests returns the most recent requests, at most 1,000, the oldest first. Requests to
// / and to paths under /_offline/ are not recorded.
func (a *Asana) Requests() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.record.last)
}

// CountRequests returns how many requests have arrived since the start or the last Reset,
// including requests that got no response. The argument what is a path or a grant type,
// and selects the requests that are counted. Examples are
// CountRequests("refresh_token") and CountRequests("/-/oauth_revoke").
func (a *Asana) CountRequests(what string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.record.counts[what]
}

// knownGrant hides unknown grant types from the records, because the value could be a
// secret.
func knownGrant(s string) string {
	if s == "" || s == "authorization_code" || s == "refresh_token" {
		return s
	}
	return "other"
}

func (rec *record) add(req Request) (seq int) {
	if rec.counts == nil {
		rec.counts = map[string]int{}
	}
	if len(rec.counts) < 10*keptRequests { // limits the memory, because clients can send any path
		rec.counts[req.Path]++
		if req.GrantType != "" {
			rec.counts[req.GrantType]++
		}
	}
	if len(rec.last) == keptRequests {
		half := keptRequests / 2 // removing many requests at once is cheaper
		rec.last = append(rec.last[:0:0], rec.last[half:]...)
		rec.gone += half
	}
	rec.last = append(rec.last, req)
	return rec.gone + len(rec.last) - 1
}

func (rec *record) at(seq int) *Request {
	i := seq - rec.gone
	if i < 0 || i >= len(rec.last) {
		return nil
	}
	return &rec.last[i]
}

// ServeHTTP implements [http.Handler]. If a fault prevents the response, ServeHTTP panics
// with [http.ErrAbortHandler], so that net/http closes the network connection.
func (a *Asana) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.dispatcher.ServeHTTP(w, r) }

const maxBody = 64 << 10

// dispatcher records requests, applies faults, serves one request at a time, and saves the
// state.
type dispatcher struct {
	mu     *sync.Mutex // the mutex of Asana
	mux    *http.ServeMux
	memory *memory
	faults *faults
	record *record
	now    func() time.Time
	sleep  func(context.Context, time.Duration) error
}

func (d *dispatcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if r.URL.Path == "/" || r.URL.Path == "/_offline" || strings.HasPrefix(r.URL.Path, "/_offline/") {
		// Faults do not apply to these paths, and the handlers lock the mutex.
		d.mux.ServeHTTP(w, r)
		return
	}
	// Read the body before the mutex is locked, because the client may send the body
	// slowly. A body that cannot be read or parsed is treated as empty.
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ParseForm()
	r.Body = io.NopCloser(bytes.NewReader(body))
	seq, f := d.begin(r)
	b, sent := d.respond(r, f)
	d.finish(seq, b.status, sent)
	if !sent {
		panic(http.ErrAbortHandler)
	}
	b.writeTo(w)
}

// respond returns false if f prevents the response.
func (d *dispatcher) respond(r *http.Request, f Fault) (buffer, bool) {
	if f.Before != nil {
		f.Before(r)
	}
	if f.Delay > 0 && d.sleep(r.Context(), f.Delay) != nil || f.Cut {
		return buffer{}, false
	}
	var b buffer
	if f.Apply || !f.responds() {
		b = d.handle(r)
	}
	if f.responds() {
		b = f.buffer()
	}
	if f.AnswerDelay > 0 && d.sleep(r.Context(), f.AnswerDelay) != nil || f.CutAfterApply {
		return b, false
	}
	return b, true
}

// If the request changed the state, handle saves the state before the response is sent.
func (d *dispatcher) handle(r *http.Request) buffer {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := buffer{header: http.Header{}}
	d.mux.ServeHTTP(&b, r)
	if d.memory.dirty {
		if err := d.memory.save(); err != nil {
			b = buffer{header: http.Header{}}
			http.Error(&b, "offline Asana cannot write its state file", http.StatusInternalServerError)
		}
	}
	return b
}

func (d *dispatcher) begin(r *http.Request) (seq int, f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	req := Request{Method: r.Method, Path: r.URL.Path, Time: d.now()}
	if r.URL.Path == "/-/oauth_token" {
		req.GrantType = knownGrant(r.PostForm.Get("grant_type"))
	}
	f, ok := d.faults.take(req.Path, req.GrantType)
	if !ok {
		f = d.memory.Switches.fault(req.Path)
	}
	return d.record.add(req), f
}

func (d *dispatcher) finish(seq, status int, sent bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	req := d.record.at(seq)
	if req == nil {
		return
	}
	req.Took = d.now().Sub(req.Time)
	if req.Cut = !sent; sent {
		req.Status = max(status, 200)
	}
}
