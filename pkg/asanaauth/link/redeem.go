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

// Redeem makes a connection from the consent that belongs to a connect code. Redeem
// saves the connection and marks the link as redeemed in one transaction. If the call is
// interrupted, either the transaction succeeds or the code can still be redeemed. A code
// can be redeemed once, within 10 minutes after the consent.
//
// If the owner or the person is wrong, Redeem erases the consent and its code, because
// the code may be in the hands of an attacker who forwarded the link. The link itself
// stays valid.
//
// Errors: InvalidRequest if the owner or the person is malformed; LinkExpired if the
// code, the owner or the person is wrong, or the code has expired; TryAgain; Internal.
func (r *Redeemer) Redeem(ctx context.Context, req RedeemRequest) (asanaauth.Details, error) {
	d, err := r.redeem(ctx, req)
	if asanaauth.KindOf(err) == asanaauth.LinkExpired {
		return asanaauth.Details{}, row.CodeExpired(err)
	}
	return d, err
}

func (r *Redeemer) redeem(ctx context.Context, req RedeemRequest) (asanaauth.Details, error) {
	if err := row.CheckNewOwner(req.Owner); err != nil {
		return asanaauth.Details{}, err
	}
	person, err := personHash(req.Person)
	if err != nil {
		return asanaauth.Details{}, err
	}
	ctx, cancel := r.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	code, ok := splitCode(req.Code)
	if !ok {
		return asanaauth.Details{}, row.ErrLinkExpired
	}
	ring, err := r.rows.Ring(ctx)
	if err != nil {
		return asanaauth.Details{}, err
	}
	found, err := r.find(ctx, code)
	if err != nil {
		return asanaauth.Details{}, err
	}
	if found.Owner != store.HashText(req.Owner) || found.Person != person {
		return asanaauth.Details{}, r.destroy(ctx, found, code)
	}
	held, err := r.openConsent(ctx, ring, found, req.Owner)
	if err != nil {
		return asanaauth.Details{}, err
	}
	w := consent.Write{
		Rows: r.rows, Ring: ring, Consent: held, Beside: code.key,
		Also: func(tx *row.Tx, _ *store.Hot) (store.Row, error) {
			there, err := r.check(ctx, row.Get[*store.Link](tx.Rows(), code.key), code)
			if err != nil {
				return nil, err
			}
			return spentMarker(there), nil
		},
	}
	done, err := w.Do(ctx)
	if err != nil {
		return asanaauth.Details{}, err
	}
	done.Audit(ctx, row.AuditConnected, asanaauth.CallerOf(ctx))
	return done.Details(), nil
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

// check returns found if the consent in this row belongs to code and has not expired, and
// LinkExpired otherwise.
func (r *Redeemer) check(ctx context.Context, found *store.Link, code connectCode) (*store.Link, error) {
	found, err := unspent(found)
	switch {
	case err != nil:
		return nil, err
	case found.Code.IsZero(), found.Code != code.hash:
		return nil, row.ErrLinkExpired
	case !r.rows.Now().Before(found.CodeEnd):
		r.forget(ctx, found)
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

// openConsent opens the consent in a link's row. It returns LinkExpired if the consent
// cannot be opened, because such a consent was not sealed by this installation for this
// row.
func (r *Redeemer) openConsent(ctx context.Context, ring *seal.Ring, found *store.Link, owner string) (consent.Consent, error) {
	text, err := r.rows.OpenField(ctx, ring, "", heldLabel(found), found.Held)
	if errors.Is(err, seal.ErrOpen) {
		return consent.Consent{}, row.ErrLinkExpired
	}
	if err != nil {
		return consent.Consent{}, err
	}
	return decode(text, owner)
}

// destroy erases the consent that belongs to code, after a request named a wrong owner or
// person. Even on success, destroy returns an error: LinkExpired.
func (r *Redeemer) destroy(ctx context.Context, found *store.Link, code connectCode) error {
	r.rows.AuditDeniedOwner(ctx, found.Owner, asanaauth.CallerOf(ctx))
	err := r.rows.Update(ctx, row.Update{
		What: "the link", Keys: []store.Key{code.key}, Known: store.Rows{code.key: found},
		Edit: func(ctx context.Context, tx *row.Tx) error {
			there, err := r.check(ctx, row.Get[*store.Link](tx.Rows(), code.key), code)
			if err == nil {
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
