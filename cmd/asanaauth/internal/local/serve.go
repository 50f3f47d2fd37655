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

// Both timeouts are longer than 25 seconds, because a request may wait up to 25 seconds
// until a concurrent request has refreshed the token.
const (
	writeTimeout    = 40 * time.Second
	shutdownTimeout = 28 * time.Second
)

// maxCookies is the limit for the cookies of a request. All programs on a host share one
// set of cookies, even if their ports differ. Chromium and Firefox store at most 180
// cookies of 4 KiB for a host, which is less than maxCookies. maxHeader is larger, so that
// a request with more cookies gets a clear response.
const (
	maxCookies = 1 << 20
	maxHeader  = 4 << 20
)

type servers struct {
	log      *slog.Logger
	asanaURL string
	all      []*server
	// waitRefreshes waits for refreshes that continue after their requests have ended.
	waitRefreshes func(context.Context) error
}

type server struct {
	http.Server
	listeners []net.Listener
	unused    unusedConns
}

// add adds a server, which shuts down before all servers that were added earlier.
func (s *servers) add(name string, ls []net.Listener, h http.Handler) {
	added := &server{listeners: ls, Server: http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHeader,
		// net/http would respond to "OPTIONS *" without the headers of every response.
		DisableGeneralOptionsHandler: true,

		ErrorLog: slog.NewLogLogger(s.log.With("server", name).Handler(), slog.LevelWarn),
	}}
	added.ConnState = added.unused.watch
	s.all = append(s.all, added)
}

// run starts the servers, and then calls ready. When ctx is canceled or a listener fails,
// run shuts the servers down.
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

// shutdown finishes the requests in progress. The service stops before the offline Asana,
// because requests to the service may need Asana.
func (s *servers) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var err error
	for i := len(s.all) - 1; i >= 0; i-- {
		s.all[i].unused.close()
		if shutErr := s.all[i].Shutdown(ctx); shutErr != nil {
			err = errors.Join(err, shutErr, s.all[i].Close())
		}
		// Refreshes in progress need the offline Asana, so they must end before the
		// server of the offline Asana stops.
		err = errors.Join(err, s.waitRefreshes(ctx))
	}
	return err
}

// unusedConns contains the open TCP connections on which no request has arrived. Browsers
// open such connections in advance. They must be closed before http.Server.Shutdown,
// which would wait several seconds for them.
type unusedConns struct {
	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
}

// watch is the ConnState hook of an http.Server.
func (f *unusedConns) watch(c net.Conn, state http.ConnState) {
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

// close closes the unused TCP connections. Afterwards, watch closes each new TCP
// connection.
func (f *unusedConns) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for c := range f.open {
		c.Close()
	}
}
