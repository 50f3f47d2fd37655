// Package importer implements the command "asanaauth import", which imports a file of
// Asana credentials into a deployment.
//
// The command stores no progress. [connection.Connections.Import] recognizes a credential
// that has already been imported. Therefore users can import the same file again after a
// failure.
package importer

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
)

const (
	progressEvery = 2 * time.Second
	othersBits    = 0o077 // permissions of users other than the file's owner
)

// Run imports each line of the file. For each line, Run prints a report entry to stdout.
// lookup returns environment variables, like [os.LookupEnv]. If a line could not be
// imported, Run returns an error after the last line. When ctx is canceled, Run finishes
// the lines in progress and does not start other lines.
func (c Command) Run(ctx context.Context, lookup func(string) (string, bool), stdin io.Reader, stdout, stderr io.Writer) error {
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	in, err := c.open(ctx, stdin, log)
	if err != nil {
		return err
	}
	defer in.Close()
	d, err := c.where.Open(ctx, lookup, log, true)
	if err != nil {
		return err
	}
	defer d.Close()
	r := newRun(c.one(d.Connections), c.parallel, newReport(stdout))
	r.dryRun, r.advice, r.file = c.dryRun, d.Advice, c.fileName()
	if isTerminal(stderr) {
		stop := r.report.showProgress(stderr)
		defer stop()
		return r.importAll(ctx, in)
	}
	err = r.importAll(ctx, in)
	log.LogAttrs(ctx, slog.LevelInfo, "import ended", r.report.attrs()...)
	return err
}

// isTerminal reports whether w is a device such as a terminal. /dev/null is such a device,
// too, and ignores what is written to it.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// tokenLike matches names that may be a token.
var tokenLike = regexp.MustCompile(`:|[A-Za-z0-9_-]{32}`)

// fileName returns the name of the file for messages. If the name may be a token, which a
// user typed by mistake, fileName returns FILE.
func (c Command) fileName() string {
	switch {
	case c.file == "-":
		return "standard input"
	case tokenLike.MatchString(filepath.Base(c.file)):
		return "FILE"
	}
	return strconv.Quote(c.file)
}

func (c Command) open(ctx context.Context, stdin io.Reader, log *slog.Logger) (io.ReadCloser, error) {
	if c.file == "-" {
		return io.NopCloser(stdin), nil
	}
	f, err := os.Open(c.file)
	var at *fs.PathError
	if errors.As(err, &at) {
		return nil, fmt.Errorf("opening %s: %w: check its path and permissions", c.fileName(), at.Err)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil || info.IsDir():
		f.Close()
		return nil, fmt.Errorf("%s is a directory or cannot be read: name a file", c.fileName())
	case info.Mode().Perm()&othersBits != 0 && runtime.GOOS != "windows":
		log.WarnContext(ctx, "other users of this machine can access the file and its tokens: run chmod 600 on it",
			"file", c.fileName(), "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
	}
	return f, nil
}

// one returns a function that imports a line. If -dry-run is set, the function only
// checks the line.
func (c Command) one(conns *connection.Connections) func(context.Context, line) (entry, error) {
	return func(ctx context.Context, l line) (entry, error) {
		if c.dryRun {
			known, err := conns.CheckImport(ctx, l.request)
			if known {
				return entry{Line: l.number, Status: already}, err
			}
			return entry{Line: l.number, Status: wouldImport}, err
		}
		got, err := conns.Import(ctx, l.request)
		if got.Already {
			return importedEntry(l.number, already, got.Details), err
		}
		return importedEntry(l.number, imported, got.Details), err
	}
}

// showProgress prints the report's counts to a terminal every two seconds, in place of the
// previous counts. The function stop ends this, and prints the counts one last time.
func (r *report) showProgress(terminal io.Writer) (stop func()) {
	const clearLine = "\r\x1b[K"
	ticker, ended := time.NewTicker(progressEvery), make(chan struct{})
	var printing sync.WaitGroup
	printing.Go(func() {
		for {
			select {
			case <-ticker.C:
				fmt.Fprint(terminal, clearLine, r)
			case <-ended:
				return
			}
		}
	})
	return func() {
		ticker.Stop()
		close(ended)
		printing.Wait()
		fmt.Fprintln(terminal, clearLine+r.String())
	}
}

type run struct {
	one     func(context.Context, line) (entry, error)
	workers int
	report  *report
	dryRun  bool
	file    string             // name of the file, for errors
	advice  func(error) string // see [deployment.Deployment.Advice]
	// tokens contains a semaphore for each value of the first byte of a refresh token's
	// hash. While a worker imports a refresh token, the worker holds the semaphore for
	// the token's hash.
	tokens [256]chan struct{}
}

func newRun(one func(context.Context, line) (entry, error), workers int, report *report) *run {
	r := &run{one: one, workers: workers, report: report, file: "FILE", advice: func(error) string { return "" }}
	for i := range r.tokens {
		r.tokens[i] = make(chan struct{}, 1)
	}
	return r
}

// importAll imports the lines of in with several workers. The lines of one owner go to
// the same worker, in the order of the file, because a later line may replace the
// connection of an earlier line.
func (r *run) importAll(outer context.Context, in io.Reader) error {
	ctx, stop := context.WithCancelCause(outer)
	defer stop(nil)
	queues := make([]chan line, r.workers)
	var workers sync.WaitGroup
	for i := range queues {
		queues[i] = make(chan line)
		workers.Go(func() {
			for l := range queues[i] {
				if err := r.importLine(ctx, l); err != nil {
					stop(err)
				}
			}
		})
	}
	err := r.feed(ctx, in, queues)
	for _, q := range queues {
		close(q)
	}
	workers.Wait()
	switch n := r.report.failures(); {
	case outer.Err() != nil:
		return fmt.Errorf("interrupted before the end of %s: run the command again to continue", r.file)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("reading %s: %w", r.file, err)
	case n > 0:
		return errors.New(r.failureText(n))
	}
	return nil
}

func (r *run) failureText(n int) string {
	lines, happened := "lines", "were not imported"
	if n == 1 {
		lines, happened = "line", "was not imported"
	}
	if r.dryRun {
		happened = "would not be imported"
	}
	return fmt.Sprintf(`%d %s %s: see "type" and "reason" in the report`, n, lines, happened)
}

// feed reads the lines of in and sends them to the queues. When ctx is canceled, feed
// returns even if a read, for example from a terminal, is blocked.
func (r *run) feed(ctx context.Context, in io.Reader, queues []chan line) error {
	read := make(chan line)
	var err error
	go func() {
		defer close(read)
		for l := range lines(in, &err) {
			select {
			case read <- l:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case l, ok := <-read:
			if !ok {
				return err
			}
			select {
			case queues[worker(l.request.Owner, len(queues))] <- l:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

func worker(owner string, workers int) int {
	h := fnv.New32a()
	io.WriteString(h, owner)
	return int(h.Sum32() % uint32(workers))
}
