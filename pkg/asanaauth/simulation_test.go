package asanaauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
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

// The simulation plays several processes with several callers over one table
// and one Asana, through the five doors of the rules, with faults drawn from a
// seed. What must always hold is checked at the table's door (moved), at
// Asana's (RoundTrip), at each answer (served) and at the end (settle).
//
// All that is drawn comes from the seed; goroutines that wake in the same
// nanosecond are all that may differ when a seed is run again.

var (
	simSeed  = flag.Uint64("sim.seed", 1, "the first seed of the simulation")
	simRuns  = flag.Int("sim.runs", 400, "how many runs the simulation has, each with the next seed")
	simTrace = flag.Bool("sim.trace", false, "print what happens in each run of the simulation")
)

func TestSimulation(t *testing.T) {
	total := map[string]int{}
	for i := range *simRuns {
		seed := *simSeed + uint64(i)
		bubble(t, func(t *testing.T) { newSim(t, seed).run(total) })
		if t.Failed() {
			t.Fatalf("seed %d: repeat with -run TestSimulation -sim.runs 1 -sim.trace -sim.seed %d", seed, seed)
		}
	}
	t.Logf("%d runs: %v", *simRuns, total)
	if *simRuns < 100 {
		return
	}
	// A simulation in which nothing happens proves nothing.
	for _, what := range []string{
		"asked", "handed out", "refreshed", "broken", "lost", "revoked", "lease taken from a dead one",
		"gone away", "reported refused", "signed in again", "deauthorised", "process died", "answer lost", "save faulted", "stalled",
	} {
		if total[what] == 0 {
			t.Errorf("never in %d runs: %s", *simRuns, what)
		}
	}
}

// chances are those of the faults of a run, for each operation.
type chances struct {
	asanaRefuses, asanaLoses, asanaSlow, asanaStalls    float64
	readFails, writeFails, writeIsLost, tableSlow, dies float64
	tableStalls                                         float64
	goesAway, disconnects, signsIn, deauthorises        float64
}

func (c chances) quiet() bool { return c == chances{} }

// draw picks what kind of trouble a run has. Runs of one kind of trouble are
// what tells which invariant depends on which.
func drawChances(d *dice) chances {
	people := chances{goesAway: 0.1, disconnects: 0.02, signsIn: 0.02, deauthorises: 0.005}
	c := people
	switch d.IntN(14) {
	case 0, 1:
		return chances{}
	case 2:
		c.disconnects, c.signsIn, c.asanaSlow = 0.1, 0.1, 0.4
	case 3, 4:
		c.asanaRefuses = 0.3
		c.deauthorises = 0
	case 5:
		c.asanaRefuses, c.asanaLoses, c.asanaSlow = 0.1, 0.1, 0.1
	case 6:
		c.readFails, c.writeFails, c.writeIsLost, c.tableSlow = 0.03, 0.08, 0.08, 0.1
	case 7, 8:
		c.tableStalls, c.asanaStalls, c.asanaSlow = 0.15, 0.2, 0.4
	case 9:
		c.dies, c.asanaSlow = 0.03, 0.1
	case 10, 11:
		// Holders that wake up while the next one asks.
		return chances{asanaStalls: 0.4, asanaSlow: 0.7}
	default:
		c.asanaRefuses, c.asanaLoses, c.asanaSlow, c.asanaStalls = 0.05, 0.05, 0.05, 0.03
		c.readFails, c.writeFails, c.writeIsLost, c.tableSlow, c.tableStalls, c.dies = 0.02, 0.04, 0.04, 0.03, 0.02, 0.01
	}
	return c
}

// dice is a source of randomness for one call or one process, so that what one
// draws does not depend on when another does. Safe for concurrent use.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(seed, stream uint64) *dice { return &dice{r: rand.New(rand.NewPCG(seed, stream))} }

func (d *dice) IntN(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

func (d *dice) comes(chance float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Float64() < chance
}

func (d *dice) between(low, high time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return low + time.Duration(d.r.Int64N(int64(high-low)))
}

// Read implements [io.Reader], for the rules.
func (d *dice) Read(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range b {
		b[i] = byte(d.r.Uint32())
	}
	return len(b), nil
}

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

// tableFault is called before each operation of a process.
func (p *simProcess) tableFault(ctx context.Context, op storetest.Op) (bool, error) {
	s, c := p.s, callOf(ctx)
	ctxErr := func() error { return errors.Join(store.ErrUnavailable, ctx.Err()) }
	if (skewed{}).Sleep(ctx, c.dice.between(time.Millisecond, 20*time.Millisecond)) != nil {
		s.hurt(c, "save faulted")
		return false, ctxErr()
	}
	write := op.Name == "write"
	ch, ok := s.faults()
	switch {
	case p.isDead():
		s.hurt(c, "process died")
		return false, errAway
	case !ok:
		return true, nil
	case c.dice.comes(ch.dies):
		applied := write && c.dice.comes(0.5)
		p.die()
		s.hurt(c, "process died")
		return applied, errAway
	case write && c.dice.comes(ch.tableStalls):
		s.stall(c)
		return true, nil
	case c.dice.comes(ch.tableSlow):
		if (skewed{}).Sleep(ctx, c.dice.between(100*time.Millisecond, 4*time.Second)) != nil {
			s.hurt(c, "save faulted")
			return write && c.dice.comes(0.5), ctxErr()
		}
	case write && c.dice.comes(ch.writeFails):
		s.hurt(c, "save faulted")
		return false, errAway
	case write && c.dice.comes(ch.writeIsLost):
		s.hurt(c, "save faulted")
		return true, errAway
	case !write && c.dice.comes(ch.readFails):
		return false, errAway
	}
	return true, nil
}

func (s *sim) faults() (chances, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chances, !s.over
}

// stall freezes the call's process's share for longer than anybody waits.
func (s *sim) stall(c *simCall) {
	s.mu.Lock()
	c.stalled = true
	s.mu.Unlock()
	s.hurt(c, "stalled")
	time.Sleep(c.dice.between(2*time.Second, 22*time.Second))
}

// hurt notes that the refresh token whose answer the call carries may not be
// saved.
func (s *sim) hurt(c *simCall, by string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.hurt = true
	if c.carried != "" {
		s.hurtToken(c.carried, by)
	}
}

func (s *sim) hurtToken(token, by string) {
	if r := s.refresh[token]; r != nil && r.hurt == "" {
		r.hurt = by
	}
	s.count[by]++
}

func (p *simProcess) isDead() bool {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.dead
}

func (p *simProcess) die() {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.trace("process %d dies", p.name)
	p.dead = true
}

// simTable is a process's way to the table: it notes what the rules heard.
type simTable struct {
	p *simProcess
	*storetest.Faulty
}

func (f simTable) Read(ctx context.Context, keys ...store.Key) (store.Rows, error) {
	rows, err := f.Faulty.Read(ctx, keys...)
	f.heard(ctx, err)
	return rows, err
}

func (f simTable) Write(ctx context.Context, changes ...store.Change) error {
	err := f.Faulty.Write(ctx, changes...)
	f.heard(ctx, err)
	return err
}

func (f simTable) heard(ctx context.Context, err error) {
	f.p.s.mu.Lock()
	defer f.p.s.mu.Unlock()
	if c := callOf(ctx); err == nil || errors.Is(err, store.ErrConflict) {
		c.seen = max(c.seen, c.looked)
	}
}

// simRows is the table. It looks at each write of a hot row.
type simRows struct{ s *sim }

func (w simRows) Read(ctx context.Context, keys ...store.Key) (store.Rows, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.look(ctx, keys)
	return w.s.h.rows.Read(context.WithoutCancel(ctx), keys...)
}

func (w simRows) look(ctx context.Context, keys []store.Key) {
	if slices.ContainsFunc(keys, isHotKey) {
		callOf(ctx).looked = w.s.seq
	}
}

func isHotKey(k store.Key) bool {
	return strings.HasPrefix(k.PK, "c#") && strings.HasSuffix(k.SK, "#hot")
}

func (w simRows) List(ctx context.Context, pk, cursor string) ([]store.Row, string, error) {
	return w.s.h.rows.List(context.WithoutCancel(ctx), pk, cursor)
}

func (w simRows) Write(ctx context.Context, changes ...store.Change) error {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	ctx = context.WithoutCancel(ctx)
	keys := store.Keys(changes)
	before, err := w.s.h.rows.Read(ctx, keys...)
	if err != nil {
		return err
	}
	err = w.s.h.rows.Write(ctx, changes...)
	after, readErr := w.s.h.rows.Read(ctx, keys...)
	if readErr != nil {
		return readErr
	}
	for _, key := range keys {
		was, _ := before[key].(*store.Hot)
		is, _ := after[key].(*store.Hot)
		if is != nil && (was == nil || was.Rev != is.Rev) {
			w.s.seq++
			w.s.moved(callOf(ctx), was, is)
		}
	}
	w.look(ctx, keys)
	return err
}

// open opens a field of a hot row.
func (s *sim) open(row *store.Hot, field string, sealed secret.Sealed) string {
	if len(sealed) == 0 {
		return ""
	}
	text, err := s.ring.Open(seal.Label{Row: row.Key().String(), Owner: string(row.Owner[:]), Field: field}, sealed)
	if err != nil {
		s.wrong("the row's %s token does not open: %v", field, err)
	}
	return text.Reveal()
}

// step is one write of a hot row, with its tokens opened.
type step struct {
	c                         *simCall
	was, is                   *store.Hot // was is never nil
	wasAccess, isAccess       string
	wasRefresh, isRefresh     string
	first, consent, newTokens bool
	conn                      *simConn
}

// moved judges a write of a hot row. The caller has the lock.
func (s *sim) moved(c *simCall, was, is *store.Hot) {
	m := step{c: c, was: was, is: is, conn: s.conn(is.Connection)}
	if m.first = was == nil; m.first {
		m.was = &store.Hot{Connection: is.Connection, Owner: is.Owner}
	}
	m.wasAccess, m.isAccess = s.open(m.was, "access", m.was.Access), s.open(is, "access", is.Access)
	m.wasRefresh, m.isRefresh = s.open(m.was, "refresh", m.was.Refresh), s.open(is, "refresh", is.Refresh)
	m.consent = is.Generation != m.was.Generation
	m.newTokens = is.Grant != m.was.Grant
	s.trace("%d: process %d, call %d: %s %s %.8s → %s %s %.8s, grant %d → %d, generation %d", s.seq, c.p.name, c.id,
		is.AsanaGID, m.was.Status, m.was.Lease, is.Status, is.Reason, is.Lease, m.was.Grant, is.Grant, is.Generation)
	if is.Grant < m.was.Grant || is.Generation < m.was.Generation {
		s.wrong("the row goes back from grant %d to %d, or from generation %d to %d", m.was.Grant, is.Grant, m.was.Generation, is.Generation)
	}
	s.leaseMoved(m)
	switch {
	case m.consent:
		s.consented(m)
	case is.Status == store.Disconnected:
		s.erased(m)
	default:
		s.tokensMoved(m)
	}
	s.statusMoved(m)
	if m.wasAccess != "" && m.wasAccess != m.isAccess {
		s.access[m.wasAccess].gone = s.seq
	}
	if a := s.access[m.isAccess]; a != nil {
		a.saved = true
		if is.RefusedGrant == is.Grant && a.refused == 0 {
			a.refused = s.seq
		}
	}
}

// leaseMoved: nobody is robbed of a living lease, none is taken while Asana
// must not be asked, and none without a need.
func (s *sim) leaseMoved(m step) {
	if m.is.Lease == m.was.Lease {
		return
	}
	if m.is.Lease == "" {
		if !m.consent && m.is.Status != store.Disconnected && !m.c.holds(m.was) {
			s.wrong("a lease is taken off by another than its holder")
		}
		return
	}
	now := time.Now()
	if m.was.Lease != "" {
		s.count["lease taken from a dead one"]++
		if end := m.was.LeaseEnd.Add(-s.leases[m.was.Lease]); now.Before(end) {
			s.wrong("a lease is taken %v before its end", end.Sub(now))
		}
	}
	mine := now.Add(m.c.p.off)
	if left := m.was.CoolUntil.Sub(mine); left > 0 {
		s.wrong("a lease is taken %v before the cool-down's end", left)
	}
	if m.is.Status != store.Active && m.is.Status != store.Revoking {
		s.wrong("a lease of a connection that is %s", m.is.Status)
	}
	need := min(301*time.Second, m.was.Expires.Sub(m.was.Issued)/2)
	if left := m.was.Expires.Sub(mine); m.is.Status == store.Active && m.is.RefusedGrant != m.is.Grant && left >= need {
		s.wrong("a token that has %v left of %v is refreshed", left, m.was.Expires.Sub(m.was.Issued))
	}
	s.leases[m.is.Lease] = m.c.p.off
	m.c.leased = m.is
	m.conn.leases++
}

// holds reports whether the row has the call's lease.
func (c *simCall) holds(row *store.Hot) bool { return c.leased != nil && c.leased.Lease == row.Lease }

// consented: the tokens are new ones, of that very person.
func (s *sim) consented(m step) {
	m.conn.active = s.seq
	access, refresh := s.access[m.isAccess], s.refresh[m.isRefresh]
	if access == nil || access.gid != m.is.AsanaGID || access.from != "" || refresh == nil || refresh.gid != m.is.AsanaGID || refresh.from != "" {
		s.wrong("a consent kept other tokens than those of its code")
	}
	if m.is.Status != store.Active || m.is.Lease != "" || !m.newTokens || !m.first && m.is.Epoch != m.was.Epoch {
		s.wrong("a consent left an odd row: %+v", m.is)
	}
}

// erased: what goes is what Asana was asked to revoke, and said so.
func (s *sim) erased(m step) {
	m.c.erased = m.wasRefresh
	if m.was.Status != store.Revoking {
		s.wrong("a connection is erased that was %s", m.was.Status)
	}
	if !m.c.revoked[m.wasRefresh] {
		s.wrong("a refresh token is erased that was not revoked")
	}
	if m.isAccess != "" || m.isRefresh != "" {
		s.wrong("a tombstone has tokens")
	}
}

// tokensMoved: they do so with the grant alone, by an answer to the refresh
// token that stood there.
func (s *sim) tokensMoved(m step) {
	if m.isRefresh == "" {
		s.wrong("the refresh token is gone from a row that is %s", m.is.Status)
	}
	if (m.isAccess != "") != (m.is.Status == store.Active) {
		s.wrong("a row that is %s, with an access token: %v", m.is.Status, m.isAccess != "")
	}
	if !m.newTokens {
		if m.isRefresh != m.wasRefresh || m.isAccess != "" && m.isAccess != m.wasAccess {
			s.wrong("tokens have moved without the grant")
		}
		return
	}
	m.conn.saves++
	s.count["refreshed"]++
	if m.c.leased == nil || m.was.Grant != m.c.leased.Grant || m.was.Generation != m.c.leased.Generation {
		s.wrong("call %d saves over another grant than the one that it sent", m.c.id)
	}
	if m.is.Grant != m.was.Grant+1 {
		s.wrong("a save moves the grant from %d to %d", m.was.Grant, m.is.Grant)
	}
	if m.isRefresh != m.wasRefresh && s.refresh[m.isRefresh].from != m.wasRefresh {
		s.wrong("a save puts a refresh token that is not the successor of the one there")
	}
	if m.isAccess != "" && s.access[m.isAccess].from != m.wasRefresh {
		s.wrong("a save puts an access token that was not given for the refresh token there")
	}
}

func (s *sim) statusMoved(m step) {
	if m.is.Epoch != m.was.Epoch && !m.first {
		s.ended[m.was.Epoch] = s.seq
		if m.is.Status != store.Revoking {
			s.wrong("the epoch changes of a connection that is %s", m.is.Status)
		}
	}
	switch {
	case m.is.Status == m.was.Status:
	case m.is.Status == store.Revoking && m.is.Epoch == m.was.Epoch:
		s.wrong("a connection is ended, and its epoch is not")
	case m.was.Status == store.Revoking && m.is.Status != store.Disconnected && !m.consent,
		m.was.Status == store.Disconnected && !m.consent:
		s.wrong("a connection that was %s is %s", m.was.Status, m.is.Status)
	case m.is.Status == store.Active && !m.newTokens:
		s.wrong("a connection that was %s is active without new tokens", m.was.Status)
	case m.is.Status == store.Broken:
		s.broke(m)
	}
}

// broke: a connection is broken where Asana refused its refresh token and was
// told to, or where the successor was lost.
func (s *sim) broke(m step) {
	s.count["broken"]++
	r := s.refresh[m.wasRefresh]
	switch {
	case !m.c.holds(m.was):
		s.wrong("a connection is broken by a call that has not its lease")
	case m.was.Status != store.Active || !m.c.refused[m.wasRefresh]:
		s.wrong("a connection that was %s is broken, and Asana did not refuse its token", m.was.Status)
	case r.told:
	case r.hurt == reused:
		// The rules say so aloud where they can know (TestATokenSentTwiceIsRemembered).
		// A save settles what is not known of requests before it, so one of a
		// stalled holder that gets to Asana late enough is not said.
		s.count[reused]++
	case r.rotated && r.hurt != "":
		s.count["lost"]++
		m.conn.losses = append(m.conn.losses, m.c)
		if m.is.Reason != "lost-rotated-token" && m.conn.alarms == 0 {
			s.wrong("a token was lost (%s), and the reason is %s", r.hurt, m.is.Reason)
		}
	default:
		s.wrong("a connection is broken; rotated: %v", r.rotated)
	}
}

// Asana's door.

// simWire is a process's way to Asana.
type simWire struct{ p *simProcess }

// simRequest is one request to Asana.
type simRequest struct {
	simWire
	c       *simCall
	r       *http.Request
	body    []byte
	path    string
	refresh string // the refresh token that is sent
	applied bool
}

func (w simWire) RoundTrip(r *http.Request) (*http.Response, error) {
	q := &simRequest{simWire: w, c: callOf(r.Context()), r: r, path: r.URL.Path}
	if r.Body != nil {
		var err error
		if q.body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	form, err := url.ParseQuery(string(q.body))
	if err != nil {
		return nil, err
	}
	q.refresh = form.Get("refresh_token") + form.Get("token")
	q.begin()
	defer q.end()
	answer, err := q.fate()
	w.p.s.trace("process %d, call %d: %s: %v, %v", w.p.name, q.c.id, q.path, answer != nil && answer.StatusCode == 200, err)
	if w.p.isDead() {
		answer, err = nil, io.ErrUnexpectedEOF
	}
	if q.refreshes() && errors.Is(r.Context().Err(), context.Canceled) {
		w.p.s.mu.Lock()
		w.p.s.wrong("call %d: a request ended since its caller went away", q.c.id)
		w.p.s.mu.Unlock()
	}
	if err != nil || answer.StatusCode != http.StatusOK {
		q.lost("answer lost")
	}
	return answer, err
}

func (q *simRequest) refreshes() bool { return q.path == "/-/oauth_token" && q.refresh != "" }

// begin: no second request for a refresh token while one is under way, unless
// its holder is dead or stalled; nor a revocation of what lives.
func (q *simRequest) begin() {
	s := q.p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	token := s.refresh[q.refresh]
	if token == nil {
		return
	}
	conn := s.conn(store.ConnectionID(store.HashText("asana:"+token.gid), token.gid, store.OAuth))
	for _, other := range token.asking {
		if !other.stalled && !other.p.dead {
			s.wrong("two requests for one refresh token: calls %d and %d", other.id, q.c.id)
		}
	}
	token.asking = append(token.asking, q.c)
	if q.refreshes() {
		conn.requests++
		if left := q.c.leased.LeaseEnd.Sub(time.Now().Add(q.p.off)); left < 10*time.Second {
			s.wrong("call %d asks with %v left of its lease", q.c.id, left)
		}
	} else if row := s.hotOf(token.gid); row != nil && (row.Status == store.Active || row.Status == store.Broken) && conn.active <= q.c.seen {
		s.wrong("a revocation for a person whose connection is %s", row.Status)
	}
}

func (q *simRequest) end() {
	s := q.p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if token := s.refresh[q.refresh]; token != nil {
		token.asking = slices.DeleteFunc(token.asking, func(c *simCall) bool { return c == q.c })
	}
}

func (s *sim) hotOf(gid string) *store.Hot {
	key := store.HotKey(store.ConnectionID(store.HashText("asana:"+gid), gid, store.OAuth))
	rows, err := s.h.rows.Read(context.Background(), key)
	if err != nil {
		s.wrong("reading: %v", err)
	}
	hot, _ := rows[key].(*store.Hot)
	return hot
}

// lost notes that what Asana did was not heard of.
func (q *simRequest) lost(by string) {
	s := q.p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.applied && q.refreshes() {
		s.hurtToken(q.refresh, by)
	}
}

func (q *simRequest) waits(low, high time.Duration) error {
	return skewed{}.Sleep(q.r.Context(), q.c.dice.between(low, high))
}

// fate plays the request with what befalls it.
func (q *simRequest) fate() (*http.Response, error) {
	d := q.c.dice
	ch, ok := q.p.s.faults()
	if err := q.waits(10*time.Millisecond, 300*time.Millisecond); err != nil {
		return nil, err
	}
	switch {
	case q.p.isDead():
		return q.partly()
	case !ok:
		return q.apply(), nil
	case d.comes(ch.dies):
		q.p.die()
		return q.partly()
	case d.comes(ch.asanaRefuses):
		return q.refuse()
	case d.comes(ch.asanaLoses):
		return q.lose()
	case q.refreshes() && d.comes(ch.asanaStalls):
		return q.freeze()
	}
	if d.comes(ch.asanaSlow) {
		if err := q.waits(time.Second, 9*time.Second); err != nil {
			q.partly()
			return nil, err
		}
	}
	answer := q.apply()
	if d.comes(ch.asanaSlow) {
		return answer, q.waits(time.Second, 9*time.Second)
	}
	return answer, q.waits(10*time.Millisecond, 300*time.Millisecond)
}

// partly is a request of which nobody waits for the answer: Asana may have got
// it all the same.
func (q *simRequest) partly() (*http.Response, error) {
	if q.c.dice.comes(0.5) {
		q.apply()
	}
	return nil, io.ErrUnexpectedEOF
}

// refuse does nothing and says so, more or less.
func (q *simRequest) refuse() (*http.Response, error) {
	switch q.c.dice.IntN(6) {
	case 0:
		return q.says(http.StatusServiceUnavailable, "Service Unavailable", nil), nil
	case 1:
		wait := fmt.Sprint(q.c.dice.IntN(20))
		return q.says(http.StatusTooManyRequests, "{}", http.Header{"Retry-After": {wait}}), nil
	case 2:
		return q.says(http.StatusUnauthorized, `{"error":"invalid_client"}`, nil), nil
	case 3:
		return q.says(http.StatusBadRequest, `{"error":"server_error"}`, nil), nil
	case 4:
		return q.says(http.StatusInternalServerError, `{"error":"invalid_grant"}`, nil), nil
	}
	return nil, io.ErrUnexpectedEOF
}

// lose loses the answer, and may lose the request.
func (q *simRequest) lose() (*http.Response, error) {
	if q.c.dice.comes(0.7) {
		q.apply()
	}
	defer q.lost("answer lost") // also where a 200 says something else
	switch q.c.dice.IntN(3) {
	case 0:
		return q.says(http.StatusBadGateway, "", nil), nil
	case 1:
		return q.says(http.StatusOK, "nonsense", nil), nil
	}
	return nil, io.ErrUnexpectedEOF
}

// freeze is a process that is not run for a while, before or after Asana got
// its request. When it wakes the answer may be there, its time being over.
func (q *simRequest) freeze() (*http.Response, error) {
	var answer *http.Response
	before := q.c.dice.comes(0.5)
	if before {
		answer = q.apply()
	}
	q.p.s.stall(q.c)
	q.p.s.mu.Lock()
	q.p.s.hurtToken(q.refresh, "stalled")
	q.p.s.mu.Unlock()
	if !before {
		answer = q.apply()
	}
	if err := q.r.Context().Err(); err != nil && q.c.dice.comes(0.3) {
		return nil, err
	}
	return answer, nil
}

func (q *simRequest) says(status int, body string, h http.Header) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: q.r}
}

// apply lets Asana have the request, and learns from its answer.
func (q *simRequest) apply() *http.Response {
	s := q.p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	q.applied = true
	r := q.r.Clone(context.WithoutCancel(q.r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(q.body))
	answer, err := s.h.asana.Transport().RoundTrip(r)
	if err != nil {
		s.wrong("offline Asana: %v", err)
		return q.says(http.StatusBadGateway, "", nil)
	}
	body, _ := io.ReadAll(answer.Body)
	answer.Body = io.NopCloser(bytes.NewReader(body))
	switch q.path {
	case "/-/oauth_token":
		q.learn(answer.StatusCode, body)
	case "/-/oauth_revoke":
		q.revoked(answer.StatusCode)
	}
	return answer
}

// learn notes the tokens that Asana gave.
func (q *simRequest) learn(status int, body []byte) {
	s := q.p.s
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Error   string
	}
	if err := json.Unmarshal(body, &tokens); err != nil {
		s.wrong("offline Asana: %v", err)
	}
	old := s.refresh[q.refresh]
	if status != http.StatusOK {
		if tokens.Error == "invalid_grant" && old != nil {
			q.c.refused[q.refresh] = true
			s.cameAgain(old)
		}
		return
	}
	gid, _, _ := strings.Cut(strings.TrimPrefix(tokens.Access, "2/"), "/")
	s.access[tokens.Access] = &accessToken{gid: gid, from: q.refresh}
	if tokens.Refresh != "" && tokens.Refresh != q.refresh {
		next := &refreshToken{gid: gid, family: tokens.Refresh, from: q.refresh}
		if old != nil {
			next.family, old.rotated = old.family, true
		}
		s.refresh[tokens.Refresh] = next
	}
	if old != nil {
		q.c.carried = q.refresh
	}
}

const reused = "ended by a token that came again"

// cameAgain: Asana may end all of a consent whose rotated token comes again. That
// is nobody's fault where the token came again since its answer was lost.
func (s *sim) cameAgain(old *refreshToken) {
	if !old.rotated || old.hurt == "" || !s.h.asana.Switches().ReuseRevokes {
		return
	}
	for _, r := range s.refresh {
		if r.family == old.family && r.hurt == "" {
			r.rotated, r.hurt = true, reused
		}
	}
}

func (q *simRequest) revoked(status int) {
	s := q.p.s
	if status != http.StatusOK {
		return
	}
	q.c.revoked[q.refresh] = true
	token := s.refresh[q.refresh]
	whole := s.h.asana.Switches().RevokeWholeGrant
	for _, r := range s.refresh {
		if r.family == token.family || whole && r.gid == token.gid {
			r.told = true
		}
	}
}

// What callers do, and what they get.

// ask asks for a token as a frontend does.
func (s *sim) ask(ctx context.Context, p *simProcess, session simSession, r asanaauth.TokenRequest) (asanaauth.Token, error) {
	ctx, cancel := skewed{p.off}.WithDeadline(s.call(p, ctx), time.Now().Add(p.off+25*time.Second))
	defer cancel()
	s.tally("asked")
	began := time.Now()
	token, err := s.tokenOf(ctx, p, session, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := callOf(ctx)
	s.trace("process %d, call %d: asked for %s: %v", p.name, c.id, session.gid, err)
	switch took := time.Since(began); {
	case p.dead:
		return token, err
	case took > 28*time.Second && !c.stalled && !s.stalls():
		s.wrong("a caller waited %v", took)
	}
	if err == nil {
		s.served(c, session, token, r)
	} else {
		s.failed(session, err)
	}
	return token, err
}

func (s *sim) stalls() bool { return s.chances.tableStalls+s.chances.asanaStalls > 0 }

func (s *sim) tokenOf(ctx context.Context, p *simProcess, session simSession, r asanaauth.TokenRequest) (asanaauth.Token, error) {
	opened, err := p.conns.Session(ctx, session.cookie)
	if err != nil {
		return asanaauth.Token{}, err
	}
	return p.conns.Token(ctx, opened, r)
}

func (s *sim) tally(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[what]++
}

// served judges a token that was handed out.
func (s *sim) served(c *simCall, session simSession, token asanaauth.Token, r asanaauth.TokenRequest) {
	s.count["handed out"]++
	a := s.access[token.Access.Reveal()]
	switch {
	case a == nil:
		s.wrong("a token was handed out that Asana never gave")
		return
	case a.gid != session.gid:
		s.wrong("a token of %s was handed out to %s", a.gid, session.gid)
	case s.ended[session.epoch] != 0 && c.seen >= s.ended[session.epoch]:
		s.wrong("call %d: a token was handed out to a session that was over", c.id)
	case r.Refused != nil && *r.Refused == store.HashText(token.Access.Reveal()):
		s.wrong("call %d: the token that a caller reported refused was handed out to it", c.id)
	case a.refused != 0 && c.seen >= a.refused:
		s.wrong("call %d: a token was handed out that is noted as refused", c.id)
	case a.gone != 0 && c.seen >= a.gone:
		s.wrong("call %d: a token was handed out that is gone from the row", c.id)
	case !a.saved && (s.rotates || !c.hurt && c.p.s.chances.quiet()):
		s.wrong("call %d: a token was handed out that nobody saved", c.id)
	}
}

// failed judges an error. Without any fault there is none, but where a token
// is reported refused too soon after another.
func (s *sim) failed(session simSession, err error) {
	kind := asanaauth.KindOf(err)
	tooSoon := kind == asanaauth.TryAgain && time.Since(s.hotOf(session.gid).RefusedAt) < 33*time.Second
	switch {
	case kind == asanaauth.Misconfigured && s.chances.asanaRefuses > 0:
	case kind == asanaauth.Internal, kind == asanaauth.Misconfigured:
		s.wrong("a caller got %v", err)
	case s.chances.quiet() && !tooSoon:
		s.wrong("without any fault a caller got %v", err)
	}
}

// signIn adds a session, if it can.
func (s *sim) signIn(p *simProcess, gid string) {
	ctx := s.call(p, s.t.Context())
	begun, err := p.login.Begin(ctx, asanaauth.BeginRequest{})
	if err != nil {
		s.trace("begin: %v", err)
		return
	}
	s.mu.Lock()
	back, err := s.h.asana.Authorize(ctx, begun.URL, gid)
	s.mu.Unlock()
	if err != nil {
		s.t.Fatal(err)
	}
	finished, err := p.login.Finish(ctx, answerOf(s.t, back, begun))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || p.dead {
		s.trace("finish: %v", err)
		return
	}
	key := store.SessionKey(store.HashText(finished.Session.Reveal()))
	rows, err := s.h.rows.Read(context.Background(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	row := rows[key].(*store.Session)
	s.trace("process %d: signed in %s", p.name, gid)
	s.sessions = append(s.sessions, simSession{finished.Session, gid, row.Epoch})
	s.count["signed in"]++
}

func (s *sim) disconnect(p *simProcess, session simSession) {
	ctx, cancel := skewed{p.off}.WithDeadline(s.call(p, s.t.Context()), time.Now().Add(p.off+25*time.Second))
	defer cancel()
	opened, err := p.conns.Session(ctx, session.cookie)
	if err != nil {
		return
	}
	d, err := p.conns.Disconnect(ctx, opened)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace("process %d: disconnected %s: %+v, %v", p.name, session.gid, d, err)
	if p.dead {
		return
	}
	c := callOf(ctx)
	if err == nil && s.ended[session.epoch] == 0 {
		s.wrong("call %d: a connection was said to be disconnected, and its session lives", c.id)
	}
	if !d.Revoked {
		return
	}
	s.count["revoked"]++
	token := s.refresh[c.erased]
	if token == nil || d.Status != store.Disconnected {
		s.wrong("call %d: a connection was said to be revoked that was not erased", c.id)
		return
	}
	s.said = append(s.said, simDisconnected{token.family})
}

// caller is one who comes again and again.
type caller struct {
	s    *sim
	dice *dice
	last map[string]asanaauth.Token // that it was given, by session
}

func (a *caller) run() {
	s := a.s
	for round := range 8 {
		if a.dice.comes(0.7) {
			a.sleepUntil(time.Duration(round+1) * s.life * 9 / 10)
		} else {
			time.Sleep(a.dice.between(time.Second, 20*time.Second))
		}
		time.Sleep(a.dice.between(0, 3*time.Second))
		a.act()
	}
}

// sleepUntil waits for the time since the bubble's beginning at which all come.
func (a *caller) sleepUntil(at time.Duration) {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if wait := began.Add(at).Sub(time.Now()); wait > 0 {
		time.Sleep(wait)
	}
}

func (a *caller) act() {
	s, d := a.s, a.dice
	s.mu.Lock()
	if len(s.sessions) == 0 {
		s.mu.Unlock()
		return
	}
	session := s.sessions[d.IntN(len(s.sessions))]
	s.mu.Unlock()
	p := s.alive(d)
	switch ch := s.chances; {
	case d.comes(ch.disconnects):
		s.disconnect(p, session)
		if d.comes(0.5) {
			s.signIn(s.alive(d), session.gid)
		}
	case d.comes(ch.signsIn):
		s.tally("signed in again")
		s.signIn(p, session.gid)
	case d.comes(ch.deauthorises):
		s.deauthorise(session.gid)
	case d.comes(ch.goesAway):
		s.tally("gone away")
		ctx, cancel := context.WithCancel(s.t.Context())
		goes := time.AfterFunc(d.between(0, 5*time.Second), cancel)
		s.ask(ctx, p, session, asanaauth.TokenRequest{})
		goes.Stop()
		cancel()
	default:
		a.asks(p, session)
	}
}

// asks asks for a token, and may report the one that it has.
func (a *caller) asks(p *simProcess, session simSession) {
	s, d := a.s, a.dice
	r := asanaauth.TokenRequest{MinTTL: []time.Duration{0, 30 * time.Second, 300 * time.Second}[d.IntN(3)]}
	last, ok := a.last[session.cookie.Reveal()]
	if ok && d.comes(0.1) {
		s.tally("reported refused")
		r.Refused = refusedHash(last)
	}
	token, err := s.ask(s.t.Context(), p, session, r)
	if err == nil {
		a.last[session.cookie.Reveal()] = token
	}
}

// deauthorise is a person who does so in Asana's settings.
func (s *sim) deauthorise(gid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace("%s deauthorises the app", gid)
	s.count["deauthorised"]++
	if err := s.h.asana.RevokeGrants(gid); err != nil {
		s.t.Fatal(err)
	}
	for _, r := range s.refresh {
		r.told = r.told || r.gid == gid
	}
}

func (s *sim) run(total map[string]int) {
	for _, gid := range []string{asanatest.Member, asanatest.Guest, asanatest.Admin}[:1+s.dice.IntN(2)] {
		s.signIn(s.processes[0], gid)
	}
	s.mu.Lock()
	s.over = false
	s.mu.Unlock()
	var wg sync.WaitGroup
	for i := range 3 + s.dice.IntN(6) {
		a := &caller{s, newDice(s.seed, 1<<33+uint64(i)), map[string]asanaauth.Token{}}
		wg.Go(a.run)
	}
	wg.Wait()
	s.settle()
	for what, n := range s.count {
		total[what] += n
	}
}

// settle checks what holds when the faults are over.
func (s *sim) settle() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.process() // whoever died
	processes := slices.Clone(s.processes)
	for _, p := range processes {
		if err := p.conns.Wait(s.t.Context()); err != nil {
			s.wrong("waiting: %v", err)
		}
	}
	s.trace("the faults are over")
	time.Sleep(30 * time.Second)
	s.everybodyIsServed(processes)
	time.Sleep(s.life)
	s.everybodyIsServed(processes)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, conn := range s.conns {
		s.settled(id, conn)
	}
	for _, d := range s.said {
		s.reallyRevoked(d.family)
	}
}

// everybodyIsServed: an active connection gives a token at once, in every
// process that lives; a session that is over gives none.
func (s *sim) everybodyIsServed(processes []*simProcess) {
	for _, p := range processes {
		for _, session := range s.sessions {
			if p.dead {
				continue
			}
			hot := s.hotOf(session.gid)
			_, err := s.ask(s.t.Context(), p, session, asanaauth.TokenRequest{})
			switch {
			case hot.Epoch != session.epoch:
				if asanaauth.KindOf(err) != asanaauth.Unauthenticated {
					s.wrong("a session that is over got %v", err)
				}
			case hot.Status == store.Active && err != nil && s.hotOf(session.gid).Status != store.Broken:
				s.wrong("process %d: the faults are over, and a caller gets %v", p.name, err)
			}
		}
	}
}

func (s *sim) settled(id string, conn *simConn) {
	key := store.HotKey(id)
	rows, err := s.h.rows.Read(context.Background(), key)
	if err != nil {
		s.wrong("reading: %v", err)
	}
	hot, _ := rows[key].(*store.Hot)
	switch {
	case hot == nil:
		return
	case hot.Lease != "" && hot.Status == store.Active:
		// Nobody has to ask for a person who has no session.
		if slices.ContainsFunc(s.sessions, func(x simSession) bool { return x.epoch == hot.Epoch }) {
			s.wrong("a lease stays on")
		}
	case hot.Lease != "" && hot.LeaseEnd.After(time.Now()):
		s.wrong("a lease ends at %v", hot.LeaseEnd)
	}
	if s.chances.quiet() && (conn.requests != conn.saves || conn.requests != conn.leases) {
		s.wrong("without any fault: %d requests, %d leases, %d saves", conn.requests, conn.leases, conn.saves)
	}
	for _, c := range conn.losses {
		if conn.alarms == 0 && !c.p.dead {
			s.wrong("a token was lost without an alarm")
		}
	}
}

// reallyRevoked: of a consent that was said to be revoked nothing is left at
// Asana, but what nobody could know of.
func (s *sim) reallyRevoked(family string) {
	for value, r := range s.refresh {
		if r.family != family {
			continue
		}
		if old := s.refresh[r.from]; old != nil && old.hurt != "" {
			continue
		}
		answer, err := s.h.asana.Client().PostForm(asanaURL+"/-/token_info", url.Values{"token": {value}})
		if err != nil {
			s.t.Fatal(err)
		}
		var info struct{ Active bool }
		if err := json.NewDecoder(answer.Body).Decode(&info); err != nil {
			s.t.Fatal(err)
		}
		if info.Active {
			s.wrong("a connection was said to be revoked, and a token of it lives")
		}
	}
}

// What the simulation found, each as a test of its own.

// Seed 1067: the table's answer to the mark `broken` was lost, and nobody heard
// that a rotated token was. It is said, too, where the table stays away.
func TestALostTokenIsSaidWhateverTheTableDoes(t *testing.T) {
	for name, times := range map[string]int{"the answer is lost": 1, "the table stays away": 1000} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				cookie := h.process().signIn(asanatest.Member)
				h.expire()
				h.edit(cookie, func(hot *store.Hot) { hot.Unsettled = true })
				h.switches(func(s *asanatest.Switches) { s.RefuseRefresh = true })
				left := times
				h.table.Hook = func(_ context.Context, op storetest.Op) (bool, error) {
					if op.Name == "write" && op.Changes[0].Row.(*store.Hot).Status == store.Broken && left > 0 {
						left--
						return true, errAway
					}
					return true, nil
				}
				_, err := h.process().token(cookie, 0)
				wantKind(t, err, asanaauth.ReconnectRequired)
				wantCount(t, "alarms", h.log.says("alarm", "rotated_token_lost"), 1)
			})
		})
	}
}

// Seed 1422: a refresh fails when the person has connected again, and ended
// that connection, too. What the refresh knew of the row counts no more.
func TestARefreshThatFailsServesNoRowOfTheirs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		cookie := h.process().signIn(asanatest.Member)
		time.Sleep(58 * time.Minute)
		h.asana.Inject(asanatest.Fault{GrantType: "refresh_token", Status: 503, Before: func(*http.Request) {
			_, err := h.process().disconnect(h.process().signIn(asanatest.Member))
			if err != nil {
				t.Error(err)
			}
		}})
		_, err := h.process().token(cookie, asanaauth.DefaultMinTTL)
		wantKind(t, err, asanaauth.AsanaUnavailable)
	})
}

// Seeds 1675 and 1848: a holder stalls past its lease, and the next one sends
// the same token again; or it stalls before it sends, and is itself the second.
// An Asana that ends a consent whose rotated token comes again then ends the
// token that was saved, which must not look like any other refusal.
func TestATokenSentTwiceIsRemembered(t *testing.T) {
	for name, c := range map[string]struct {
		wakesLate wakesLate
		fault     asanatest.Fault // of the second holder's request
	}{
		"after Asana answered":    {wakesLate{after: 18 * time.Second}, asanatest.Fault{AnswerDelay: 5 * time.Second}},
		"before Asana was asked":  {wakesLate{before: 18 * time.Second}, asanatest.Fault{}},
		"and its answer was lost": {wakesLate{before: 18 * time.Second, err: errors.New("lost")}, asanatest.Fault{}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				h.switches(func(s *asanatest.Switches) { s.RotateRefreshTokens, s.ReuseRevokes = true, true })
				cookie := h.process().signIn(asanatest.Member)
				time.Sleep(59*time.Minute + 30*time.Second)
				if c.wakesLate.after > 0 { // the first request to come is the late one's
					h.asana.Inject(asanatest.Fault{GrantType: "refresh_token"})
				}
				c.fault.GrantType = "refresh_token"
				h.asana.Inject(c.fault)
				first, second := make(chan error), make(chan error)
				c.wakesLate.next = h.wire
				go func() {
					late := h.process(func(s *settings) { s.transport = c.wakesLate })
					_, err := late.token(cookie, asanaauth.DefaultMinTTL)
					first <- err
				}()
				go func() {
					time.Sleep(15 * time.Second)
					_, err := h.process().token(cookie, asanaauth.DefaultMinTTL)
					second <- err
				}()
				if err := errors.Join(<-second, <-first); err != nil {
					t.Fatal(err)
				}
				wantCount(t, "refreshes", h.refreshes(), 2)
				h.expire()
				_, err := h.process().token(cookie, 0)
				wantKind(t, err, asanaauth.ReconnectRequired)
				wantCount(t, "alarms", h.log.says("alarm", "rotated_token_lost"), 1)
			})
		})
	}
}

// wakesLate is a process that is not run for a while before its requests, or
// when their answers are there.
type wakesLate struct {
	next          http.RoundTripper
	before, after time.Duration
	err           error
}

func (w wakesLate) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(w.before)
	answer, err := w.next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
	time.Sleep(w.after)
	if w.err != nil {
		return nil, w.err
	}
	return answer, err
}
