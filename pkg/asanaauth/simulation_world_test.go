package asanaauth_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// sim is one run.
type sim struct {
	t       *testing.T
	seed    uint64
	h       *house
	dice    *dice
	chances chances
	life    time.Duration
	rotates bool
	ring    *seal.Ring

	mu        sync.Mutex
	over      bool // no more faults
	seq       int  // of writes of hot rows
	calls     uint64
	processes []*simProcess
	sessions  []simSession
	access    map[string]*accessToken
	refresh   map[string]*refreshToken
	ended     map[string]int           // epochs, by the seq of their end
	leases    map[string]time.Duration // names, by the offset of their holder's clock
	conns     map[string]*simConn
	said      []simDisconnected
	count     map[string]int
	failures  int
}

type simSession struct {
	cookie     secret.String
	gid, epoch string
}

// accessToken is what the simulation knows of one.
type accessToken struct {
	gid     string
	from    string // the refresh token that it came for; empty: a code
	saved   bool
	gone    int // the seq of the write that took it off the row
	refused int // the seq of the write that noted it as refused
}

// refreshToken is what the simulation knows of one.
type refreshToken struct {
	gid     string
	family  string // the first one of the consent
	from    string // that was rotated into this one
	rotated bool
	told    bool   // Asana was told to end it
	hurt    string // by what its successor may be lost; empty: it may not be
	asking  []*simCall
}

// simConn is a connection's part of the run.
type simConn struct {
	leases, requests, saves int
	active                  int // the seq of the last consent
	losses                  []*simCall
	alarms                  int // about a lost token
}

// simDisconnected is what a caller was told about an end.
type simDisconnected struct{ family string }

// simCall is one call of the rules, carried in its context.
type simCall struct {
	p       *simProcess
	id      uint64
	dice    *dice
	looked  int // the seq of the last look at a hot row
	seen    int // the same, of which the rules heard
	carried string
	stalled bool
	hurt    bool       // by a fault of the table
	leased  *store.Hot // the row of which it took the lease
	refused map[string]bool
	revoked map[string]bool
	erased  string
}

type callKey struct{}

func callOf(ctx context.Context) *simCall {
	c, _ := ctx.Value(callKey{}).(*simCall)
	return c
}

func newSim(t *testing.T, seed uint64) *sim {
	d := newDice(seed, 0)
	s := &sim{
		t: t, seed: seed, h: newHouse(t), dice: d, chances: drawChances(d), over: true,
		access: map[string]*accessToken{}, refresh: map[string]*refreshToken{}, ended: map[string]int{},
		leases: map[string]time.Duration{}, conns: map[string]*simConn{}, count: map[string]int{},
	}
	s.life = []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}[d.IntN(4)]
	s.rotates = d.comes(0.5)
	s.h.switches(func(w *asanatest.Switches) {
		w.AccessTokenSeconds = int(s.life.Seconds())
		w.RotateRefreshTokens = s.rotates
		w.ReuseRevokes = d.comes(0.3)
		w.RevokeWholeGrant = d.comes(0.5)
		w.RefreshEndsOldAccess = d.comes(0.3)
		w.RefreshTokenOnRefresh = []string{"absent", "same"}[d.IntN(2)]
	})
	s.trace("life %v, rotates %v, %+v", s.life, s.rotates, s.chances)
	for range 2 + d.IntN(3) {
		s.process()
	}
	ring, err := s.processes[0].keys.Ring(s.call(s.processes[0], t.Context()))
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

// wrong says that an invariant does not hold.
func (s *sim) wrong(format string, args ...any) {
	s.t.Helper()
	s.trace("WRONG: "+format, args...)
	if s.failures++; s.failures <= 5 {
		s.t.Errorf("seed %d: "+format, append([]any{s.seed}, args...)...)
	}
}

func (s *sim) conn(id string) *simConn {
	if s.conns[id] == nil {
		s.conns[id] = &simConn{}
	}
	return s.conns[id]
}

// simProcess is a process with a clock of its own. It may die.
type simProcess struct {
	s     *sim
	name  int
	off   time.Duration
	dead  bool
	keys  *asanaauth.Keys
	login *asanaauth.Login
	conns *asanaauth.Connections
}

// process starts one. Clocks differ by less than the skew of 3 seconds.
func (s *sim) process() *simProcess {
	p := &simProcess{s: s, name: len(s.processes)}
	d := newDice(s.seed, 1<<32+uint64(p.name))
	if d.comes(0.7) {
		p.off = d.between(-1400*time.Millisecond, 1400*time.Millisecond)
	}
	table := simTable{p, &storetest.Faulty{Store: simRows{s}, Hook: p.tableFault}}
	client, err := asana.New(asana.Config{BaseURL: asanaURL, ClientID: clientID, Transport: simWire{p}})
	if err != nil {
		s.t.Fatal(err)
	}
	clock, log := skewed{p.off}, slog.New(simLog{p})
	p.keys = asanaauth.NewKeys(asanaauth.KeysConfig{
		Store: table, Wrapper: s.h.kms, Installation: "house", TTL: 5 * time.Minute, Clock: clock, Rand: d, Log: log,
	})
	parts := asanaauth.Parts{
		Store: table, Asana: client, Keys: p.keys, Secrets: asanaauth.NewSecrets(s.h.secrets, clock), Clock: clock, Rand: d, Log: log,
	}
	if p.login, err = asanaauth.NewLogin(parts, asanaauth.LoginOptions{
		RedirectURI: redirectURI, ReturnURLs: []string{returnURL}, Scopes: "default",
		SessionTTL: 720 * time.Hour, SessionIdleTTL: 168 * time.Hour,
	}); err != nil {
		s.t.Fatal(err)
	}
	if p.conns, err = asanaauth.NewConnections(parts, asanaauth.ConnectionsOptions{Alone: d.comes(0.5)}); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes = append(s.processes, p)
	return p
}

// alive picks a process that is.
func (s *sim) alive(d *dice) *simProcess {
	s.mu.Lock()
	var alive []*simProcess
	for _, p := range s.processes {
		if !p.dead {
			alive = append(alive, p)
		}
	}
	s.mu.Unlock()
	if len(alive) < 2 {
		return s.process()
	}
	return alive[d.IntN(len(alive))]
}

// call begins a call of the rules in a process.
func (s *sim) call(p *simProcess, ctx context.Context) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	c := &simCall{p: p, id: s.calls, dice: newDice(s.seed, 1<<40+s.calls), refused: map[string]bool{}, revoked: map[string]bool{}}
	return context.WithValue(ctx, callKey{}, c)
}

// skewed is a clock that differs from the others. Deadlines of its contexts
// are by this clock, too.
type skewed struct{ off time.Duration }

func (k skewed) Now() time.Time { return time.Now().Add(k.off).Round(0) }

func (k skewed) Sleep(ctx context.Context, d time.Duration) error {
	return asanaauth.SystemClock{}.Sleep(ctx, d)
}

func (k skewed) WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	inner, cancel := context.WithDeadline(shifted{ctx, -k.off}, at.Add(-k.off))
	return shifted{inner, k.off}, cancel
}

// shifted is a context whose deadline is told by another clock.
type shifted struct {
	context.Context
	by time.Duration
}

func (c shifted) Deadline() (time.Time, bool) {
	at, ok := c.Context.Deadline()
	return at.Add(c.by), ok
}

// simLog counts the alarms of processes that live to raise them.
type simLog struct{ p *simProcess }

func (l simLog) Enabled(context.Context, slog.Level) bool { return true }
func (l simLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l simLog) WithGroup(string) slog.Handler            { return l }

func (l simLog) Handle(_ context.Context, r slog.Record) error {
	said := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		said[a.Key] = a.Value.String()
		return true
	})
	s := l.p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace("process %d: %s %v", l.p.name, r.Message, said)
	if l.p.dead {
		return nil
	}
	switch said["alarm"] {
	case "rotated_token_lost", "rotated_token_unsaved":
		s.conn(said["connection"]).alarms++
	case "unseal_failed", "wrong_client_id", "kms_denied":
		s.wrong("alarm %s: %s", said["alarm"], said["err"])
	}
	return nil
}

// The table's door.
