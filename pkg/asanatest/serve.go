package asanatest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
)

const maxBody = 64 << 10

// ServeHTTP answers one request. Where a fault says so it panics with
// [http.ErrAbortHandler], which net/http turns into a connection that is cut.
func (a *Asana) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if r.URL.Path == "/_offline" || strings.HasPrefix(r.URL.Path, "/_offline/") {
		// A handler of its own: it locks by itself, and no fault reaches it.
		a.mux.ServeHTTP(w, r)
		return
	}
	// The body is read now, so that a slow one does not hold the lock. What
	// cannot be read or parsed counts as absent.
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ParseForm()
	r.Body = io.NopCloser(bytes.NewReader(body))
	seq, f := a.arrive(r)
	answer, sent := a.answer(r, f)
	a.leave(seq, answer.status, sent)
	if !sent {
		panic(http.ErrAbortHandler)
	}
	answer.writeTo(w)
}

// answer serves a request as the fault lets it; false where nothing must be
// sent.
func (a *Asana) answer(r *http.Request, f Fault) (buffer, bool) {
	if f.Before != nil {
		f.Before(r)
	}
	if f.Delay > 0 && a.sleep(r.Context(), f.Delay) != nil || f.Cut {
		return buffer{}, false
	}
	var b buffer
	if f.Apply || !f.answers() {
		b = a.handle(r)
	}
	if f.answers() {
		b = f.buffer()
	}
	if f.AnswerDelay > 0 && a.sleep(r.Context(), f.AnswerDelay) != nil || f.CutAfterApply {
		return b, false
	}
	return b, true
}

// handle serves a request under the lock, and keeps what it changed before
// the answer is sent.
func (a *Asana) handle(r *http.Request) buffer {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := buffer{header: http.Header{}}
	a.mux.ServeHTTP(&b, r)
	if a.dirty {
		if err := a.save(); err != nil {
			b = buffer{header: http.Header{}}
			http.Error(&b, "offline Asana cannot write its state file", http.StatusInternalServerError)
		}
	}
	return b
}

// buffer is an answer that is not sent yet.
type buffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *buffer) Header() http.Header { return b.header }

func (b *buffer) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

func (b *buffer) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

func (b *buffer) writeTo(w http.ResponseWriter) {
	maps.Copy(w.Header(), b.header)
	w.WriteHeader(max(b.status, 200))
	w.Write(b.body.Bytes())
}

// writeJSON answers like Asana's OAuth endpoints.
func writeJSON(w http.ResponseWriter, status int, v any) { writeIndented(w, status, v, "") }

func writeIndented(w http.ResponseWriter, status int, v any, indent string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	enc.Encode(v)
}
