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

// keptRequests is the largest number of requests that Requests returns.
const keptRequests = 1000

// Request is a request that came, without secrets.
type Request struct {
	Method    string        `json:"method"`
	Path      string        `json:"path"` // without query
	GrantType string        `json:"grant_type,omitempty"`
	Status    int           `json:"status"` // 0 if no response was sent yet, or the connection was cut
	Cut       bool          `json:"cut,omitempty"`
	Time      time.Time     `json:"time"`    // when it came
	Took      time.Duration `json:"took_ns"` // until the response was sent or the connection cut
}

// record holds the last requests, the oldest first, and counts all.
type record struct {
	last   []Request
	gone   int // how many requests were dropped from last
	counts map[string]int
}

// Requests returns the last requests, the oldest first, at most 1,000, without
// those to /_offline/.
func (a *Asana) Requests() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.record.last)
}

// CountRequests returns how many requests with a path or grant type came since
// the start or Reset, including those that got no response. Examples:
// CountRequests("refresh_token"), CountRequests("/-/oauth_revoke").
func (a *Asana) CountRequests(what string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.record.counts[what]
}

// knownGrant returns s if it is a grant type, else "other": it could be a
// secret, and the record must not have secrets.
func knownGrant(s string) string {
	if s == "" || s == "authorization_code" || s == "refresh_token" {
		return s
	}
	return "other"
}

// add appends a request and returns its number, which at takes.
func (rec *record) add(req Request) (seq int) {
	if rec.counts == nil {
		rec.counts = map[string]int{}
	}
	if len(rec.counts) < 10*keptRequests { // clients can send any path
		rec.counts[req.Path]++
		if req.GrantType != "" {
			rec.counts[req.GrantType]++
		}
	}
	if len(rec.last) == keptRequests {
		half := keptRequests / 2 // dropping half at a time costs little
		rec.last = append(rec.last[:0:0], rec.last[half:]...)
		rec.gone += half
	}
	rec.last = append(rec.last, req)
	return rec.gone + len(rec.last) - 1
}

// at returns the request with a number, or nil if it is no longer held.
func (rec *record) at(seq int) *Request {
	i := seq - rec.gone
	if i < 0 || i >= len(rec.last) {
		return nil
	}
	return &rec.last[i]
}

// ServeHTTP serves one request. If a fault cuts the connection, it panics with
// [http.ErrAbortHandler], for net/http to close it.
func (a *Asana) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.gate.ServeHTTP(w, r) }

const maxBody = 64 << 10

// gate lets requests in: it records them, applies faults, has them served one
// at a time and saves what they changed.
type gate struct {
	mu     *sync.Mutex // of Asana
	mux    *http.ServeMux
	memory *memory
	faults *faults
	record *record
	now    func() time.Time
	sleep  func(context.Context, time.Duration) error
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if r.URL.Path == "/_offline" || strings.HasPrefix(r.URL.Path, "/_offline/") {
		// The controls lock themselves, and faults do not apply to them.
		g.mux.ServeHTTP(w, r)
		return
	}
	// The body is read now, so that a slow one does not hold the lock. A body
	// that cannot be read or parsed is treated as empty.
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ParseForm()
	r.Body = io.NopCloser(bytes.NewReader(body))
	seq, f := g.arrive(r)
	answer, sent := g.respond(r, f)
	g.leave(seq, answer.status, sent)
	if !sent {
		panic(http.ErrAbortHandler)
	}
	answer.writeTo(w)
}

// respond serves a request and applies the fault. It returns false if the
// connection must be cut.
func (g *gate) respond(r *http.Request, f Fault) (buffer, bool) {
	if f.Before != nil {
		f.Before(r)
	}
	if f.Delay > 0 && g.sleep(r.Context(), f.Delay) != nil || f.Cut {
		return buffer{}, false
	}
	var b buffer
	if f.Apply || !f.responds() {
		b = g.handle(r)
	}
	if f.responds() {
		b = f.buffer()
	}
	if f.AnswerDelay > 0 && g.sleep(r.Context(), f.AnswerDelay) != nil || f.CutAfterApply {
		return b, false
	}
	return b, true
}

// handle serves a request with the mutex locked, and saves what it changed
// before the response is sent.
func (g *gate) handle(r *http.Request) buffer {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := buffer{header: http.Header{}}
	g.mux.ServeHTTP(&b, r)
	if g.memory.dirty {
		if err := g.memory.save(); err != nil {
			b = buffer{header: http.Header{}}
			http.Error(&b, "offline Asana cannot write its state file", http.StatusInternalServerError)
		}
	}
	return b
}

// arrive records a request and returns the fault that it meets.
func (g *gate) arrive(r *http.Request) (seq int, f Fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	req := Request{Method: r.Method, Path: r.URL.Path, Time: g.now()}
	if r.URL.Path == "/-/oauth_token" {
		req.GrantType = knownGrant(r.PostForm.Get("grant_type"))
	}
	f, ok := g.faults.take(req.Path, req.GrantType)
	if !ok {
		f = g.memory.Switches.fault(req.Path)
	}
	return g.record.add(req), f
}

// leave records how a request ended.
func (g *gate) leave(seq, status int, sent bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	req := g.record.at(seq)
	if req == nil {
		return
	}
	req.Took = g.now().Sub(req.Time)
	if req.Cut = !sent; sent {
		req.Status = max(status, 200)
	}
}
