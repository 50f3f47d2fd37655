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

// request is which memberships to return.
type request struct {
	workspace string        // a gid; empty: all
	user      string        // a gid
	maxAge    time.Duration // of a cached response; 0: ask Asana
}

// cacheKey names the user who was asked about, and the token that was used. A response for
// one consent or reader is not used for another consent or reader.
type cacheKey struct {
	connection consentKey
	reader     consentKey // zero: the connection's own token
	user       string
}

// consentKey identifies one consent of a connection.
type consentKey struct {
	id, epoch  string
	generation int64
}

func consentOf(c *connection.Connection) consentKey {
	o := row.Unwrap(c)
	return consentKey{c.ID(), o.Hot.Epoch, o.Hot.Generation}
}

// cache keeps Asana's responses, and when its rate limits end. The zero value is empty. It
// is safe for concurrent use.
type cache struct {
	mu     sync.Mutex
	kept   map[cacheKey]cachedList
	limits map[string]time.Time // by connection: when its token's rate limit ends
}

type cachedList struct {
	list []Membership
	at   time.Time
}

// get returns a copy of the entry for key if it is younger than maxAge. It does not return
// an entry from the future, which exists if the clock was set back.
func (c *cache) get(key cacheKey, now time.Time, maxAge time.Duration) ([]Membership, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, ok := c.kept[key]
	if age := now.Sub(kept.at); !ok || age < 0 || age >= maxAge {
		return nil, false
	}
	return slices.Clone(kept.list), true
}

func (c *cache) put(key cacheKey, list []Membership, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= cacheSize {
		c.kept = map[cacheKey]cachedList{}
	}
	c.kept[key] = cachedList{list, now}
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

// noteLimit records when the rate limit of the connection's token ends, if err is about a
// rate limit.
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

// isRateLimited reports whether err is TryAgain because of Asana's rate limit.
func isRateLimited(err error) bool {
	return asanaauth.KindOf(err) == asanaauth.TryAgain &&
		(requests.IsStatus(err, http.StatusTooManyRequests) || errors.Is(err, errRateLimited))
}

// cached returns a copy of the entry for key if it is younger than maxAge. Otherwise it
// calls fetch with the connection's token and keeps the result. It returns TryAgain while
// the token is rate limited.
func (m *Memberships) cached(ctx context.Context, conn *connection.Connection, key cacheKey, maxAge time.Duration, fetch func(context.Context, secret.String) ([]Membership, error)) ([]Membership, error) {
	if list, ok := m.cache.get(key, m.rows.Now(), maxAge); ok {
		return list, nil
	}
	if err := m.cache.checkLimit(conn.ID(), m.rows.Now()); err != nil {
		return nil, err
	}
	list, err := accesstoken.Use(ctx, m.source, conn, fetch)
	if err = requests.RateLimited(err); err != nil {
		m.cache.noteLimit(conn.ID(), m.rows.Now(), err)
		return nil, err
	}
	m.cache.put(key, list, m.rows.Now())
	return slices.Clone(list), nil
}
