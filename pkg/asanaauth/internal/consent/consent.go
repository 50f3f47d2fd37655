// Package consent saves a connection. A sign-in, a link and an import all end with the
// transaction of [Write.Do]. It makes no request to Asana: the caller passes the tokens and
// the user. A connection that exists already is replaced and keeps its id.
package consent

import (
	"context"
	"log/slog"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Consent is a credential from Asana and its user, before it is saved.
type Consent struct {
	Kind     asanaauth.Kind
	Owner    string       // the owner's name
	ClientID string       // to which the credential was issued; empty for a long-lived token
	Tokens   asana.Tokens // for a long-lived token, without a refresh token
	User     asana.User   // whose credential it is
	Scopes   string       // requested
	Issued   time.Time    // zero: now
	Imported store.Hash   // of the imported credential; zero if not imported
}

// ID returns the id of the consent's connection.
func (c Consent) ID() string {
	return store.ConnectionID(store.HashText(c.Owner), c.User.GID, string(c.Kind))
}

// maxTries limits how often the transaction is tried.
const maxTries = 5

// Write is one save of a consent. Call Do once.
type Write struct {
	Rows    *row.Rows
	Ring    *seal.Ring
	Consent Consent
	// Also returns one more row to write in the same transaction. hot is the new hot row.
	// Also may be nil.
	Also func(tx *row.Tx, hot *store.Hot) (store.Row, error)
	// Beside is the key of the row that Also replaces. It is read with the other rows. If
	// it is zero, the row that Also returns must be new.
	Beside store.Key
	// MayReplace returns an error if the existing connection must not be replaced. It is
	// called only if a connection exists. If it is nil, any connection is replaced.
	MayReplace func(before *store.Hot) error
}

// Written is a saved consent, with the rows as they were written.
type Written struct {
	Hot    *store.Hot
	Cold   *store.Cold
	before *store.Hot // nil at a first consent
	from   Write
}

// Do writes the hot row, the cold row, the pointer of the Asana user, and the row that Also
// returns, in one transaction. It replaces a connection of the same owner, Asana user and
// kind.
//
// Errors: those of Also and MayReplace; TryAgain, Internal.
func (w Write) Do(ctx context.Context) (*Written, error) {
	id := w.Consent.ID()
	hotKey, coldKey := store.HotKey(id), store.ColdKey(id)
	pointer := &store.UserPointer{User: store.HashText(w.Consent.User.GID), Connection: id, Kind: string(w.Consent.Kind)}
	keys := []store.Key{hotKey, coldKey, pointer.Key()}
	if w.Beside != (store.Key{}) {
		keys = append(keys, w.Beside)
	}
	done := &Written{from: w}
	err := w.Rows.Update(ctx, row.Update{
		What: "the connection", Keys: keys, Tries: maxTries,
		Edit: func(_ context.Context, tx *row.Tx) (err error) {
			done.before = row.Get[*store.Hot](tx.Rows(), hotKey)
			if w.MayReplace != nil && done.before != nil {
				if err := w.MayReplace(done.before); err != nil {
					return err
				}
			}
			now := w.Rows.Now()
			if done.Hot, err = w.newHot(id, now, done.before); err != nil {
				return err
			}
			if done.Cold, err = w.newCold(done.Hot, now, row.Get[*store.Cold](tx.Rows(), coldKey)); err != nil {
				return err
			}
			tx.Put(done.Hot)
			tx.Put(done.Cold)
			next := *pointer
			tx.Put(&next)
			if w.Also == nil {
				return nil
			}
			beside, err := w.Also(tx, done.Hot)
			if err == nil {
				tx.Put(beside)
			}
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

// newHot returns the hot row of a new grant. It does not keep a lease, a cool-down or a
// mark of the old grant. It keeps the epoch, so that sessions in other browsers stay
// valid.
func (w Write) newHot(id string, now time.Time, before *store.Hot) (*store.Hot, error) {
	hot := &store.Hot{
		Connection: id,
		Kind:       string(w.Consent.Kind),
		AsanaGID:   w.Consent.User.GID,
		Owner:      store.HashText(w.Consent.Owner),
		ClientID:   w.Consent.ClientID,
		Generation: 1,
		Grant:      1,
		Status:     row.Active,
	}
	if before != nil {
		hot.Epoch = before.Epoch
		hot.Generation = before.Generation + 1
		hot.Grant = before.Grant + 1
	}
	if hot.Epoch == "" {
		epoch, err := w.Rows.RandomID()
		if err != nil {
			return nil, err
		}
		hot.Epoch = epoch
	}
	if !w.Consent.Issued.IsZero() {
		now = w.Consent.Issued
	}
	t := row.Tokens{Access: w.Consent.Tokens.Access, Refresh: w.Consent.Tokens.Refresh, ExpiresIn: w.Consent.Tokens.ExpiresIn}
	return hot, w.Rows.SetTokens(w.Ring, hot, t, now)
}

// newCold returns the cold row. A service account stays the reader of its workspaces,
// because the new token belongs to the same account.
func (w Write) newCold(hot *store.Hot, now time.Time, before *store.Cold) (*store.Cold, error) {
	cold := &store.Cold{
		Connection:     hot.Connection,
		Generation:     hot.Generation,
		ScopeRequested: w.Consent.Scopes,
		ScopeGranted:   w.Consent.Tokens.Scope,
		Imported:       w.Consent.Imported,
		Created:        now,
		Updated:        now,
	}
	if before != nil {
		cold.Created, cold.ReaderOf = before.Created, before.ReaderOf
	}
	return cold, w.Rows.SetPerson(w.Ring, hot, cold, w.person())
}

func (w Write) person() row.Person {
	u := w.Consent.User
	return row.Person{Owner: secret.New(w.Consent.Owner), Name: u.Name, Email: u.Email, Picture: u.Picture}
}

// Audit writes the audit line of the saved consent. It also says whether the connection was
// broken before, or had a revocation that is now dropped.
func (d *Written) Audit(ctx context.Context, event, caller string) {
	var more []slog.Attr
	if d.before != nil && d.before.Status == row.Broken {
		more = append(more, slog.Bool("recovered", true))
	}
	if d.before != nil && d.before.Status == row.Revoking {
		more = append(more, slog.Bool("revocation_dropped", true))
	}
	d.from.Rows.Audit(ctx, event, caller, d.Hot, more...)
}

// Details returns what a backend may know about the saved connection.
func (d *Written) Details() asanaauth.Details {
	out := row.DetailsOf(d.Hot, d.Cold)
	c := d.from.Consent
	out.Owner = c.Owner
	out.AttributedTo.Name, out.AttributedTo.Email = c.User.Name, c.User.Email
	return out
}
