// Package importer brings many credentials into a deployment: "asanaauth import".
//
// It keeps no state of its own. What was imported is known by the rules, so the same
// file can be run again until all of it is in.
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
	othersBits    = 0o077
)

// Run imports the file's lines, and prints an entry for each on stdout. An error says
// that not all of them are in. When ctx ends, the lines under way come to their end.
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
	stop := r.report.tell(stderr)
	err = r.all(ctx, in)
	stop()
	return err
}

// open opens the file. Its name is not repeated: people put a token there by mistake.
func (c Command) open(stdin io.Reader, stderr io.Writer) (io.ReadCloser, error) {
	if c.file == "-" {
		return io.NopCloser(stdin), nil
	}
	f, err := os.Open(c.file)
	var at *fs.PathError
	if errors.As(err, &at) {
		return nil, fmt.Errorf("opening FILE: %w", at.Err)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil || info.IsDir():
		f.Close()
		return nil, errors.New("FILE is no file")
	case info.Mode().Perm()&othersBits != 0 && runtime.GOOS != "windows":
		fmt.Fprintf(stderr, "warning: others on this machine may use FILE (mode %04o), and the tokens in it: chmod 600\n", info.Mode().Perm())
	}
	return f, nil
}

// one is what is done with a line.
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
			return done(l.number, already, got.Details), err
		}
		return done(l.number, imported, got.Details), err
	}
}

// tell writes the progress now and then, and at the end.
func (r *report) tell(stderr io.Writer) (stop func()) {
	ticker, ended := time.NewTicker(progressEvery), make(chan struct{})
	var told sync.WaitGroup
	told.Go(func() {
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
		told.Wait()
		fmt.Fprintln(stderr, r)
	}
}

// run is one import of a file.
type run struct {
	one     func(context.Context, line) (entry, error)
	workers int
	report  *report
	tokens  [256]chan struct{} // by a refresh token's hash: it is used once at a time, whoever owns it
}

func newRun(one func(context.Context, line) (entry, error), workers int, report *report) *run {
	r := &run{one: one, workers: workers, report: report}
	for i := range r.tokens {
		r.tokens[i] = make(chan struct{}, 1)
	}
	return r
}

// all brings each line to its worker: one owner's lines have the same one, in the
// file's order, since a later one may replace an earlier.
func (r *run) all(outer context.Context, in io.Reader) error {
	ctx, stop := context.WithCancelCause(outer)
	defer stop(nil)
	queues := make([]chan line, r.workers)
	var workers sync.WaitGroup
	for i := range queues {
		queues[i] = make(chan line)
		workers.Go(func() {
			for l := range queues[i] {
				if err := r.work(ctx, l); err != nil {
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
	switch n := r.report.bad(); {
	case outer.Err() != nil:
		return errors.New("stopped before the end: run it again to go on")
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("reading FILE: %w", err)
	case n > 0:
		return fmt.Errorf("%d lines are not in", n)
	}
	return nil
}

// feed reads until the file or ctx ends. A reader that waits (a terminal's) is left
// behind.
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

func worker(owner string, of int) int {
	h := fnv.New32a()
	io.WriteString(h, owner)
	return int(h.Sum32() % uint32(of))
}
