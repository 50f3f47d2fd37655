package boot

import (
	"net/http"
	"sync"
	"time"
)

// If the pause between two invocations is longer than maxPause, idle network connections
// are closed and not reused. Lambda may freeze the process between invocations. A frozen
// process does not notice that the server has closed a connection.
const maxPause = 10 * time.Second

// DropStaleConns returns a handler that calls next. If more than ten seconds have passed
// since the last invocation ended, the handler first closes the idle network connections
// of the transports. For the first invocation, the ten seconds begin when DropStaleConns
// is called. Therefore call DropStaleConns after [Warm].
//
// now returns the current time; nil means [time.Now]. The handler ignores monotonic clock
// readings, because the monotonic clock may stop while the process is frozen. The handler
// is safe for concurrent use.
func DropStaleConns(next http.Handler, now func() time.Time, transports ...*http.Transport) http.Handler {
	if now == nil {
		now = time.Now
	}
	return &staleConns{next: next, now: now, transports: transports, last: now().Round(0)}
}

type staleConns struct {
	next       http.Handler
	now        func() time.Time
	transports []*http.Transport

	mu   sync.Mutex
	last time.Time // end of the last invocation
}

func (s *staleConns) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.stale() {
		for _, tr := range s.transports {
			tr.CloseIdleConnections()
		}
	}
	defer s.ended()
	s.next.ServeHTTP(w, r)
}

// stale reports whether the pause since the last invocation was longer than maxPause. If
// the clock was set back, the length of the pause is unknown, and stale returns true.
func (s *staleConns) stale() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := s.now().Round(0).Sub(s.last)
	return pause > maxPause || pause < 0
}

func (s *staleConns) ended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = s.now().Round(0)
}
