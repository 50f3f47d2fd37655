package local

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// A request may take 25 seconds (of a caller that waits for somebody else's
// refresh); what is under way when we are told to end has that time.
const (
	writeTimeout = 40 * time.Second
	endTimeout   = 28 * time.Second
)

// servers serve handlers on listeners.
type servers struct {
	log      *slog.Logger
	asanaURL string
	all      []*server
	settle   func(context.Context) error // what goes on when its requests have gone
}

type server struct {
	http.Server
	listeners []net.Listener
	fresh     freshConns
}

// add has a handler served. Those added first end last.
func (s *servers) add(name string, ls []net.Listener, h http.Handler) {
	added := &server{listeners: ls, Server: http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.With("server", name).Handler(), slog.LevelWarn),
	}}
	added.ConnState = added.fresh.watch
	s.all = append(s.all, added)
}

// run serves until ctx ends or a listener fails, and then lets what is under way
// come to its end.
func (s *servers) run(ctx context.Context, ready func()) error {
	failed := make(chan error)
	running := 0
	for _, server := range s.all {
		for _, l := range server.listeners {
			running++
			go func() { failed <- server.Serve(l) }()
		}
	}
	ready()
	var err error
	select {
	case <-ctx.Done():
		s.log.Info("ending; another signal ends at once")
	case err = <-failed:
		running--
	}
	err = errors.Join(err, s.end())
	for range running {
		if serveErr := <-failed; !errors.Is(serveErr, http.ErrServerClosed) {
			err = errors.Join(err, serveErr)
		}
	}
	return err
}

// end ends the service before Asana, which it still talks to.
func (s *servers) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	var err error
	for i := len(s.all) - 1; i >= 0; i-- {
		s.all[i].fresh.close()
		if shutErr := s.all[i].Shutdown(ctx); shutErr != nil {
			err = errors.Join(err, shutErr, s.all[i].Close())
		}
		// While Asana is still there: a refresh may be under way.
		err = errors.Join(err, s.settle(ctx))
	}
	return err
}

// freshConns are the connections that nothing was sent on yet: browsers open some
// in advance, and Shutdown would wait seconds for each.
type freshConns struct {
	mu     sync.Mutex
	open   map[net.Conn]bool
	ending bool
}

// watch is a server's ConnState.
func (f *freshConns) watch(c net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(f.open, c)
	case f.ending:
		c.Close()
	default:
		if f.open == nil {
			f.open = map[net.Conn]bool{}
		}
		f.open[c] = true
	}
}

// close closes them, and those that come from now on.
func (f *freshConns) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ending = true
	for c := range f.open {
		c.Close()
	}
}
