package refresher_test

import (
	"context"
	"log/slog"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
)

type simProcess struct {
	*authtest.Process
	s     *sim
	name  int
	clock simClock
	dead  bool
}

// process starts a process. The clocks of all processes differ by less than the clock
// skew of 3 seconds.
func (s *sim) process() *simProcess {
	p := &simProcess{s: s, name: len(s.processes)}
	r := newRandom(s.seed, 1<<32+uint64(p.name))
	if r.happens(0.7) {
		p.clock.ahead = r.between(-1400*time.Millisecond, 1400*time.Millisecond)
	}
	p.Process = s.inst.Process(func(settings *authtest.Settings) {
		settings.Store, settings.Transport, settings.Clock = simTable{p}, simAsana{p}, p.clock
		settings.Rand, settings.Log, settings.Joined = r, simLog{p}, r.happens(0.5)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes = append(s.processes, p)
	return p
}

func (s *sim) alive(r *random) *simProcess {
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
	return alive[r.intN(len(alive))]
}

func (p *simProcess) isDead() bool {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.dead
}

// die ends the process. After that, no request of the process reaches the table, the
// process gets no response from Asana, and the results of its calls are ignored.
func (p *simProcess) die() {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.trace("process %d dies", p.name)
	p.dead = true
}

// call returns a context for one call in process p. It contains a new simCall.
func (s *sim) call(ctx context.Context, p *simProcess) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	c := &simCall{p: p, id: s.calls, random: newRandom(s.seed, 1<<40+s.calls), rejected: map[string]bool{}, revoked: map[string]bool{}, refused: map[string]bool{}, said: map[string]bool{}}
	return context.WithValue(ctx, callKey{}, c)
}

func (s *sim) boundedCall(ctx context.Context, p *simProcess) (context.Context, context.CancelFunc) {
	return p.clock.WithDeadline(s.call(ctx, p), p.clock.Now().Add(row.CallerTime))
}

// simClock is a clock that is ahead of the true time, or behind it if the field is
// negative. WithDeadline returns contexts whose deadlines are in the time of this clock.
type simClock struct{ ahead time.Duration }

// trueTime is the clock that the simulation itself uses.
var trueTime simClock

func (k simClock) Now() time.Time { return time.Now().Add(k.ahead).Round(0) }

func (simClock) Sleep(ctx context.Context, d time.Duration) error {
	return asanaauth.SystemClock{}.Sleep(ctx, d)
}

func (k simClock) WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	inner, cancel := context.WithDeadline(shifted{ctx, -k.ahead}, at.Add(-k.ahead))
	return shifted{inner, k.ahead}, cancel
}

// shifted is a context that reports its deadline in the time of a different clock.
type shifted struct {
	context.Context
	by time.Duration
}

func (c shifted) Deadline() (time.Time, bool) {
	at, ok := c.Context.Deadline()
	return at.Add(c.by), ok
}

// simLog counts the alarms that a process raises before it dies.
type simLog struct{ p *simProcess }

func (l simLog) Enabled(context.Context, slog.Level) bool { return true }
func (l simLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l simLog) WithGroup(string) slog.Handler            { return l }

func (l simLog) Handle(_ context.Context, r slog.Record) error {
	if r.Level < slog.LevelError && !*simTrace {
		return nil
	}
	attrs := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		attrs[a.Key] = a.Value.String()
		return true
	})
	s := l.p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace("process %d: %s %v", l.p.name, r.Message, attrs)
	if l.p.dead {
		return nil
	}
	switch attrs["alarm"] {
	case row.AlarmLost, row.AlarmUnsaved:
		s.conn(attrs["connection"]).alarms++
	case row.AlarmUnseal, row.AlarmWrongClient, "kms_denied":
		s.violation("alarm %s: %s", attrs["alarm"], attrs["err"])
	}
	return nil
}
