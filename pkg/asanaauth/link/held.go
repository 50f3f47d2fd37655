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

// heldLabel returns the label of a sealed consent. The label contains the link's token,
// owner and person, and the connect code and its expiry. If an attacker changes one of
// these values in the row, the consent cannot be opened.
func heldLabel(link *store.Link) seal.Label {
	return seal.Label{
		Row:   link.Key().String(),
		Owner: string(link.Owner[:]),
		Field: "held",
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

// Hold seals a consent into the link's row, and replaces any earlier consent in that row.
// The result is the connect code: the link's hash, a dot, and a new secret. Package login
// calls Hold after a person consents.
//
// If Hold returns an error, the consent is not stored. Even then, Hold does not revoke
// the consent at Asana, because the revocation could end another consent of the same
// user.
//
// Errors: LinkExpired if the link was redeemed or is missing; WrongAccount if the link
// requires a different Asana user; TryAgain; Internal.
func Hold(ctx context.Context, rows *row.Rows, ring *seal.Ring, link store.Hash, c consent.Consent) (secret.String, error) {
	half, err := rows.RandomToken()
	if err != nil {
		return secret.String{}, err
	}
	text, err := encode(c)
	if err != nil {
		return secret.String{}, err
	}
	key := store.LinkKey(link)
	err = rows.Update(ctx, row.Update{
		What: "the link", Keys: []store.Key{key},
		Edit: func(_ context.Context, tx *row.Tx) error {
			found, err := unspent(row.Get[*store.Link](tx.Rows(), key))
			switch {
			case err != nil:
				return err
			case found.AsanaGID != "" && found.AsanaGID != c.User.GID:
				return &asanaauth.Error{Kind: asanaauth.WrongAccount, Err: errors.New("the link names another Asana user")}
			}
			next := *found
			next.Code, next.CodeEnd = store.HashText(half), rows.Now().Add(heldTTL)
			if next.Held, err = rows.SealField(ring, heldLabel(&next), text); err != nil {
				return err
			}
			tx.Put(&next)
			return nil
		},
	})
	if err != nil {
		return secret.String{}, err
	}
	return secret.New(link.String() + "." + half), nil
}

func withoutHeld(link *store.Link) *store.Link {
	next := *link
	next.Code, next.CodeEnd, next.Held = store.Hash{}, time.Time{}, nil
	return &next
}

// spentMarker returns the row that replaces the row of a redeemed link.
func spentMarker(link *store.Link) *store.Link {
	return &store.Link{Token: link.Token, Owner: link.Owner, Person: link.Person, End: link.End, Keep: link.Keep, Spent: true}
}
