// Package accesstoken gets the access token of an opened connection. Two packages import
// it: package token returns the token to callers and writes an audit line, and package
// membership sends the token only to Asana.
//
// An OAuth access token is refreshed if it expires too soon for the caller, or if the
// caller reports it as refused. A long-lived token is never refreshed. It is introspected
// if a caller reports it as refused, or if it has expired.
package accesstoken

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/refresher"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// DefaultMinTTL is the MinTTL for callers that do not choose one.
const DefaultMinTTL = 300 * time.Second

// Request is what a caller requires of a token. The type Request in package token
// describes these fields.
type Request struct {
	MinTTL        time.Duration
	Refused       secret.String
	RefusedSHA256 string
}

func (r Request) isRefused(access secret.String) bool {
	if !r.Refused.IsZero() && r.Refused.Equal(access) {
		return true
	}
	hash := sha256.Sum256([]byte(access.Reveal()))
	return r.RefusedSHA256 == hex.EncodeToString(hash[:])
}

// Source gets access tokens from the table, or new ones from Asana. A Source is safe for
// concurrent use.
type Source struct {
	rows      *row.Rows
	requests  *requests.Requests
	refresher *refresher.Refresher
}

// New returns a Source that refreshes with r.
func New(r *refresher.Refresher) *Source { return &Source{r.Rows(), r.Requests(), r} }

// Get returns an access token that meets the requirements in r. If Get refreshes the
// token, it sets o.Hot to the new row.
//
// Errors: Unauthenticated if the session that opened the connection has ended;
// Misconfigured, also if an OAuth grant was issued to a different client ID;
// ReconnectRequired, TryAgain, AsanaUnavailable, Internal.
func (s *Source) Get(ctx context.Context, o *row.Opened, r Request) (secret.String, error) {
	if !o.IsConsistent() {
		return secret.String{}, row.ErrInconsistentRead
	}
	if !o.Traits.IsGrant {
		return s.longLived(ctx, o, r)
	}
	if err := s.refresher.CheckClientID(ctx, o.Hot); err != nil {
		return secret.String{}, err
	}
	current, err := s.rows.OpenAccess(ctx, o.Ring, o.Hot)
	if err != nil {
		return secret.String{}, err
	}
	p := refresher.Policy{MinTTL: r.MinTTL}
	if r.isRefused(current) {
		p.RefusedGrant = o.Hot.Grant
	}
	if p.IsFresh(o.Hot, s.rows.Now()) {
		return current, nil
	}
	hot, err := s.refresher.Refresh(ctx, o.Hot, p)
	if err != nil {
		return secret.String{}, err
	}
	access, err := s.rows.OpenAccess(ctx, o.Ring, hot)
	if err != nil {
		return secret.String{}, err
	}
	if o.Session && hot.Epoch != o.Hot.Epoch {
		return secret.String{}, row.ErrUnauthenticated // the session ended during the refresh
	}
	o.Hot = hot
	return access, nil
}

// Use calls request with the connection's access token, and returns the result. If
// request returns a 401 response from Asana as its error, Use reports the token as
// refused to [Source.Get], and calls request once more with the token that Get returns.
// Each call of request has a time limit of 16 s.
//
// Errors: the errors of [Source.Get] and of request.
func Use[T any](ctx context.Context, s *Source, conn *row.Connection, request func(context.Context, secret.String) (T, error)) (T, error) {
	o := row.Unwrap(conn)
	ctx = asanaauth.WithCaller(ctx, o.Caller)
	r := Request{MinTTL: DefaultMinTTL}
	for first := true; ; first = false {
		access, err := s.Get(ctx, o, r)
		if err != nil {
			var none T
			return none, err
		}
		bounded, cancel := s.rows.WithTimeout(ctx, 2*row.RequestTime)
		got, err := request(bounded, access)
		cancel()
		if !first || !requests.IsStatus(err, http.StatusUnauthorized) {
			return got, err
		}
		r.Refused = access
	}
}
