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
	"runtime"
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
	in, err := c.open(stdin, stderr)
	if err != nil {
		return err
	}
	defer in.Close()
	log := slog.New(slog.NewTextHandler(stderr, nil))
	d, err := c.where.Open(ctx, lookup, log, true)
	if err != nil {
		return err
	}
	defer d.Close()
	r := newRun(c.one(d.Connections), c.parallel, newReport(stdout))
	r.dryRun, r.advice = c.dryRun, d.Advice
	stop := r.report.showProgress(stderr)
	err = r.importAll(ctx, in)
	stop()
	return err
}

// open does not repeat the file name in errors, because a user may type a token as the
// file name by mistake.
func (c Command) open(stdin io.Reader, stderr io.Writer) (io.ReadCloser, error) {
	if c.file == "-" {
		return io.NopCloser(stdin), nil
	}
	f, err := os.Open(c.file)
	var at *fs.PathError
	if errors.As(err, &at) {
		return nil, fmt.Errorf("opening FILE: %w: check its path and permissions", at.Err)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil || info.IsDir():
		f.Close()
		return nil, errors.New("FILE is a directory or cannot be read: name a file")
	case info.Mode().Perm()&othersBits != 0 && runtime.GOOS != "windows":
		fmt.Fprintf(stderr, "warning: other users of this machine can access FILE and its tokens (mode %04o): run chmod 600 on it\n", info.Mode().Perm())
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

// showProgress prints the report's counts to stderr every two seconds, until stop is
// called. Then stop prints the counts a last time.
func (r *report) showProgress(stderr io.Writer) (stop func()) {
	ticker, ended := time.NewTicker(progressEvery), make(chan struct{})
	var printing sync.WaitGroup
	printing.Go(func() {
		for {
			select {
			case <-ticker.C:
				fmt.Fprintln(stderr, r)
			case <-ended:
				return
			}
		}
	})
	return func() {
		ticker.Stop()
		close(ended)
		printing.Wait()
		fmt.Fprintln(stderr, r)
	}
}

type run struct {
	one     func(context.Context, line) (entry, error)
	workers int
	report  *report
	dryRun  bool
	advice  func(error) string // see [deployment.Deployment.Advice]
	// tokens contains a semaphore for each value of the first byte of a refresh token's
	// hash. While a worker imports a refresh token, the worker holds the semaphore for
	// the token's hash.
	tokens [256]chan struct{}
}

func newRun(one func(context.Context, line) (entry, error), workers int, report *report) *run {
	r := &run{one: one, workers: workers, report: report, advice: func(error) string { return "" }}
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
		return errors.New("interrupted before the end of FILE: run the command again to continue")
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("reading FILE: %w", err)
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
