// Package requests sends the requests to Asana that several packages share: token
// requests, revocations, introspections, and requests for the user of a token. Each
// request has a time limit of 8 s. If Asana rejects the client secret of a token request
// or a revocation, the request is sent again with the next client secret. All methods
// return errors of type [*asanaauth.Error].
package requests

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Config contains what a [Requests] needs. All fields are required.
type Config struct {
	Rows    *row.Rows
	Asana   *asana.Client
	Secrets *clientsecret.Secrets
}

// Requests sends requests to Asana. A Requests is safe for concurrent use.
type Requests struct {
	rows    *row.Rows
	asana   *asana.Client
	secrets *clientsecret.Secrets
}

// New returns a Requests. If Asana or Secrets is missing, the error names the missing
// fields. New accepts nil as Rows, so that a caller whose row.New failed can report all
// missing fields at once.
func New(c Config) (*Requests, error) {
	err := errors.Join(row.Missing(c.Asana == nil, "Asana"), row.Missing(c.Secrets == nil, "Secrets"))
	if err != nil {
		return nil, err
	}
	return &Requests{c.Rows, c.Asana, c.Secrets}, nil
}

// Ready fetches the client secrets if none are in memory. Call Ready before a request
// whose response must not be lost, so that the request does not have to wait for the
// secrets. Errors: TryAgain.
func (r *Requests) Ready(ctx context.Context) error {
	if err := r.secrets.Ready(ctx); err != nil {
		return row.TryAgain(0, err)
	}
	return nil
}

// Exchange exchanges an authorization code for tokens (RFC 6749 section 4.1.3). Errors:
// the errors of [Requests.Refresh].
func (r *Requests) Exchange(ctx context.Context, code, verifier secret.String, redirectURI string) (asana.Tokens, error) {
	var tokens asana.Tokens
	err := r.withSecret(ctx, "", func(ctx context.Context, clientSecret secret.String) (err error) {
		tokens, err = r.asana.Exchange(ctx, clientSecret, code, verifier, redirectURI)
		return err
	})
	return tokens, wrap("exchanging the code", err)
}

// Refresh exchanges a refresh token for tokens (RFC 6749 section 6). If Asana rejects a
// client secret, Refresh sends the request again with the next client secret. If Asana
// rejects every client secret, Refresh raises the alarm client_secret_rejected and
// returns Misconfigured. The alarm contains the parameter connection, which is a
// connection's ID or empty.
//
// Errors: Misconfigured; TryAgain if Asana's rate limit is reached; AsanaUnavailable. All
// of them wrap an [*asana.Error].
func (r *Requests) Refresh(ctx context.Context, connection string, refresh secret.String) (asana.Tokens, error) {
	var tokens asana.Tokens
	err := r.withSecret(ctx, connection, func(ctx context.Context, clientSecret secret.String) (err error) {
		tokens, err = r.asana.Refresh(ctx, clientSecret, refresh)
		return err
	})
	return tokens, wrap("refreshing", err)
}

// Revoke revokes a refresh token (RFC 7009). The parameter connection is used as in
// [Requests.Refresh]. Errors: the errors of Refresh.
func (r *Requests) Revoke(ctx context.Context, connection string, refresh secret.String) error {
	return wrap("revoking", r.withSecret(ctx, connection, func(ctx context.Context, clientSecret secret.String) error {
		return r.asana.Revoke(ctx, clientSecret, refresh)
	}))
}

func (r *Requests) withSecret(ctx context.Context, connection string, request func(context.Context, secret.String) error) error {
	ctx, cancel := r.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	err := r.secrets.Try(ctx, clientRejected, func(clientSecret secret.String) error { return request(ctx, clientSecret) })
	if errors.Is(err, clientsecret.ErrRejected) {
		r.rows.Alarm(ctx, row.AlarmSecretRejected, connection, err)
		return &asanaauth.Error{Kind: asanaauth.Misconfigured, Err: err}
	}
	return err
}

// clientRejected reports whether Asana rejected the client ID or the client secret,
// rather than the token.
func clientRejected(err error) bool {
	var e *asana.Error
	return errors.As(err, &e) && (e.Code == asana.InvalidClient || e.Code == asana.UnauthorizedClient)
}

// Introspect introspects a token of any kind (RFC 7662). This does not change the token.
// Errors: TryAgain if Asana's rate limit is reached; AsanaUnavailable.
func (r *Requests) Introspect(ctx context.Context, token secret.String) (asana.Introspection, error) {
	ctx, cancel := r.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	info, err := r.asana.Introspect(ctx, token)
	return info, wrap("introspecting", err)
}

// Me returns the Asana user to whom an access token belongs (GET /users/me). Errors:
// TryAgain if Asana's rate limit is reached; AsanaUnavailable, also if Asana refuses the
// request.
func (r *Requests) Me(ctx context.Context, access secret.String) (asana.User, error) {
	ctx, cancel := r.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	user, err := r.asana.Me(ctx, access)
	return user, wrap("asking whose token it is", err)
}

// UserInfo returns what the UserInfo endpoint says about the user to whom an access token
// belongs (OpenID Connect Core section 5.3). Errors: the errors of [Requests.Me].
func (r *Requests) UserInfo(ctx context.Context, access secret.String) (asana.UserInfo, error) {
	ctx, cancel := r.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	info, err := r.asana.UserInfo(ctx, access)
	return info, wrap("asking UserInfo", err)
}

// ErrIdentitiesDisagree means that two responses from Asana name different users for the
// same token.
var ErrIdentitiesDisagree = errors.New("asana named different users for one token")

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return ErrorOf(fmt.Errorf("%s: %w", doing, err))
}

// ErrorOf wraps an error from Asana, the store or the keyring in an [*asanaauth.Error].
// ErrorOf returns err unchanged if err already wraps an [*asanaauth.Error].
//
// If err is a 429 response from Asana, ErrorOf returns TryAgain. Its RetryAfter is the
// Retry-After of the response, but at most row.RetryAfterMax. Any other error from Asana
// becomes AsanaUnavailable.
func ErrorOf(err error) error {
	var known *asanaauth.Error
	var response *asana.Error
	switch {
	case errors.As(err, &known), !errors.As(err, &response):
		return row.ErrorOf(err)
	case response.Status == http.StatusTooManyRequests:
		return row.TryAgain(min(response.RetryAfter, row.RetryAfterMax), err)
	}
	return &asanaauth.Error{Kind: asanaauth.AsanaUnavailable, Timeout: response.Timeout, Err: err}
}

// IsRefusal reports whether err wraps a response with which Asana refused a request, and
// the same request cannot succeed later. This is the case for a 4xx status other than 401
// (the token is not accepted), 408, 425 and 429 (the request can succeed later).
func IsRefusal(err error) bool {
	var response *asana.Error
	if !errors.As(err, &response) || response.Status < 400 || response.Status > 499 {
		return false
	}
	switch response.Status {
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return true
}

// IsStatus reports whether err wraps a response from Asana with the given HTTP status.
func IsStatus(err error, status int) bool {
	var response *asana.Error
	return errors.As(err, &response) && response.Status == status
}
