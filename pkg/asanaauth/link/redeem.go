package link

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/consent"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// RedeemerConfig configures a [Redeemer]. The packages that a program uses can share one
// Store and one Keyring.
type RedeemerConfig struct {
	Store store.Store      // required
	Keys  *keyring.Keyring // required
	Clock asanaauth.Clock  // nil: asanaauth.SystemClock
	Rand  io.Reader        // nil: crypto/rand.Reader
	Log   *slog.Logger     // for audit lines and alarms; nil: nothing is logged
}

// Redeemer redeems connect codes, for backends. The methods of Redeemer are safe for
// concurrent use.
type Redeemer struct{ rows *row.Rows }

// NewRedeemer returns a Redeemer, or an error that names every missing field of c.
func NewRedeemer(c RedeemerConfig) (*Redeemer, error) {
	rows, err := row.New(row.Config{Store: c.Store, Keys: c.Keys, Clock: c.Clock, Rand: c.Rand, Log: c.Log})
	if err != nil {
		return nil, err
	}
	return &Redeemer{rows}, nil
}

// RedeemRequest is a backend's request to redeem a connect code.
type RedeemRequest struct {
	Code   secret.String // the parameter connect_code in the return URL
	Owner  string        // the link's owner; take it from your own session, never from the request
	Person string        // the link's person, also from your own session; empty if the link has no person
}

// Redeemed is the result of [Redeemer.Redeem].
type Redeemed struct {
	asanaauth.Details
	// Already is true if an earlier request had redeemed the code for the same owner and
	// person. Redeem then wrote nothing. Therefore, a backend can safely repeat a request.
	Already bool
}

// Redeem makes a connection from the consent that belongs to a connect code. Redeem
// saves the connection and marks the link as redeemed in one transaction. A code can be
// redeemed once, within 10 minutes after the consent. If the same request is repeated
// within these 10 minutes, Redeem returns the same connection again.
//
// If the owner or the person is wrong and the code is not redeemed yet, Redeem erases the
// consent and its code, because an attacker may have forwarded the link. The link itself
// stays valid.
//
// Errors: InvalidRequest if the owner or the person is malformed; LinkExpired if the
// code, the owner or the person is wrong, or the code has expired; TryAgain; Internal.
func (r *Redeemer) Redeem(ctx context.Context, req RedeemRequest) (Redeemed, error) {
	d, err := r.redeem(ctx, req)
	if asanaauth.KindOf(err) == asanaauth.LinkExpired {
		return Redeemed{}, row.CodeExpired(err)
	}
	return d, err
}

func (r *Redeemer) redeem(ctx context.Context, req RedeemRequest) (Redeemed, error) {
	if err := row.CheckNewOwner(req.Owner); err != nil {
		return Redeemed{}, err
	}
	person, err := personHash(req.Person)
	if err != nil {
		return Redeemed{}, err
	}
	ctx, cancel := r.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	code, ok := splitCode(req.Code)
	if !ok {
		return Redeemed{}, row.ErrLinkExpired
	}
	ring, err := r.rows.Ring(ctx)
	if err != nil {
		return Redeemed{}, err
	}
	found, err := r.find(ctx, code)
	if err != nil {
		return Redeemed{}, err
	}
	if found.Owner != store.HashText(req.Owner) || found.Person != person {
		return Redeemed{}, r.destroy(ctx, found, code)
	}
	if found.Spent {
		return r.repeat(ctx, ring, found, req.Owner)
	}
	d, err := r.save(ctx, ring, found, code, req.Owner)
	var already *alreadyRedeemed
	if errors.As(err, &already) {
		return r.repeat(ctx, ring, already.link, req.Owner)
	}
	return Redeemed{Details: d}, err
}

// save makes the connection. If another request redeems the code first, save returns an
// [alreadyRedeemed] error.
func (r *Redeemer) save(ctx context.Context, ring *seal.Ring, found *store.Link, code connectCode, owner string) (asanaauth.Details, error) {
	held, err := r.openConsent(ctx, ring, found, owner)
	if err != nil {
		return asanaauth.Details{}, err
	}
	w := consent.Write{
		Rows: r.rows, Ring: ring, Consent: held, Beside: code.key,
		Also: func(tx *row.Tx, hot *store.Hot) error {
			there, err := r.check(ctx, row.Get[*store.Link](tx.Rows(), code.key), code)
			if err != nil {
				return err
			}
			if there.Spent {
				return &alreadyRedeemed{there}
			}
			spent, err := spentRow(r.rows, ring, there, hot.Connection)
			if err == nil {
				tx.Put(spent)
			}
			return err
		},
	}
	done, err := w.Do(ctx)
	if err != nil {
		return asanaauth.Details{}, err
	}
	r.rows.Audit(ctx, row.AuditCodeRedeemed, asanaauth.CallerOf(ctx), done.Hot)
	done.Audit(ctx, row.AuditConnected, asanaauth.CallerOf(ctx))
	return done.Details(), nil
}

// alreadyRedeemed is the error of a request whose code was redeemed by another request at
// the same time. It contains the link's row.
type alreadyRedeemed struct{ link *store.Link }

func (*alreadyRedeemed) Error() string { return "another request has redeemed the code" }

// repeat returns the connection for which a code was redeemed. The code, the owner and the
// person have been checked.
func (r *Redeemer) repeat(ctx context.Context, ring *seal.Ring, spent *store.Link, owner string) (Redeemed, error) {
	id, err := r.open(ctx, ring, spent, fieldRedeemed)
	if err != nil {
		return Redeemed{}, err
	}
	conn, err := r.rows.Open(ctx, id.Reveal(), owner, asanaauth.CallerOf(ctx))
	if asanaauth.KindOf(err) == asanaauth.NotFound {
		return Redeemed{}, row.ErrLinkExpired
	}
	if err != nil {
		return Redeemed{}, err
	}
	d, err := r.rows.Describe(ctx, conn)
	return Redeemed{Details: d, Already: err == nil}, err
}

// connectCode is a parsed connect code: the key of the link's row, and the hash of the
// code's secret part.
type connectCode struct {
	key  store.Key
	hash store.Hash
}

func splitCode(code secret.String) (connectCode, bool) {
	name, rest, ok := strings.Cut(code.Reveal(), ".")
	token, err := store.ParseHash(name)
	return connectCode{store.LinkKey(token), store.HashText(rest)}, ok && err == nil
}

func (r *Redeemer) find(ctx context.Context, code connectCode) (*store.Link, error) {
	rows, err := r.rows.Read(ctx, "the link", code.key)
	if err != nil {
		return nil, err
	}
	return r.check(ctx, row.Get[*store.Link](rows, code.key), code)
}

// check returns found if code belongs to this row and has not expired, and LinkExpired
// otherwise. The code can already be redeemed.
func (r *Redeemer) check(ctx context.Context, found *store.Link, code connectCode) (*store.Link, error) {
	switch {
	case found == nil, found.Code != code.hash:
		return nil, row.ErrLinkExpired
	case !r.rows.Now().Before(found.CodeEnd):
		if !found.Spent {
			r.forget(ctx, found)
		}
		return nil, row.ErrLinkExpired
	}
	return found, nil
}

// forget erases an expired consent from its link's row. The consent is not revoked at
// Asana, because the revocation could end another consent of the same user. If the write
// fails, the next Hold or the row's TTL erases the consent.
func (r *Redeemer) forget(ctx context.Context, found *store.Link) {
	if err := r.rows.Replace(ctx, found, withoutHeld(found)); err != nil {
		r.rows.Warn(ctx, "expired consent not erased", slog.Any("err", err))
	}
}

// openConsent opens the consent in a link's row. Errors: the errors of open.
func (r *Redeemer) openConsent(ctx context.Context, ring *seal.Ring, found *store.Link, owner string) (consent.Consent, error) {
	text, err := r.open(ctx, ring, found, fieldConsent)
	if err != nil {
		return consent.Consent{}, err
	}
	return decode(text, owner)
}

// open opens the sealed field in a link's row. It returns LinkExpired if the field cannot
// be opened, because such a field was not sealed by this installation for this row.
func (r *Redeemer) open(ctx context.Context, ring *seal.Ring, found *store.Link, field string) (secret.String, error) {
	text, err := r.rows.OpenField(ctx, ring, "", labelOf(found, field), found.Held)
	if errors.Is(err, seal.ErrOpen) {
		return secret.String{}, row.ErrLinkExpired
	}
	return text, err
}

// destroy erases the consent that belongs to code, after a request named a wrong owner or
// person. If the code is redeemed, destroy writes nothing. Even on success, destroy returns
// an error: LinkExpired.
func (r *Redeemer) destroy(ctx context.Context, found *store.Link, code connectCode) error {
	r.rows.AuditOwner(ctx, row.AuditDenied, asanaauth.CallerOf(ctx), found.Owner)
	err := r.rows.Update(ctx, row.Update{
		What: "the link", Keys: []store.Key{code.key}, Known: store.Rows{code.key: found},
		Edit: func(ctx context.Context, tx *row.Tx) error {
			there, err := r.check(ctx, row.Get[*store.Link](tx.Rows(), code.key), code)
			if err == nil && !there.Spent {
				tx.Put(withoutHeld(there))
			}
			return err
		},
	})
	if err != nil {
		return err
	}
	return row.ErrLinkExpired
}
