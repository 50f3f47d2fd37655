package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// status is what became of a line.
type status string

const (
	imported    status = "imported"
	already     status = "already"      // this very credential was imported before
	rejected    status = "rejected"     // it stays so until the line, or what it meets, is another
	failed      status = "failed"       // running the command again may mend it
	wouldImport status = "would-import" // of a dry run
)

// entry is a line of the report. It has no room for a token.
type entry struct {
	Line         int64               `json:"line"`
	Status       status              `json:"status"`
	Connection   string              `json:"connection,omitempty"`
	AttributedTo *attribution        `json:"attributed_to,omitempty"`
	Type         asanaauth.ErrorKind `json:"type,omitempty"`
	Reason       string              `json:"reason,omitempty"`
}

// attribution is as whom the connection will act at Asana.
type attribution struct {
	GID  string `json:"gid"`
	Name string `json:"name,omitempty"`
}

// done is the entry of a line that is in.
func done(number int64, s status, d asanaauth.Details) entry {
	e := entry{Line: number, Status: s, Connection: d.ID}
	if d.AttributedTo.GID != "" {
		e.AttributedTo = &attribution{d.AttributedTo.GID, d.AttributedTo.Name.Reveal()}
	}
	return e
}

// undone is the entry of a line that is not. Of an error, only what is meant for
// callers is told.
func undone(number int64, err error) entry {
	e := entry{Line: number, Status: failed, Type: asanaauth.KindOf(err)}
	var known *asanaauth.Error
	if errors.As(err, &known) {
		if e.Reason = known.Reason; e.Reason == "" {
			e.Reason = known.Detail
		}
	}
	switch e.Type {
	case asanaauth.InvalidRequest, asanaauth.TokenRejected, asanaauth.AlreadyConnected, asanaauth.WrongAccount:
		e.Status = rejected
	}
	return e
}

// report writes entries, and counts them. Safe for concurrent use.
type report struct {
	out   io.Writer
	begun time.Time

	mu     sync.Mutex
	counts map[status]int
	err    error // of out: what was not reported would be unknown
}

func newReport(out io.Writer) *report {
	return &report{out: out, begun: time.Now(), counts: map[status]int{}}
}

// add writes an entry, and returns the error of the first that could not be.
func (r *report) add(e entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[e.Status]++
	enc := json.NewEncoder(r.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil && r.err == nil {
		r.err = fmt.Errorf("writing the report: %w", err)
	}
	return r.err
}

// String says how far it has come.
func (r *report) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := 0
	text := ""
	for _, s := range []status{imported, wouldImport, already, rejected, failed} {
		if n := r.counts[s]; n > 0 {
			all += n
			text += fmt.Sprintf(", %d %s", n, s)
		}
	}
	rate := float64(all) / max(time.Since(r.begun), time.Millisecond).Seconds()
	return fmt.Sprintf("%d lines%s; %.1f a second", all, text, rate)
}

// bad is how many lines are not in.
func (r *report) bad() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[rejected] + r.counts[failed]
}
