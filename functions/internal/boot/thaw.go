package boot

import (
	"net/http"
	"sync"
	"time"
)

// thawAfter is how long a connection is trusted across a pause. Middle boxes drop
// silent ones after minutes, but a sandbox that is frozen cannot even notice that
// the other side has closed.
const thawAfter = 10 * time.Second

// Thaw returns next behind a look at the clock: when more than ten seconds have
// passed since the last invocation ended (or since Thaw was called, as that is
// when warm-up has dialled), idle connections of the transports are dropped
// before next runs. now nil means time.Now; only its wall clock is used, since
// the monotonic one may stand still in a frozen sandbox. Safe for concurrent use.
func Thaw(next http.Handler, now func() time.Time, transports ...*http.Transport) http.Handler {
	if now == nil {
		now = time.Now
	}
	return &thaw{next: next, now: now, transports: transports, last: now().Round(0)}
}

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

// stale is true as well where the clock was set back, since nothing is known then.
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
