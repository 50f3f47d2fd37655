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

// A request takes up to 25 seconds if it waits for a refresh of another request. Both
// timeouts leave time for that.
const (
	writeTimeout    = 40 * time.Second
	shutdownTimeout = 28 * time.Second
)

// servers are the HTTP servers of the process.
type servers struct {
	log      *slog.Logger
	asanaURL string
	all      []*server
	// waitRefreshes waits for refreshes that continue after their requests ended.
	waitRefreshes func(context.Context) error
}

// server is an HTTP server with its listeners.
type server struct {
	http.Server
	listeners []net.Listener
	fresh     freshConns
}

// add adds a server. The servers shut down in reverse order.
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

// run serves until ctx is canceled or a listener fails, and then shuts down. It calls
// ready when the servers are started.
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
		s.log.Info("shutting down; send another signal to exit immediately")
	case err = <-failed:
		running--
	}
	err = errors.Join(err, s.shutdown())
	for range running {
		if serveErr := <-failed; !errors.Is(serveErr, http.ErrServerClosed) {
			err = errors.Join(err, serveErr)
		}
	}
	return err
}

// shutdown finishes the requests in progress. It shuts down the service before offline
// Asana, because those requests may need Asana.
func (s *servers) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var err error
	for i := len(s.all) - 1; i >= 0; i-- {
		s.all[i].fresh.close()
		if shutErr := s.all[i].Shutdown(ctx); shutErr != nil {
			err = errors.Join(err, shutErr, s.all[i].Close())
		}
		// Refreshes in progress need offline Asana, which is next.
		err = errors.Join(err, s.waitRefreshes(ctx))
	}
	return err
}

// freshConns are the connections without any request so far. Browsers open some in
// advance, and Shutdown would wait several seconds for each.
type freshConns struct {
	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
}

// watch is the ConnState function of a server.
func (f *freshConns) watch(c net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(f.open, c)
	case f.closed:
		c.Close()
	default:
		if f.open == nil {
			f.open = map[net.Conn]bool{}
		}
		f.open[c] = true
	}
}

// close closes these connections and all later ones.
func (f *freshConns) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for c := range f.open {
		c.Close()
	}
}
