package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

type status string

const (
	imported    status = "imported"
	already     status = "already"      // the credential was imported before
	rejected    status = "rejected"     // a retry fails too, unless the line or the deployment changes
	failed      status = "failed"       // a retry may succeed
	wouldImport status = "would-import" // -dry-run found no error
)

var statuses = []status{imported, wouldImport, already, rejected, failed}

// entry is a line of the report. The report never contains a token.
type entry struct {
	Line         int64               `json:"line"`
	Status       status              `json:"status"`
	Connection   string              `json:"connection,omitempty"`
	AttributedTo *attribution        `json:"attributed_to,omitempty"`
	Type         asanaauth.ErrorKind `json:"type,omitempty"`
	Reason       string              `json:"reason,omitempty"` // with token-rejected, a code; otherwise a sentence
	Detail       string              `json:"detail,omitempty"` // with token-rejected, a sentence
}

// attribution is the Asana user to whom Asana attributes the connection's requests.
type attribution struct {
	GID  string `json:"gid"`
	Name string `json:"name,omitempty"`
}

func importedEntry(number int64, s status, d asanaauth.Details) entry {
	e := entry{Line: number, Status: s, Connection: d.ID}
	if d.AttributedTo.GID != "" {
		e.AttributedTo = &attribution{d.AttributedTo.GID, d.AttributedTo.Name.Reveal()}
	}
	return e
}

// failedEntry returns an entry that contains only the parts of err that users may see.
// advice is empty, or says what the operator must do about err.
func failedEntry(number int64, err error, advice string) entry {
	e := entry{Line: number, Status: failed, Type: asanaauth.KindOf(err), Reason: advice}
	var known *asanaauth.Error
	switch {
	case advice != "":
	case errors.As(err, &known) && known.Reason != "":
		e.Reason, e.Detail = known.Reason, known.Detail
	case known != nil && known.Detail != "":
		e.Reason = known.Detail
	default:
		e.Reason = defaultReason(e.Type)
	}
	switch e.Type {
	case asanaauth.InvalidRequest, asanaauth.TokenRejected, asanaauth.AlreadyConnected, asanaauth.WrongAccount:
		e.Status = rejected
	}
	return e
}

// defaultReason returns the reason to report for an error without a detail.
func defaultReason(kind asanaauth.ErrorKind) string {
	switch kind {
	case asanaauth.TryAgain:
		return "Temporarily unavailable. Run the command again."
	case asanaauth.AsanaUnavailable:
		return "Asana failed, took too long, or sent an invalid response. Run the command again later."
	case asanaauth.AlreadyConnected:
		return `The owner already has an active connection of this Asana user. To replace it, add "replace":true.`
	}
	return ""
}

// report is safe for concurrent use.
type report struct {
	out   io.Writer
	begun time.Time

	mu     sync.Mutex
	counts map[status]int
	err    error // the first error from writing to out
}

func newReport(out io.Writer) *report {
	return &report{out: out, begun: time.Now(), counts: map[status]int{}}
}

// add writes an entry. The result is the first error of all writes so far.
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

// attrs returns the counts, for a log line.
func (r *report) attrs() []slog.Attr {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := 0
	var counts []slog.Attr
	for _, s := range statuses {
		if n := r.counts[s]; n > 0 {
			all += n
			counts = append(counts, slog.Int(string(s), n))
		}
	}
	return append([]slog.Attr{slog.Int("lines", all)}, counts...)
}

// String returns a summary such as "lines: 7, imported: 3, rejected: 4; 2.5 per second".
func (r *report) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := 0
	text := ""
	for _, s := range statuses {
		if n := r.counts[s]; n > 0 {
			all += n
			text += fmt.Sprintf(", %s: %d", s, n)
		}
	}
	rate := float64(all) / max(time.Since(r.begun), time.Millisecond).Seconds()
	return fmt.Sprintf("lines: %d%s; %.1f per second", all, text, rate)
}

func (r *report) failures() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[rejected] + r.counts[failed]
}
