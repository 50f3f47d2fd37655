package link

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/consent"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// The names of the sealed field in a link's row, before and after the code is redeemed.
const (
	fieldConsent  = "held"     // the field contains the consent
	fieldRedeemed = "redeemed" // the field contains the connection's ID
)

// labelOf returns the label of the sealed field in a link's row. The label contains the
// link's token, owner and person, and the connect code and its expiry. If an attacker
// changes one of these values in the row, the field cannot be opened.
func labelOf(link *store.Link, field string) seal.Label {
	return seal.Label{
		Row:   link.Key().String(),
		Owner: string(link.Owner[:]),
		Field: field,
		Facts: []string{link.Person.String(), link.Code.String(), row.TimeFact(link.CodeEnd)},
	}
}

// heldConsent is the JSON form of a consent that is sealed into a link's row.
type heldConsent struct {
	Access    string `json:"access"`
	Refresh   string `json:"refresh"`
	ExpiresIn int64  `json:"expires_in,omitempty"` // seconds
	Issued    int64  `json:"issued"`               // milliseconds since 1970
	Granted   string `json:"granted,omitempty"`
	Scopes    string `json:"scopes"`
	GID       string `json:"gid"`
	Name      string `json:"name,omitempty"`
	Email     string `json:"email,omitempty"`
	Picture   string `json:"picture,omitempty"`
	ClientID  string `json:"client_id"`
}

func encode(c consent.Consent) (secret.String, error) {
	text, err := json.Marshal(heldConsent{
		Access: c.Tokens.Access.Reveal(), Refresh: c.Tokens.Refresh.Reveal(),
		ExpiresIn: int64(c.Tokens.ExpiresIn / time.Second), Issued: c.Issued.UnixMilli(),
		Granted: c.Tokens.Scope, Scopes: c.Scopes, ClientID: c.ClientID,
		GID: c.User.GID, Name: c.User.Name.Reveal(), Email: c.User.Email.Reveal(), Picture: c.User.Picture.Reveal(),
	})
	return secret.New(string(text)), err
}

func decode(text secret.String, owner string) (consent.Consent, error) {
	var h heldConsent
	if json.Unmarshal([]byte(text.Reveal()), &h) != nil || h.ClientID == "" {
		return consent.Consent{}, &asanaauth.Error{Kind: asanaauth.Internal, Err: errors.New("a held consent cannot be read")}
	}
	return consent.Consent{
		Kind:     asanaauth.OAuth,
		Owner:    owner,
		ClientID: h.ClientID,
		Tokens: asana.Tokens{
			Access: secret.New(h.Access), Refresh: secret.New(h.Refresh),
			ExpiresIn: time.Duration(h.ExpiresIn) * time.Second, Scope: h.Granted,
		},
		User:   asana.User{GID: h.GID, Name: secret.New(h.Name), Email: secret.New(h.Email), Picture: secret.New(h.Picture)},
		Scopes: h.Scopes,
		Issued: time.UnixMilli(h.Issued).UTC(),
	}, nil
}

// Hold describes the transaction that seals a consent into a link's row. [Hold.Do] runs
// it; call Do once.
type Hold struct {
	Rows    *row.Rows
	Ring    *seal.Ring
	Link    store.Hash      // hash of the link's token
	Code    secret.String   // the secret part of the connect code, as from [row.Table.RandomToken]
	Consent consent.Consent // Owner is empty, because the backend names the owner when it redeems the code
	// Also adds another row to the transaction, by calling methods of tx. If Also returns
	// an error, Do returns this error and writes nothing.
	Also func(tx *row.Tx) error
	// Beside is the key of the row that Also replaces. Do reads the row before it calls
	// Also.
	Beside store.Key
}

// Do seals the consent into the link's row, and replaces an earlier consent in that row.
// The result is the connect code: the link's hash, a dot, and the secret part. Package
// login calls Do after a person consents.
//
// If Do returns an error, the consent is not stored. Even then, Do does not revoke the
// consent at Asana, because the revocation could end another consent of the same user.
//
// Errors: LinkExpired if the link was redeemed or is missing; WrongAccount if the link
// requires a different Asana user; the errors of Also; TryAgain; Internal.
func (h Hold) Do(ctx context.Context) (secret.String, error) {
	text, err := encode(h.Consent)
	if err != nil {
		return secret.String{}, err
	}
	key := store.LinkKey(h.Link)
	err = h.Rows.Update(ctx, row.Update{
		What: "the link", Keys: []store.Key{key, h.Beside},
		Edit: func(_ context.Context, tx *row.Tx) error {
			found, err := unspent(row.Get[*store.Link](tx.Rows(), key))
			switch {
			case err != nil:
				return err
			case found.AsanaGID != "" && found.AsanaGID != h.Consent.User.GID:
				return &asanaauth.Error{Kind: asanaauth.WrongAccount, Err: errors.New("the link names another Asana user")}
			}
			next := *found
			next.Code, next.CodeEnd = store.HashText(h.Code.Reveal()), h.Rows.Now().Add(heldTTL)
			if next.Held, err = h.Rows.SealField(h.Ring, labelOf(&next, fieldConsent), text); err != nil {
				return err
			}
			tx.Put(&next)
			return h.Also(tx)
		},
	})
	if err != nil {
		return secret.String{}, err
	}
	return connectCodeOf(h.Link, h.Code), nil
}

// HeldCode returns the connect code that [Hold.Do] returned for the same link and the
// same secret part. Package login calls HeldCode if a browser repeats its callback.
//
// Errors: LinkExpired if the code was redeemed or erased, has expired, or was replaced by
// the code of a newer consent; TryAgain; Internal.
func HeldCode(ctx context.Context, table *row.Table, link store.Hash, code secret.String) (secret.String, error) {
	found, err := find(ctx, table, store.LinkKey(link))
	switch {
	case err != nil:
		return secret.String{}, err
	case found.Code != store.HashText(code.Reveal()) || !table.Now().Before(found.CodeEnd):
		return secret.String{}, row.ErrLinkExpired
	}
	return connectCodeOf(link, code), nil
}

func connectCodeOf(link store.Hash, code secret.String) secret.String {
	return secret.New(link.String() + "." + code.Reveal())
}

func withoutHeld(link *store.Link) *store.Link {
	next := *link
	next.Code, next.CodeEnd, next.Held = store.Hash{}, time.Time{}, nil
	return &next
}

// spentRow returns the row that replaces the row of a redeemed link. The row contains the
// connection's ID, sealed. Otherwise, an attacker who can write the table could make a
// repeated redeem request return another connection of the same owner.
func spentRow(rows *row.Rows, ring *seal.Ring, link *store.Link, connection string) (*store.Link, error) {
	next := &store.Link{
		Token: link.Token, Owner: link.Owner, Person: link.Person, End: link.End, Keep: link.Keep,
		Spent: true, Code: link.Code, CodeEnd: link.CodeEnd,
	}
	var err error
	next.Held, err = rows.SealField(ring, labelOf(next, fieldRedeemed), secret.New(connection))
	return next, err
}
