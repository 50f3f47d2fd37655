package refresher_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// simTable is the store that one process uses. The store adds faults, records what calls
// read, and checks each write of a hot row.
type simTable struct{ p *simProcess }

func (t simTable) Read(ctx context.Context, keys ...store.Key) (store.Rows, error) {
	c := callOf(ctx)
	if _, err := t.fault(ctx, c, false); err != nil {
		return nil, err
	}
	s := t.p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, err := s.inst.Rows.Read(context.WithoutCancel(ctx), keys...)
	c.noteRead(s, keys)
	c.noteResponse(err)
	return rows, err
}

func (t simTable) List(ctx context.Context, pk, cursor string) ([]store.Row, string, error) {
	if _, err := t.fault(ctx, callOf(ctx), false); err != nil {
		return nil, "", err
	}
	return t.p.s.inst.Rows.List(context.WithoutCancel(ctx), pk, cursor)
}

func (t simTable) Write(ctx context.Context, changes ...store.Change) error {
	c := callOf(ctx)
	reaches, fault := t.fault(ctx, c, true)
	var err error
	if reaches {
		err = t.p.s.write(ctx, c, changes)
	}
	if fault != nil {
		err = fault
	}
	t.p.s.mu.Lock()
	defer t.p.s.mu.Unlock()
	c.noteResponse(err)
	return err
}

func (s *sim) write(ctx context.Context, c *simCall, changes []store.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx = context.WithoutCancel(ctx)
	keys := store.Keys(changes)
	hotKeys := slices.DeleteFunc(slices.Clone(keys), func(k store.Key) bool { return !isHotKey(k) })
	before, err := s.inst.Rows.Read(ctx, hotKeys...)
	if err != nil {
		return err
	}
	err = s.inst.Rows.Write(ctx, changes...)
	after, readErr := s.inst.Rows.Read(ctx, hotKeys...)
	if readErr != nil {
		return readErr
	}
	for _, key := range hotKeys {
		was, is := row.Get[*store.Hot](before, key), row.Get[*store.Hot](after, key)
		if is != nil && (was == nil || was.Rev != is.Rev) {
			s.writes++
			s.checkWrite(c, was, is)
		}
	}
	c.noteRead(s, keys)
	return err
}

func (c *simCall) noteRead(s *sim, keys []store.Key) {
	if slices.ContainsFunc(keys, isHotKey) {
		c.reached = s.writes
	}
}

func (c *simCall) noteResponse(err error) {
	if err == nil || errors.Is(err, store.ErrConflict) {
		c.seen = max(c.seen, c.reached)
	}
}

func isHotKey(k store.Key) bool {
	return strings.HasPrefix(k.PK, "c#") && strings.HasSuffix(k.SK, "#hot")
}

// fault waits for a short time, and then chooses at random whether the operation reaches
// the table, and which error its caller gets.
func (t simTable) fault(ctx context.Context, c *simCall, isWrite bool) (reaches bool, err error) {
	p, s := t.p, t.p.s
	if err := t.wait(ctx, c, time.Millisecond, 20*time.Millisecond); err != nil {
		return false, err
	}
	ch, ok := s.faults()
	switch {
	case p.isDead():
		s.disturb(c, causeDied)
		return false, authtest.ErrTableDown
	case !ok:
		return true, nil
	case c.random.happens(ch.processDies):
		reaches := isWrite && c.random.happens(0.5)
		p.die()
		s.disturb(c, causeDied)
		return reaches, authtest.ErrTableDown
	case isWrite && c.random.happens(ch.tableStalls):
		s.stall(c)
		return true, nil
	case c.random.happens(ch.tableSlow):
		if err := t.wait(ctx, c, 100*time.Millisecond, 4*time.Second); err != nil {
			return isWrite && c.random.happens(0.5), err
		}
	case isWrite && c.random.happens(ch.writeFails):
		s.disturb(c, causeUnsaved)
		return false, authtest.ErrTableDown
	case isWrite && c.random.happens(ch.writeIsLost):
		s.disturb(c, causeUnsaved)
		return true, authtest.ErrTableDown
	case !isWrite && c.random.happens(ch.readFails):
		return false, authtest.ErrTableDown
	}
	return true, nil
}

func (t simTable) wait(ctx context.Context, c *simCall, low, high time.Duration) error {
	if trueTime.Sleep(ctx, c.random.between(low, high)) == nil {
		return nil
	}
	t.p.s.disturb(c, causeUnsaved)
	return errors.Join(store.ErrUnavailable, ctx.Err())
}

// sealedField is the key in a cache of opened fields.
type sealedField struct{ row, owner, field, sealed string }

func (s *sim) open(hot *store.Hot, field string, sealed secret.Sealed) string {
	if len(sealed) == 0 {
		return ""
	}
	f := sealedField{hot.Key().String(), string(hot.Owner[:]), field, string(sealed)}
	if text, ok := s.opened[f]; ok {
		return text
	}
	text, err := s.ring.Open(seal.Label{Row: f.row, Owner: f.owner, Field: field}, sealed)
	if err != nil {
		s.violation("the row's %s token does not open: %v", field, err)
	}
	s.opened[f] = text.Reveal()
	return s.opened[f]
}
