// Package requests sends the requests to Asana that several packages share: token
// requests, revocations, introspections, and requests for a token's user. Each request
// has a time limit of 8 s. If several client secrets are configured, a token request uses
// the one that Asana accepts. All methods return errors of type [*asanaauth.Error].
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

// Config contains the parts that a [Requests] is made of. All fields are required.
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
// field. New does not check Rows.
func New(c Config) (*Requests, error) {
	err := errors.Join(row.Missing(c.Asana == nil, "Asana"), row.Missing(c.Secrets == nil, "Secrets"))
	if err != nil {
		return nil, err
	}
	return &Requests{c.Rows, c.Asana, c.Secrets}, nil
}

// Ready fetches the client secrets if none are in memory. Call Ready before a request
// whose response must not be lost. Errors: TryAgain.
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
// returns Misconfigured. The parameter connection is the connection's id in the alarm,
// and may be empty.
//
// Errors: Misconfigured and AsanaUnavailable. Both errors wrap an [*asana.Error].
func (r *Requests) Refresh(ctx context.Context, connection string, refresh secret.String) (asana.Tokens, error) {
	var tokens asana.Tokens
	err := r.withSecret(ctx, connection, func(ctx context.Context, clientSecret secret.String) (err error) {
		tokens, err = r.asana.Refresh(ctx, clientSecret, refresh)
		return err
	})
	return tokens, wrap("refreshing", err)
}

// Revoke revokes a refresh token (RFC 7009). Errors: the errors of Refresh.
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

// clientRejected reports whether Asana rejected the client id or the client secret, rather
// than the token.
func clientRejected(err error) bool {
	var e *asana.Error
	return errors.As(err, &e) && (e.Code == asana.InvalidClient || e.Code == asana.UnauthorizedClient)
}

// Introspect introspects a token of any kind (RFC 7662). An introspection changes nothing
// at Asana. Errors: TryAgain if Asana's rate limit is reached; AsanaUnavailable.
func (r *Requests) Introspect(ctx context.Context, token secret.String) (asana.Introspection, error) {
	ctx, cancel := r.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	info, err := r.asana.Introspect(ctx, token)
	return info, RateLimited(wrap("introspecting", err))
}

// Me returns an access token's user (GET /users/me). Errors: TryAgain if Asana's rate
// limit is reached; AsanaUnavailable, also if Asana refuses the request.
func (r *Requests) Me(ctx context.Context, access secret.String) (asana.User, error) {
	ctx, cancel := r.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	user, err := r.asana.Me(ctx, access)
	return user, RateLimited(wrap("asking whose token it is", err))
}

// UserInfo returns an access token's user from the UserInfo endpoint (OpenID Connect Core
// section 5.3). Errors: AsanaUnavailable.
func (r *Requests) UserInfo(ctx context.Context, access secret.String) (asana.UserInfo, error) {
	ctx, cancel := r.rows.WithTimeout(ctx, row.RequestTime)
	defer cancel()
	info, err := r.asana.UserInfo(ctx, access)
	return info, wrap("asking UserInfo", err)
}

// ErrIdentitiesDisagree is returned if Asana names different users for the same token.
var ErrIdentitiesDisagree = errors.New("asana named different users for one token")

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return ErrorOf(fmt.Errorf("%s: %w", doing, err))
}

// ErrorOf wraps an error from Asana, the store or the keyring in an [*asanaauth.Error].
// ErrorOf returns err unchanged if err already wraps an [*asanaauth.Error].
func ErrorOf(err error) error {
	var known *asanaauth.Error
	var response *asana.Error
	if !errors.As(err, &known) && errors.As(err, &response) {
		return &asanaauth.Error{Kind: asanaauth.AsanaUnavailable, Timeout: response.Timeout, Err: err}
	}
	return row.ErrorOf(err)
}

// IsStatus reports whether the cause of err is a response from Asana with the given HTTP
// status.
func IsStatus(err error, status int) bool {
	var response *asana.Error
	return errors.As(err, &response) && response.Status == status
}

// RateLimited converts a 429 response from Asana into TryAgain, with the response's
// Retry-After. RateLimited returns any other error unchanged.
func RateLimited(err error) error {
	var response *asana.Error
	if errors.As(err, &response) && response.Status == http.StatusTooManyRequests {
		return row.TryAgain(response.RetryAfter, err)
	}
	return err
}
