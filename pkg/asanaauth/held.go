package asanaauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// What Asana answers to a person who followed a link is held in the link's row,
// sealed, until the backend redeems the connect code and says whose it is: only the
// backend knows who is signed in to its own app. Until then there is no connection.

// heldLabel names the link, its owner and person, and the code and its end: a row in
// which somebody else has changed one of these opens no more.
func heldLabel(link *store.Link) seal.Label {
	return seal.Label{
		Row:   link.Key().String(),
		Owner: string(link.Owner[:]),
		Field: "held",
		Facts: []string{link.Person.String(), link.Code.String(), strconv.FormatInt(link.CodeEnd.UnixMilli(), 10)},
	}
}

// heldConsent is a consent as it is written, before it is sealed.
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
}

func holdConsent(c consent) (secret.String, error) {
	text, err := json.Marshal(heldConsent{
		Access: c.tokens.Access.Reveal(), Refresh: c.tokens.Refresh.Reveal(),
		ExpiresIn: int64(c.tokens.ExpiresIn / time.Second), Issued: c.issued.UnixMilli(),
		Granted: c.tokens.Scope, Scopes: c.scopes,
		GID: c.user.GID, Name: c.user.Name.Reveal(), Email: c.user.Email.Reveal(), Picture: c.user.Picture.Reveal(),
	})
	return secret.New(string(text)), err
}

func (h heldConsent) consent(owner string) consent {
	return consent{
		kind:  store.OAuth,
		owner: owner,
		tokens: asana.Tokens{
			Access: secret.New(h.Access), Refresh: secret.New(h.Refresh),
			ExpiresIn: time.Duration(h.ExpiresIn) * time.Second, Scope: h.Granted,
		},
		user:   asana.User{GID: h.GID, Name: secret.New(h.Name), Email: secret.New(h.Email), Picture: secret.New(h.Picture)},
		scopes: h.Scopes,
		issued: time.UnixMilli(h.Issued).UTC(),
	}
}

// hold keeps the consent in the link's row, in place of one that is held there, and
// returns the connect code: the link's key and a secret of its own. A consent that
// the link does not want is forgotten, and not revoked: that could end another one.
func (l *Login) hold(ctx context.Context, ring *seal.Ring, link store.Hash, c consent) (secret.String, error) {
	random, err := draw(l.Rand, 32)
	if err != nil {
		return secret.String{}, err
	}
	writer, err := l.drawName()
	if err != nil {
		return secret.String{}, err
	}
	half := token(random)
	key := store.LinkKey(link)
	for {
		row, err := findLink(ctx, &l.Parts, key)
		if err == nil {
			err = l.holdIn(ctx, ring, row, c, half, writer)
		}
		if err == nil {
			return secret.New(link.String() + "." + half), nil
		}
		if KindOf(err) != TryAgain || l.Clock.Sleep(ctx, l.between(pollMin, pollMax)) != nil {
			return secret.String{}, err
		}
	}
}

func (l *Login) holdIn(ctx context.Context, ring *seal.Ring, link *store.Link, c consent, half, writer string) error {
	if link.AsanaGID != "" && link.AsanaGID != c.user.GID {
		return &Error{Kind: WrongAccount, Err: errors.New("the link names another Asana user")}
	}
	text, err := holdConsent(c)
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	row := *link
	row.Code, row.CodeEnd = store.HashText(half), l.now().Add(heldTTL)
	if row.Held, err = ring.Seal(l.Rand, heldLabel(&row), text); err != nil {
		return fmt.Errorf("sealing the answer: %w", err)
	}
	if err := l.Store.Write(ctx, store.Put(&row, link.Rev, writer)); err != nil {
		return fromParts(fmt.Errorf("holding the answer: %w", err))
	}
	return nil
}

// RedeemRequest is a backend's claim to what is held under a connect code.
type RedeemRequest struct {
	Code   secret.String // "connect_code" of the return URL
	Owner  string        // the link's
	Person string        // the link's; empty where it named none
}

// Redeem makes the connection that is held under a connect code: link, connection
// and pointer are one transaction, so that nothing is lost wherever this ends. The
// code is single use. With a wrong owner or person the code and what it held are
// destroyed: whoever has it did not begin that trip. The link stays good then.
//
// Errors: InvalidRequest, LinkExpired (one for all that is wrong with the code),
// TryAgain, Internal.
func (c *Connections) Redeem(ctx context.Context, r RedeemRequest, caller string) (Details, error) {
	d, err := c.redeem(ctx, r, caller)
	return d, codeOver(err)
}

// codeOver is one answer for all that is wrong with a code: whose it is not is no
// more to be learnt than whether there was one.
func codeOver(err error) error {
	if KindOf(err) != LinkExpired {
		return err
	}
	return &Error{Kind: LinkExpired, Detail: "The code is unknown, spent or too old, or was made for another owner or person.", Err: err}
}

func (c *Connections) redeem(ctx context.Context, r RedeemRequest, caller string) (Details, error) {
	if err := checkNewOwner(r.Owner); err != nil {
		return Details{}, err
	}
	person, err := personOf(r.Person)
	if err != nil {
		return Details{}, err
	}
	ctx, cancel := c.bound(ctx, callerTime)
	defer cancel()
	key, codeHash, ok := splitCode(r.Code)
	if !ok {
		return Details{}, errLinkExpired
	}
	ring, err := c.Keys.Ring(ctx)
	if err != nil {
		return Details{}, err
	}
	link, err := c.heldUnder(ctx, key, codeHash)
	if err != nil {
		return Details{}, err
	}
	if link.Owner != store.HashText(r.Owner) || link.Person != person {
		return Details{}, c.destroy(ctx, link, codeHash, caller)
	}
	held, err := c.openHeld(ctx, ring, link)
	if err != nil {
		return Details{}, err
	}
	w := consentWrite{p: &c.Parts, ring: ring, consent: held.consent(r.Owner)}
	w.beside = func(ctx context.Context, _ *store.Hot, writer string) (store.Change, error) {
		there, err := c.heldUnder(ctx, key, codeHash)
		if err != nil {
			return store.Change{}, err
		}
		return store.Put(spentLink(there), there.Rev, writer), nil
	}
	if err := w.keep(ctx); err != nil {
		return Details{}, err
	}
	w.kept(ctx, auditConnected, caller)
	return w.details(), nil
}

// splitCode reads a connect code: the hash of the link's token, and a secret, of which
// the row has the hash.
func splitCode(code secret.String) (key store.Key, codeHash store.Hash, ok bool) {
	name, rest, ok := strings.Cut(code.Reveal(), ".")
	token, err := store.ParseHash(name)
	return store.LinkKey(token), store.HashText(rest), ok && err == nil
}

// heldUnder reads the link that holds an answer under the code.
func (c *Connections) heldUnder(ctx context.Context, key store.Key, codeHash store.Hash) (*store.Link, error) {
	link, err := findLink(ctx, &c.Parts, key)
	switch {
	case err != nil:
		return nil, err
	case link.Code.IsZero(), link.Code != codeHash:
		return nil, errLinkExpired
	case !c.now().Before(link.CodeEnd):
		c.forget(ctx, link)
		return nil, errLinkExpired
	}
	return link, nil
}

// forget erases an answer that is over, and revokes nothing: that could end another
// consent. Where it fails the row's own end, or the next trip, does it.
func (c *Connections) forget(ctx context.Context, link *store.Link) {
	writer, err := c.drawName()
	if err == nil {
		err = c.Store.Write(ctx, store.Put(emptied(link), link.Rev, writer))
	}
	if err != nil {
		c.Log.WarnContext(ctx, "an answer that is over left to its row's end", "err", err)
	}
}

// emptied is the link without what it holds.
func emptied(link *store.Link) *store.Link {
	row := *link
	row.Code, row.CodeEnd, row.Held = store.Hash{}, time.Time{}, nil
	return &row
}

// openHeld opens the answer. One that does not open was not held by us.
func (c *Connections) openHeld(ctx context.Context, ring *seal.Ring, link *store.Link) (heldConsent, error) {
	text, err := c.Keys.open(ctx, ring, heldLabel(link), link.Held)
	if errors.Is(err, seal.ErrOpen) {
		c.alarm(ctx, alarmUnseal, "", err)
		return heldConsent{}, errLinkExpired
	}
	if err != nil {
		return heldConsent{}, fromParts(err)
	}
	var held heldConsent
	if json.Unmarshal([]byte(text.Reveal()), &held) != nil {
		return held, &Error{Kind: Internal, Err: errors.New("a held answer cannot be read")}
	}
	return held, nil
}

// spentLink is what is left of a link that was redeemed.
func spentLink(link *store.Link) *store.Link {
	return &store.Link{
		Token: link.Token, Owner: link.Owner, Person: link.Person,
		Created: link.Created, End: link.End, Keep: link.Keep, Spent: true,
	}
}

// destroy forgets what is held under a code that somebody brought who did not begin
// the trip. It returns LinkExpired when that has happened.
func (c *Connections) destroy(ctx context.Context, link *store.Link, codeHash store.Hash, caller string) error {
	writer, err := c.drawName()
	if err != nil {
		return err
	}
	c.deniedOwner(ctx, link.Owner, caller)
	for {
		err := c.Store.Write(ctx, store.Put(emptied(link), link.Rev, writer))
		if err == nil {
			return errLinkExpired
		}
		if c.Clock.Sleep(ctx, c.between(pollMin, pollMax)) != nil {
			return fromParts(fmt.Errorf("destroying the answer: %w", err))
		}
		there, err := c.heldUnder(ctx, link.Key(), codeHash)
		switch {
		case err == nil:
			link = there
		case KindOf(err) != TryAgain:
			return err
		}
	}
}
