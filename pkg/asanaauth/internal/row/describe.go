package row

import (
	"context"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Describe returns the details of a connection that a backend may see. Errors: TryAgain,
// also if the connection's rows are inconsistent; Internal.
func (r *Rows) Describe(ctx context.Context, c *Connection) (asanaauth.Details, error) {
	o := &c.opened
	if !o.IsConsistent() {
		return asanaauth.Details{}, ErrInconsistentRead
	}
	d := DetailsOf(o.Hot, o.Cold)
	if o.Hot.Status == Disconnected {
		d.Owner = o.Owner
		return d, nil
	}
	p, err := r.OpenPerson(ctx, c, FieldOwner, FieldName, FieldEmail)
	if err != nil {
		return asanaauth.Details{}, err
	}
	d.Owner, d.AttributedTo.Name, d.AttributedTo.Email = p.Owner.Reveal(), p.Name, p.Email
	return d, nil
}

// DetailsOf returns the details that the rows contain in plain text. It leaves out the
// owner and the person's name and email, which are sealed. cold may be nil only if hot is
// a tombstone.
func DetailsOf(hot *store.Hot, cold *store.Cold) asanaauth.Details {
	d := asanaauth.Details{ID: hot.Connection, Kind: asanaauth.Kind(hot.Kind), Status: asanaauth.Status(hot.Status)}
	if hot.Status == Disconnected {
		d.UpdatedAt = hot.End.Add(-tombstoneTTL)
		return d
	}
	switch hot.Reason {
	// Copy only a known reason, because a forged row can contain any text.
	case asanaauth.ReasonInvalidGrant, asanaauth.ReasonLostToken, asanaauth.ReasonInactive:
		d.StatusReason = hot.Reason
	}
	d.AttributedTo.GID = hot.AsanaGID
	d.ScopeRequested, d.ScopeGranted = cold.ScopeRequested, cold.ScopeGranted
	d.ReaderOf = strings.Fields(cold.ReaderOf)
	d.CreatedAt, d.UpdatedAt = cold.Created, cold.Updated
	d.BrokenAt, d.ExpiresAt = hot.BrokenAt, hot.Expires
	if TraitsOf(hot.Kind).IsGrant {
		d.LastRefreshed = hot.LastRefreshed
	}
	return d
}

// Person contains the sealed fields of a cold row: the connection's owner and the Asana
// user's profile. A field is zero if its value is unknown.
type Person struct {
	Owner   secret.String
	Name    secret.String
	Email   secret.String
	Picture secret.String // a URL
}

// OpenPerson opens some fields of a connection's cold row: those whose names, for example
// [FieldOwner], are in fields. All other fields of the returned Person are zero. Errors:
// the errors of [Rows.OpenField].
func (r *Rows) OpenPerson(ctx context.Context, c *Connection, fields ...string) (Person, error) {
	var p Person
	err := p.each(c.opened.Cold, func(field string, text *secret.String, sealed *secret.Sealed) (err error) {
		if len(*sealed) > 0 && slices.Contains(fields, field) {
			*text, err = r.OpenField(ctx, c.opened.Ring, c.ID(), coldLabel(c.opened.Hot, c.opened.Cold, field), *sealed)
		}
		return err
	})
	if err != nil {
		return Person{}, err
	}
	return p, nil
}

// SetPerson seals the fields of p and stores them in cold. It skips fields that are zero.
// hot must be the hot row of the same connection. Set cold.Imported before, and do not
// change it afterwards: the fields are bound to it.
func (r *Rows) SetPerson(ring *seal.Ring, hot *store.Hot, cold *store.Cold, p Person) error {
	return p.each(cold, func(field string, text *secret.String, sealed *secret.Sealed) (err error) {
		if !text.IsZero() {
			*sealed, err = r.SealField(ring, coldLabel(hot, cold, field), *text)
		}
		return err
	})
}

// each calls f once for each field of p. The arguments of f are the field's name, the
// field in p, and the sealed field in cold.
func (p *Person) each(cold *store.Cold, f func(field string, text *secret.String, sealed *secret.Sealed) error) error {
	for _, one := range []struct {
		field  string
		text   *secret.String
		sealed *secret.Sealed
	}{
		{FieldOwner, &p.Owner, &cold.OwnerName},
		{FieldName, &p.Name, &cold.Name},
		{FieldEmail, &p.Email, &cold.Email},
		{FieldPicture, &p.Picture, &cold.Picture},
	} {
		if err := f(one.field, one.text, one.sealed); err != nil {
			return err
		}
	}
	return nil
}

// ScopeOf returns the granted scope, or the requested scope if Asana did not report the
// granted one.
func ScopeOf(cold *store.Cold) string {
	if cold.ScopeGranted != "" {
		return cold.ScopeGranted
	}
	return cold.ScopeRequested
}
