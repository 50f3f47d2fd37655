package asanaauth

import (
	"context"
	"fmt"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// consentWrite is the one transaction that a consent ends in: hot row, cold
// row, pointer and session.
type consentWrite struct {
	l       *Login
	ring    *seal.Ring
	consent consent
	owner   string
	id      string
	cookie  secret.String
	writer  string // of every try

	before *store.Hot // that was there; nil at a first consent
	hot    *store.Hot // as written
}

// try reads what is there and writes over it. Tried again after a lost answer
// it finds the rows of its own writer, and is done; or, where those have
// moved on meanwhile, its session, which nobody else can have written.
func (w *consentWrite) try(ctx context.Context) error {
	pointer := &store.UserPointer{User: store.HashText(w.consent.user.GID), Connection: w.id, Kind: store.OAuth}
	hotKey, coldKey := store.HotKey(w.id), store.ColdKey(w.id)
	rows, err := w.l.Store.Read(ctx, hotKey, coldKey, pointer.Key())
	if err != nil {
		return err
	}
	before, _ := rows[hotKey].(*store.Hot)
	if before != nil && before.Writer == w.writer {
		w.hot = before
		return nil
	}
	w.before = before
	coldBefore, _ := rows[coldKey].(*store.Cold)
	pointerBefore, _ := rows[pointer.Key()].(*store.UserPointer)

	now := w.l.now()
	if w.hot, err = w.newHot(now); err != nil {
		return err
	}
	cold, err := w.newCold(now, coldBefore)
	if err != nil {
		return err
	}
	session, err := w.newSession(now)
	if err != nil {
		return err
	}
	return w.l.Store.Write(ctx,
		store.Put(w.hot, revOf(before), w.writer),
		store.Put(cold, revOf(coldBefore), w.writer),
		store.Put(pointer, revOf(pointerBefore), w.writer),
		store.Put(session, store.Absent, w.writer))
}

// revOf is what a new row replaces: the row that is there, or none.
func revOf[R interface {
	comparable
	Revision() int64
}](row R) int64 {
	var none R
	if row == none {
		return store.Absent
	}
	return row.Revision()
}

// newHot begins a new grant: no lease, no cool-down, no mark of the old one
// survives. The epoch does, so that sessions elsewhere go on.
func (w *consentWrite) newHot(now time.Time) (*store.Hot, error) {
	hot := &store.Hot{
		Connection: w.id,
		Kind:       store.OAuth,
		AsanaGID:   w.consent.user.GID,
		Owner:      store.HashText(w.owner),
		ClientID:   w.l.Asana.ClientID(),
		Generation: 1,
		Grant:      1,
		Status:     store.Active,
	}
	if w.before != nil {
		hot.Epoch = w.before.Epoch
		hot.Generation = w.before.Generation + 1
		hot.Grant = w.before.Grant + 1
	}
	if hot.Epoch == "" {
		epoch, err := w.l.drawName()
		if err != nil {
			return nil, err
		}
		hot.Epoch = epoch
	}
	return hot, setTokens(&w.l.Parts, w.ring, hot, w.consent.tokens, now)
}

func (w *consentWrite) newCold(now time.Time, before *store.Cold) (*store.Cold, error) {
	cold := &store.Cold{
		Connection:     w.id,
		Generation:     w.hot.Generation,
		ScopeRequested: w.consent.scopes,
		ScopeGranted:   w.consent.tokens.Scope,
		Created:        now,
		Updated:        now,
	}
	if before != nil {
		cold.Created = before.Created
	}
	for _, f := range []struct {
		name string
		text secret.String
		to   *secret.Sealed
	}{
		{"owner_name", secret.New(w.owner), &cold.OwnerName},
		{"name", w.consent.user.Name, &cold.Name},
		{"email", w.consent.user.Email, &cold.Email},
		{"picture", w.consent.user.Picture, &cold.Picture},
	} {
		if f.text.IsZero() {
			continue
		}
		sealed, err := w.ring.Seal(w.l.Rand, coldLabel(w.hot, f.name), f.text)
		if err != nil {
			return nil, fmt.Errorf("sealing %s: %w", f.name, err)
		}
		*f.to = sealed
	}
	return cold, nil
}

func (w *consentWrite) newSession(now time.Time) (*store.Session, error) {
	end := now.Add(w.l.o.SessionTTL)
	s := &store.Session{
		Cookie:     store.HashText(w.cookie.Reveal()),
		Connection: w.id,
		Epoch:      w.hot.Epoch,
		Start:      now,
		End:        end,
		IdleTTL:    w.l.o.SessionIdleTTL,
		IdleEnd:    earlier(now.Add(w.l.o.SessionIdleTTL), end),
	}
	return s, prove(&w.l.Parts, w.ring, s, w.hot)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
