// Package consent saves new connections, and new consents for existing connections. A
// sign-in, a link and an import all end with the transaction in [Write.Do]. If the
// connection already exists, Do replaces its rows, and its ID stays the same. Package
// consent sends no request to Asana: its caller passes the tokens and the user.
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

// Consent is a credential that Asana issued, with its owner and its Asana user. [Write]
// saves it.
type Consent struct {
	Kind     asanaauth.Kind
	Owner    string       // the owner of the connection
	ClientID string       // the client ID that the credential was issued to; empty for a long-lived token
	Tokens   asana.Tokens // a long-lived token has no refresh token
	User     asana.User   // the credential's user
	Scopes   string       // the requested scopes
	Issued   time.Time    // when Asana issued the tokens; zero means now
	Imported store.Hash   // the store.ImportHash of an imported credential; zero if the credential was not imported
}

// ID returns the ID of the connection to which the consent belongs.
func (c Consent) ID() string {
	return store.ConnectionID(store.HashText(c.Owner), c.User.GID, string(c.Kind))
}

// Write describes the transaction that saves a consent. [Write.Do] runs it; call Do once.
type Write struct {
	Rows    *row.Rows
	Ring    *seal.Ring
	Consent Consent
	// Also, if not nil, adds more rows to the transaction by calling methods of tx. hot
	// is the new hot row. If Also returns an error, Do returns this error and writes
	// nothing.
	Also func(tx *row.Tx, hot *store.Hot) error
	// Beside is the key of an existing row that Also replaces. Do reads the row before it
	// calls Also. If Beside is zero, every row that Also adds must be new.
	Beside store.Key
	// MayReplace, if not nil, decides whether an existing connection may be replaced.
	// before is the connection's hot row. If MayReplace returns an error, Do returns this
	// error and writes nothing.
	MayReplace func(before *store.Hot) error
}

// Written contains a saved consent and the rows that Do wrote.
type Written struct {
	Hot    *store.Hot
	Cold   *store.Cold
	before *store.Hot // the row that was replaced; nil for a new connection
	from   Write
}

// Do writes the connection's hot row, its cold row, its [store.UserPointer] row, and the
// rows that Also adds, in one transaction. For an import, Do also writes the
// [store.ImportPointer] row of the credential. An existing connection with the same owner,
// Asana user and kind is replaced. If it was imported with a different credential, the
// row of that credential is deleted. Do tries until ctx ends, because many consents cannot
// be obtained again.
//
// Errors: the errors of Also and MayReplace; TryAgain, Internal.
func (w Write) Do(ctx context.Context) (*Written, error) {
	id := w.Consent.ID()
	hotKey, coldKey := store.HotKey(id), store.ColdKey(id)
	keys := []store.Key{hotKey, coldKey}
	for _, pointer := range w.pointers(id) {
		keys = append(keys, pointer.Key())
	}
	if w.Beside != (store.Key{}) {
		keys = append(keys, w.Beside)
	}
	done := &Written{from: w}
	err := w.Rows.Update(ctx, row.Update{
		What: "the connection", Keys: keys,
		Edit: func(ctx context.Context, tx *row.Tx) (err error) {
			done.before = row.Get[*store.Hot](tx.Rows(), hotKey)
			if done.before != nil {
				// The consent replaces a row that someone has changed, which repairs the
				// connection. The alarm remains as the only trace of the change.
				_ = row.CheckAuthentic(ctx, w.Rows.Table, done.before)
			}
			if w.MayReplace != nil && done.before != nil {
				if err := w.MayReplace(done.before); err != nil {
					return err
				}
			}
			now := w.Rows.Now()
			if done.Hot, err = w.newHot(id, now, done.before); err != nil {
				return err
			}
			cold := row.Get[*store.Cold](tx.Rows(), coldKey)
			if done.Cold, err = w.newCold(done.Hot, now, cold); err != nil {
				return err
			}
			if cold != nil && cold.Imported != w.Consent.Imported {
				if err := row.ForgetImport(ctx, tx, cold); err != nil {
					return err
				}
			}
			tx.Put(done.Hot)
			tx.Put(done.Cold)
			for _, pointer := range w.pointers(id) {
				tx.Put(pointer)
			}
			if w.Also == nil {
				return nil
			}
			return w.Also(tx, done.Hot)
		},
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

// pointers returns new rows that point to the connection.
func (w Write) pointers(id string) []store.Row {
	rows := []store.Row{&store.UserPointer{User: store.HashText(w.Consent.User.GID), Connection: id, Kind: string(w.Consent.Kind)}}
	if !w.Consent.Imported.IsZero() {
		rows = append(rows, &store.ImportPointer{Credential: w.Consent.Imported, Connection: id})
	}
	return rows
}

// newHot returns the hot row for the consent. If there is an old row, the new row keeps
// its epoch, so that sessions in other browsers stay valid, but not its lease or
// cool-down.
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
		hot.Epoch, hot.Rotates = before.Epoch, before.Rotates
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

// newCold returns the cold row for the consent. If the connection is the reader of
// workspaces, the new row keeps the list of these workspaces, because the new token
// belongs to the same service account.
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

// Audit writes an audit line for the saved consent. If the connection was broken, the
// line contains the attribute recovered. If it was revoking, the line contains the
// attribute revocation_dropped, because the old grant will not be revoked.
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

// Details returns the details of the saved connection that a backend may see.
func (d *Written) Details() asanaauth.Details {
	out := row.DetailsOf(d.Hot, d.Cold)
	c := d.from.Consent
	out.Owner = c.Owner
	out.AttributedTo.Name, out.AttributedTo.Email = c.User.Name, c.User.Email
	return out
}
