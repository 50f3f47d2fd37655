package boot

import (
	"net/http"
	"sync"
	"time"
)

// thawAfter is the longest pause between invocations after which idle connections are still
// used. A frozen sandbox does not notice that a connection was closed.
const thawAfter = 10 * time.Second

// DropStaleConns returns a handler that closes idle connections of the transports before it
// calls next, if more than ten seconds have passed since the last invocation ended. Before
// the first invocation, they count from the call of DropStaleConns, so call it after Warm.
//
// If now is nil, it is time.Now. Only its wall clock is used, because the monotonic clock
// may stop while a sandbox is frozen. The handler is safe for concurrent use.
func DropStaleConns(next http.Handler, now func() time.Time, transports ...*http.Transport) http.Handler {
	if now == nil {
		now = time.Now
	}
	return &thaw{next: next, now: now, transports: transports, last: now().Round(0)}
}

// thaw is the handler of DropStaleConns.
type thaw struct {
	next       http.Handler
	now        func() time.Time
	transports []*http.Transport

	mu   sync.Mutex
	last time.Time // end of the last invocation
}

func (t *thaw) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if t.stale() {
		for _, tr := range t.transports {
			tr.CloseIdleConnections()
		}
	}
	defer t.ended()
	t.next.ServeHTTP(w, r)
}

// stale reports whether idle connections must be closed. It also returns true if the clock
// was set back, because the length of the pause is then unknown.
func (t *thaw) stale() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	pause := t.now().Round(0).Sub(t.last)
	return pause > thawAfter || pause < 0
}

func (t *thaw) ended() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = t.now().Round(0)
}
