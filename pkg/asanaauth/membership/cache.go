package membership

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/accesstoken"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	cacheTTL  = 5 * time.Minute
	cacheSize = 1000 // responses
)

type request struct {
	workspace string        // a gid; empty: all workspaces
	user      string        // a gid
	maxAge    time.Duration // the maximum age of a cached response; 0: do not use the cache
}

// cacheKey is the key of a cached response. It contains the user whose memberships are in
// the response, and the epochs and generations of the connection and of the reader. A new
// consent or a new import changes the key, so earlier responses are not used.
type cacheKey struct {
	connection consentKey
	reader     consentKey // zero if the connection's own token was used
	user       string
}

type consentKey struct {
	id, epoch  string
	generation int64
}

func consentOf(c *connection.Connection) consentKey {
	o := row.Unwrap(c)
	return consentKey{c.ID(), o.Hot.Epoch, o.Hot.Generation}
}

// cache stores Asana's responses in memory, and the times when Asana's rate limits end.
// The zero value is empty. A cache is safe for concurrent use.
type cache struct {
	mu     sync.Mutex
	lists  map[cacheKey]cachedList
	limits map[string]time.Time // by connection: when its token's rate limit ends
}

type cachedList struct {
	list []Membership
	at   time.Time
}

// get returns a copy of the entry for key if the entry is younger than maxAge. It ignores
// an entry whose time is in the future. Such an entry exists if the clock was set back.
func (c *cache) get(key cacheKey, now time.Time, maxAge time.Duration) ([]Membership, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached, ok := c.lists[key]
	if age := now.Sub(cached.at); !ok || age < 0 || age >= maxAge {
		return nil, false
	}
	return slices.Clone(cached.list), true
}

func (c *cache) put(key cacheKey, list []Membership, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lists == nil || len(c.lists) >= cacheSize {
		c.lists = map[cacheKey]cachedList{}
	}
	c.lists[key] = cachedList{list, now}
}

// checkLimit returns TryAgain while the connection's token is rate limited.
func (c *cache) checkLimit(connection string, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if left := row.Until(c.limits[connection], now, row.RetryAfterMax); left > 0 {
		return row.TryAgain(left, errRateLimited)
	}
	return nil
}

// noteLimit records when the rate limit for the connection's token ends. noteLimit
// ignores an err that is not a rate-limit error.
func (c *cache) noteLimit(connection string, now time.Time, err error) {
	var e *asanaauth.Error
	if !isRateLimited(err) || !errors.As(err, &e) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.limits == nil || len(c.limits) >= cacheSize {
		c.limits = map[string]time.Time{}
	}
	c.limits[connection] = now.Add(min(e.RetryAfter, row.RetryAfterMax))
}

var errRateLimited = errors.New("over Asana's rate limit")

func isRateLimited(err error) bool {
	return asanaauth.KindOf(err) == asanaauth.TryAgain &&
		(requests.IsStatus(err, http.StatusTooManyRequests) || errors.Is(err, errRateLimited))
}

// cached returns a copy of the cached entry for key if the entry is younger than maxAge.
// If no such entry exists, cached calls fetch with the connection's token and caches the
// result. If Asana's rate limit for the token has not ended yet, cached returns TryAgain
// and does not call fetch.
func (m *Memberships) cached(ctx context.Context, conn *connection.Connection, key cacheKey, maxAge time.Duration, fetch func(context.Context, secret.String) ([]Membership, error)) ([]Membership, error) {
	if list, ok := m.cache.get(key, m.rows.Now(), maxAge); ok {
		return list, nil
	}
	if err := m.cache.checkLimit(conn.ID(), m.rows.Now()); err != nil {
		return nil, err
	}
	list, err := accesstoken.Use(ctx, m.source, conn, fetch)
	if err != nil {
		m.cache.noteLimit(conn.ID(), m.rows.Now(), err)
		return nil, err
	}
	m.cache.put(key, list, m.rows.Now())
	return slices.Clone(list), nil
}
