package refresher_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// sim is the simulated world of one run: the table, offline Asana, the processes, and the
// history of all tokens.
type sim struct {
	t        *testing.T
	seed     uint64
	inst     *authtest.Installation
	random   *random
	chances  chances
	lifetime time.Duration // the lifetime of access tokens
	rotates  bool
	ring     *seal.Ring

	mu        sync.Mutex // guards the fields below, the table and offline Asana
	faultless bool       // whether operations have no faults at the moment
	writes    int        // the number of writes of hot rows so far
	calls     uint64
	processes []*simProcess
	sessions  []simSession
	access    map[string]*accessToken
	refresh   map[string]*refreshToken
	ended     map[string]int           // the number of the write that ended an epoch, by epoch
	leases    map[string]time.Duration // how much the holder's clock is ahead, by lease
	conns     map[string]*simConn
	revoked   []string // the families of refresh tokens whose revocation was reported
	opened    map[sealedField]string
	count     map[string]int
	failures  int
}

type simSession struct {
	cookie     secret.String
	gid, epoch string
}

type accessToken struct {
	gid      string
	from     string // the refresh token in the request; empty if the token was issued for a code
	saved    bool
	removed  int       // the number of the write that removed the token from the row
	reported int       // the number of the write that marked the token as refused
	active   time.Time // when Asana last said that the token is active
}

type refreshToken struct {
	gid      string
	family   string     // the first refresh token of the same consent
	from     string     // the refresh token that this one replaced
	rotated  bool       // whether Asana has replaced the token
	ended    bool       // whether the token was revoked, or the person deauthorized the app
	lost     string     // why the token's replacement may be lost; empty if it cannot be lost
	requests []*simCall // calls with a request in progress that contains the token
}

// The reasons why a new token may be lost.
const (
	causeDied    = "process died"
	causeLost    = "response lost"
	causeUnsaved = "save failed"
	causeStalled = "stalled"
	causeReused  = "ended because an older token was used again"
)

type simConn struct {
	leases, requests, saves int
	consent                 int        // the number of the write that saved the last consent
	checked                 time.Time  // when a call last announced an introspection in the row
	losses                  []*simCall // calls that marked the connection as broken because a token was lost
	alarms                  int        // how many alarms reported a lost token
}

// simCall records what the invariants need to know about one call. It is a value of the
// call's context.
type simCall struct {
	p         *simProcess
	id        uint64
	random    *random
	reached   int    // the number of writes before the call's last read of a hot row
	seen      int    // like reached, but only for reads whose response the call received
	carried   string // the refresh token in the last request whose response the call received
	stalled   bool
	disturbed bool            // whether an operation on the table failed or stalled
	leased    *store.Hot      // the row that contains the lease which the call took
	rejected  map[string]bool // refresh tokens that Asana rejected
	revoked   map[string]bool // refresh tokens that Asana revoked
	refused   map[string]bool // refresh tokens that Asana refused to revoke
	checks    int             // introspections that the call has announced in the row, but not sent
	said      map[string]bool // whether Asana said to this call that an access token is active
	erased    string
}

type callKey struct{}

func callOf(ctx context.Context) *simCall {
	c, _ := ctx.Value(callKey{}).(*simCall)
	return c
}

func newSim(t *testing.T, seed uint64) *sim {
	r := newRandom(seed, 0)
	s := &sim{
		t: t, seed: seed, inst: authtest.New(t), random: r, chances: drawChances(r), faultless: true,
		access: map[string]*accessToken{}, refresh: map[string]*refreshToken{}, ended: map[string]int{},
		leases: map[string]time.Duration{}, conns: map[string]*simConn{}, opened: map[sealedField]string{}, count: map[string]int{},
	}
	s.lifetime = []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}[r.intN(4)]
	s.rotates = r.happens(0.5)
	s.inst.Switches(func(w *asanatest.Switches) {
		w.AccessTokenSeconds = int(s.lifetime.Seconds())
		w.RotateRefreshTokens = s.rotates
		w.ReuseRevokes = r.happens(0.3)
		w.RevokeWholeGrant = r.happens(0.5)
		w.RefreshEndsOldAccess = r.happens(0.3)
		w.RefreshTokenOnRefresh = []string{"absent", "same"}[r.intN(2)]
	})
	s.trace("lifetime %v, rotates %v, %+v", s.lifetime, s.rotates, s.chances)
	for range 2 + r.intN(3) {
		s.process()
	}
	ring, err := s.processes[0].Keys.Ring(s.call(t.Context(), s.processes[0]))
	if err != nil {
		t.Fatal(err)
	}
	s.ring = ring
	return s
}

func (s *sim) trace(format string, args ...any) {
	if *simTrace {
		s.t.Logf("%s %s", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
	}
}

func (s *sim) violation(format string, args ...any) {
	s.t.Helper()
	s.trace("VIOLATION: "+format, args...)
	if s.failures++; s.failures <= 5 {
		s.t.Errorf("seed %d: "+format, append([]any{s.seed}, args...)...)
	}
}

func (s *sim) tally(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[what]++
}

func (s *sim) conn(id string) *simConn {
	if s.conns[id] == nil {
		s.conns[id] = &simConn{}
	}
	return s.conns[id]
}

func connectionID(gid string) string {
	return store.ConnectionID(store.HashText(row.SignInOwner(gid)), gid, string(asanaauth.OAuth))
}

func (s *sim) hotOf(gid string) *store.Hot { return s.hot(connectionID(gid)) }

func (s *sim) hot(id string) *store.Hot {
	key := store.HotKey(id)
	rows, err := s.inst.Rows.Read(context.Background(), key)
	if err != nil {
		s.violation("reading: %v", err)
	}
	return row.Get[*store.Hot](rows, key)
}

// faults returns the probabilities of faults. The second result is false at the beginning
// and at the end of a run, when no faults may happen.
func (s *sim) faults() (chances, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chances, !s.faultless
}

// stall suspends a call for 2 to 22 seconds. A lease lasts 12 seconds, so it can end in
// this time.
func (s *sim) stall(c *simCall) {
	s.mu.Lock()
	c.stalled = true
	s.mu.Unlock()
	s.disturb(c, causeStalled)
	time.Sleep(c.random.between(2*time.Second, 22*time.Second))
}

// disturb records that the call may be unable to save the tokens that Asana returned to
// it.
func (s *sim) disturb(c *simCall, cause string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.disturbed = true
	if c.carried != "" {
		s.mayBeLost(c.carried, cause)
	}
}

// mayBeLost records that the token with which Asana replaces the token refresh may be
// lost.
func (s *sim) mayBeLost(refresh, cause string) {
	if r := s.refresh[refresh]; r != nil && r.lost == "" {
		r.lost = cause
	}
	s.count[cause]++
}
