package asanaauth_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
)

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
