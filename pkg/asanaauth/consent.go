package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// consent is a credential that Asana gave, and whose it is, before it is kept: of a
// person at Asana's consent screen, or of an import.
type consent struct {
	kind     store.Kind
	owner    string
	tokens   asana.Tokens // of a long-lived token the access token alone
	user     asana.User
	scopes   string     // asked for
	issued   time.Time  // zero: now
	imported store.Hash // of what an import brought
}

// consentWrite is the one transaction that every way in ends in: hot row, cold row
// and pointer, and the one row that goes with them.
type consentWrite struct {
	p       *Parts
	ring    *seal.Ring
	consent consent
	// beside gives the change of the row that goes along; nil: there is none.
	beside func(ctx context.Context, hot *store.Hot, writer string) (store.Change, error)
	// replaces judges the row that would be written over; nil: any.
	replaces func(before *store.Hot) error

	id     string
	writer string     // of every try
	before *store.Hot // that was there; nil at a first consent
	hot    *store.Hot // as written
	cold   *store.Cold
}

// keep writes the consent, again and again while the table is away or others write.
// Errors: those of beside and replaces, TryAgain, Internal.
func (w *consentWrite) keep(ctx context.Context) error {
	var err error
	if w.writer, err = w.p.drawName(); err != nil {
		return err
	}
	w.id = store.ConnectionID(store.HashText(w.consent.owner), w.consent.user.GID, w.consent.kind)
	for range 5 {
		err = w.try(ctx)
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUnavailable) {
			break
		}
		if w.p.Clock.Sleep(ctx, w.p.between(pollMin, pollMax)) != nil {
			break
		}
	}
	if err != nil {
		return fromParts(fmt.Errorf("keeping the connection: %w", err))
	}
	return nil
}

// try reads what is there and writes over it. Tried again after a lost answer
// it finds the rows of its own writer, and is done; or, where those have
// moved on meanwhile, the row beside, which nobody else can have written.
func (w *consentWrite) try(ctx context.Context) error {
	pointer := &store.UserPointer{User: store.HashText(w.consent.user.GID), Connection: w.id, Kind: w.consent.kind}
	hotKey, coldKey := store.HotKey(w.id), store.ColdKey(w.id)
	rows, err := w.p.Store.Read(ctx, hotKey, coldKey, pointer.Key())
	if err != nil {
		return err
	}
	before, _ := rows[hotKey].(*store.Hot)
	coldBefore, _ := rows[coldKey].(*store.Cold)
	// The hot row moves on with the next refresh, the cold one stays.
	if before != nil && coldBefore != nil && (before.Writer == w.writer || coldBefore.Writer == w.writer) {
		w.hot, w.cold = before, coldBefore
		return nil
	}
	if w.before = before; w.replaces != nil && before != nil {
		if err := w.replaces(before); err != nil {
			return err
		}
	}
	pointerBefore, _ := rows[pointer.Key()].(*store.UserPointer)

	now := w.p.now()
	if w.hot, err = w.newHot(now); err != nil {
		return err
	}
	if w.cold, err = w.newCold(now, coldBefore); err != nil {
		return err
	}
	changes := []store.Change{
		store.Put(w.hot, revOf(before), w.writer),
		store.Put(w.cold, revOf(coldBefore), w.writer),
		store.Put(pointer, revOf(pointerBefore), w.writer),
	}
	if w.beside != nil {
		change, err := w.beside(ctx, w.hot, w.writer)
		if err != nil {
			return err
		}
		changes = append(changes, change)
	}
	return w.p.Store.Write(ctx, changes...)
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
		Kind:       w.consent.kind,
		AsanaGID:   w.consent.user.GID,
		Owner:      store.HashText(w.consent.owner),
		Generation: 1,
		Grant:      1,
		Status:     store.Active,
	}
	if hot.Kind == store.OAuth {
		hot.ClientID = w.p.Asana.ClientID()
	} else {
		hot.LastIntrospected = now
	}
	if w.before != nil {
		hot.Epoch = w.before.Epoch
		hot.Generation = w.before.Generation + 1
		hot.Grant = w.before.Grant + 1
	}
	if hot.Epoch == "" {
		epoch, err := w.p.drawName()
		if err != nil {
			return nil, err
		}
		hot.Epoch = epoch
	}
	if !w.consent.issued.IsZero() {
		now = w.consent.issued
	}
	return hot, setTokens(w.p, w.ring, hot, w.consent.tokens, now)
}

// newCold is the cold row of this consent. A service account stays the reader of
// what it was named for: its new token is the same account's.
func (w *consentWrite) newCold(now time.Time, before *store.Cold) (*store.Cold, error) {
	cold := &store.Cold{
		Connection:     w.id,
		Generation:     w.hot.Generation,
		ScopeRequested: w.consent.scopes,
		ScopeGranted:   w.consent.tokens.Scope,
		Imported:       w.consent.imported,
		Created:        now,
		Updated:        now,
	}
	if before != nil {
		cold.Created, cold.ReaderOf = before.Created, before.ReaderOf
	}
	for _, f := range []struct {
		name string
		text secret.String
		to   *secret.Sealed
	}{
		{"owner_name", secret.New(w.consent.owner), &cold.OwnerName},
		{"name", w.consent.user.Name, &cold.Name},
		{"email", w.consent.user.Email, &cold.Email},
		{"picture", w.consent.user.Picture, &cold.Picture},
	} {
		if f.text.IsZero() {
			continue
		}
		sealed, err := w.ring.Seal(w.p.Rand, coldLabel(w.hot, f.name), f.text)
		if err != nil {
			return nil, fmt.Errorf("sealing %s: %w", f.name, err)
		}
		*f.to = sealed
	}
	return cold, nil
}

// kept writes the audit line of what was kept.
func (w *consentWrite) kept(ctx context.Context, event, caller string) {
	var more []slog.Attr
	if w.before != nil && w.before.Status == store.Broken {
		more = append(more, slog.Bool("recovered", true))
	}
	if w.before != nil && w.before.Status == store.Revoking {
		more = append(more, slog.Bool("revocation_dropped", true))
	}
	w.p.audit(ctx, event, caller, w.hot, more...)
}

// details describes what was kept, from what is in hand.
func (w *consentWrite) details() Details {
	d := describe(w.hot, w.cold)
	d.Owner = w.consent.owner
	d.AttributedTo.Name, d.AttributedTo.Email = w.consent.user.Name, w.consent.user.Email
	return d
}
