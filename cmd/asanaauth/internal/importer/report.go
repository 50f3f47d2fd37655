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

// status is the result of a line.
type status string

const (
	imported    status = "imported"
	already     status = "already"      // the same credential was imported before
	rejected    status = "rejected"     // a retry gives the same result unless the line or the deployment changes
	failed      status = "failed"       // a retry may succeed
	wouldImport status = "would-import" // a dry run found no error
)

// entry is a line of the report. No field can hold a token.
type entry struct {
	Line         int64               `json:"line"`
	Status       status              `json:"status"`
	Connection   string              `json:"connection,omitempty"`
	AttributedTo *attribution        `json:"attributed_to,omitempty"`
	Type         asanaauth.ErrorKind `json:"type,omitempty"`
	Reason       string              `json:"reason,omitempty"`
}

// attribution is the Asana user as whom the connection acts.
type attribution struct {
	GID  string `json:"gid"`
	Name string `json:"name,omitempty"`
}

// done returns the entry of a line that was imported, now or before.
func done(number int64, s status, d asanaauth.Details) entry {
	e := entry{Line: number, Status: s, Connection: d.ID}
	if d.AttributedTo.GID != "" {
		e.AttributedTo = &attribution{d.AttributedTo.GID, d.AttributedTo.Name.Reveal()}
	}
	return e
}

// undone returns the entry of a line that was not imported. It contains only the public
// part of err.
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

// report writes entries and counts them. It is safe for concurrent use.
type report struct {
	out   io.Writer
	begun time.Time

	mu     sync.Mutex
	counts map[status]int
	err    error // the first error of writing to out
}

func newReport(out io.Writer) *report {
	return &report{out: out, begun: time.Now(), counts: map[status]int{}}
}

// add writes an entry. If this or an earlier write failed, it returns the first error.
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

// String returns the counts of the lines so far, by status, and the rate.
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
	return fmt.Sprintf("%d lines%s; %.1f per second", all, text, rate)
}

// bad returns the number of lines that were not imported.
func (r *report) bad() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[rejected] + r.counts[failed]
}
