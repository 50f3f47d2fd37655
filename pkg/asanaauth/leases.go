package asanaauth

import (
	"sync"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// leaseWatch is what this process has seen of others' leases. The zero value
// has seen none. Safe for concurrent use.
type leaseWatch struct {
	mu   sync.Mutex
	seen map[string]seenLease // by connection
}

type seenLease struct {
	name  string
	since time.Time
}

// leasesSeen bounds what a long-lived process remembers.
const leasesSeen = 10_000

// left is the time for which somebody else may be at work under the row's
// lease, zero or less where nobody is. A lease is dead when its end is over by
// more than the clocks may differ, or when this process has itself seen it for
// the whole of that time, whatever clock wrote the end.
func (l *leaseWatch) left(hot *store.Hot, now time.Time) time.Duration {
	if hot.Lease == "" {
		return 0
	}
	seen := l.note(hot, now)
	return min(hot.LeaseEnd.Add(clockSkew).Sub(now), leaseWatched-now.Sub(seen.since))
}

func (l *leaseWatch) note(hot *store.Hot, now time.Time) seenLease {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen, ok := l.seen[hot.Connection]
	if ok && seen.name == hot.Lease {
		return seen
	}
	if l.seen == nil || len(l.seen) >= leasesSeen {
		l.seen = map[string]seenLease{}
	}
	seen = seenLease{hot.Lease, now}
	l.seen[hot.Connection] = seen
	return seen
}
