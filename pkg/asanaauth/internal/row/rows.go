package row

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Config contains what a [Rows] needs. Every value must be safe for concurrent use.
type Config struct {
	Store store.Store      // required
	Keys  *keyring.Keyring // required
	Clock asanaauth.Clock  // nil: asanaauth.SystemClock
	Rand  io.Reader        // nil: crypto/rand.Reader
	Log   *slog.Logger     // nil: nothing is logged
}

// Rows is a [Table] that also has the data keys, so that it can open and seal fields. A
// Rows is safe for concurrent use.
type Rows struct {
	*Table
	keys *keyring.Keyring
}

// New returns a Rows. If required fields of c are missing, the error names all of them.
func New(c Config) (*Rows, error) {
	t, err := NewTable(TableConfig{Store: c.Store, Clock: c.Clock, Rand: c.Rand, Log: c.Log})
	if err := errors.Join(err, Missing(c.Keys == nil, "Keys")); err != nil {
		return nil, err
	}
	return &Rows{t, c.Keys}, nil
}

// Ring returns the data keys. Errors: TryAgain, Internal.
func (r *Rows) Ring(ctx context.Context) (*seal.Ring, error) {
	ring, err := r.keys.Ring(ctx)
	return ring, ErrorOf(err)
}

// OpenField opens a sealed field. If this installation did not seal the field with the
// label l, for example because the field was copied from a different row, OpenField
// raises the alarm unseal_failed and returns an error. The alarm contains the parameter
// connection, which is a connection's ID or empty.
//
// Errors: Internal, wrapping [seal.ErrOpen], if the field cannot be opened; TryAgain.
func (r *Rows) OpenField(ctx context.Context, ring *seal.Ring, connection string, l seal.Label, s secret.Sealed) (secret.String, error) {
	text, err := r.keys.Open(ctx, ring, l, s)
	if errors.Is(err, seal.ErrOpen) {
		r.Alarm(ctx, AlarmUnseal, connection, err)
		return secret.String{}, &asanaauth.Error{Kind: asanaauth.Internal, Err: fmt.Errorf("opening %s: %w", l.Field, err)}
	}
	return text, ErrorOf(err)
}

// SealField seals text with the primary data key of ring. To open the result, OpenField
// needs the same label.
func (r *Rows) SealField(ring *seal.Ring, l seal.Label, text secret.String) (secret.Sealed, error) {
	s, err := ring.Seal(r.rand, l, text)
	if err != nil {
		return nil, fmt.Errorf("sealing %s: %w", l.Field, err)
	}
	return s, nil
}

// The names of a connection's sealed fields.
const (
	// The hot row contains these fields.
	fieldAccess  = "access"
	fieldRefresh = "refresh"

	// The cold row contains these fields.
	FieldOwner   = "owner_name"
	FieldName    = "name"
	FieldEmail   = "email"
	FieldPicture = "picture"
)

func hotLabel(hot *store.Hot, field string) seal.Label {
	return seal.Label{Row: hot.Key().String(), Owner: string(hot.Owner[:]), Field: field}
}

// coldLabel returns the label of a field in a cold row. After an import, the label contains
// the hash of the credential. If an attacker changes the hash in the row, the field cannot
// be opened.
func coldLabel(hot *store.Hot, cold *store.Cold, field string) seal.Label {
	l := seal.Label{Row: store.ColdKey(hot.Connection).String(), Owner: string(hot.Owner[:]), Field: field}
	if !cold.Imported.IsZero() {
		l.Facts = []string{cold.Imported.String()}
	}
	return l
}

// TimeFact returns t as text for the Facts of a [seal.Label]: the number of milliseconds
// since 1970.
func TimeFact(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// OpenAccess opens an active connection's access token. The token in a forged row cannot
// be opened, so call OpenAccess before you trust the row. Errors: ReconnectRequired if
// the connection is not active; the errors of [Rows.OpenField].
func (r *Rows) OpenAccess(ctx context.Context, ring *seal.Ring, hot *store.Hot) (secret.String, error) {
	if err := CheckAuthentic(ctx, r.Table, hot); err != nil {
		return secret.String{}, err
	}
	if hot.Status != Active {
		return secret.String{}, ReconnectRequired(hot.Status)
	}
	return r.OpenField(ctx, ring, hot.Connection, hotLabel(hot, fieldAccess), hot.Access)
}

// OpenRefresh opens the refresh token in a hot row. The row must have a refresh token.
// Errors: the errors of [Rows.OpenField].
func (r *Rows) OpenRefresh(ctx context.Context, ring *seal.Ring, hot *store.Hot) (secret.String, error) {
	return r.OpenField(ctx, ring, hot.Connection, hotLabel(hot, fieldRefresh), hot.Refresh)
}

// Tokens are the tokens that [Rows.SetTokens] seals into a hot row.
type Tokens struct {
	Access    secret.String // required
	Refresh   secret.String // zero if the row must keep its current refresh token
	ExpiresIn time.Duration // zero if Asana gave no expiry
}

// SetTokens seals t into a hot row, and sets the row's Issued, Expires and LastRefreshed.
// issued is the time when Asana issued the tokens.
func (r *Rows) SetTokens(ring *seal.Ring, hot *store.Hot, t Tokens, issued time.Time) error {
	access, err := r.SealField(ring, hotLabel(hot, fieldAccess), t.Access)
	if err != nil {
		return err
	}
	hot.Access, hot.Issued, hot.LastRefreshed = access, issued, issued
	hot.Expires = expiryOf(hot.Kind, t.ExpiresIn, issued)
	if t.Refresh.IsZero() {
		return nil
	}
	hot.Refresh, err = r.SealField(ring, hotLabel(hot, fieldRefresh), t.Refresh)
	return err
}

// EraseAccess removes the access token and its times from a hot row.
func EraseAccess(hot *store.Hot) {
	hot.Access, hot.Issued, hot.Expires = nil, time.Time{}, time.Time{}
}

// expiryOf returns the time when an access token expires. If Asana gave no expiry, the
// result is the zero time for a long-lived token, and assumedLifetime after issued for an
// OAuth access token.
func expiryOf(kind string, expiresIn time.Duration, issued time.Time) time.Time {
	switch {
	case expiresIn > 0:
		return issued.Add(expiresIn)
	case TraitsOf(kind).IsGrant:
		return issued.Add(assumedLifetime)
	}
	return time.Time{}
}

// tombstone returns the row that replaces hot after its connection was disconnected at
// the time now. The tombstone keeps hot's ID, kind, owner's hash, Generation and Epoch,
// and its Grant is one higher than hot's. The disconnection has set a new Epoch, so no
// session has this Epoch.
func tombstone(hot *store.Hot, now time.Time) *store.Hot {
	return &store.Hot{
		Connection: hot.Connection,
		Kind:       hot.Kind,
		Owner:      hot.Owner,
		Epoch:      hot.Epoch,
		Generation: hot.Generation,
		Grant:      hot.Grant + 1,
		Status:     Disconnected,
		End:        now.Add(tombstoneTTL),
	}
}
