package boot

import (
	"net/http"
	"sync"
	"time"
)

// maxPause is the longest pause between invocations after which idle connections are
// reused. Lambda may freeze a sandbox between invocations, and a frozen process does not
// notice that the other side has closed a connection.
const maxPause = 10 * time.Second

// DropStaleConns returns a handler that calls next. If more than ten seconds have passed
// since the end of the last invocation, it first closes the idle connections of the
// transports. The first pause begins when DropStaleConns is called, so call it after Warm.
//
// now returns the current time; nil means [time.Now]. The handler uses only the wall clock,
// because the monotonic clock may stop while a sandbox is frozen. The handler is safe for
// concurrent use.
func DropStaleConns(next http.Handler, now func() time.Time, transports ...*http.Transport) http.Handler {
	if now == nil {
		now = time.Now
	}
	return &staleConns{next: next, now: now, transports: transports, last: now().Round(0)}
}

// staleConns is the handler of DropStaleConns.
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

// stale reports whether idle connections must be closed. It returns true too if the clock
// was set back, because then the length of the pause is unknown.
func (s *staleConns) stale() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := s.now().Round(0).Sub(s.last)
	return pause > maxPause || pause < 0
}

// ended records the end of an invocation.
func (s *staleConns) ended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = s.now().Round(0)
}
