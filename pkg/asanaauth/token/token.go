// Package token returns access tokens for connections. Frontends and backends get the
// token itself. A Go program can also get an [oauth2.TokenSource] or an [http.Client].
//
// [Tokens.Token] is for a caller that sends the token itself, such as a frontend.
// [Tokens.HTTPClient] is the simplest choice for a Go program, which then never handles a
// token.
//
// An OAuth access token is refreshed if necessary. A personal access token or a service
// account's token is returned unchanged. Each token that is returned is recorded in an
// audit line. No function returns a refresh token.
package token

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/accesstoken"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/refresher"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Config configures [Tokens]. All packages in a program can share its values.
type Config struct {
	Store   store.Store           // required
	Keys    *keyring.Keyring      // required
	Asana   *asana.Client         // required
	Secrets *clientsecret.Secrets // required
	Clock   asanaauth.Clock       // nil: asanaauth.SystemClock
	Rand    io.Reader             // nil: crypto/rand.Reader
	Log     *slog.Logger          // for audit lines and alarms; nil: nothing is logged

	// Alone makes each caller refresh on its own. By default, concurrent callers in this
	// process share one refresh, which saves reads in a long-lived process. Even with
	// Alone, the lease in the connection's row lets only one caller at a time refresh.
	Alone bool
}

// Tokens returns access tokens. It is safe for concurrent use.
type Tokens struct {
	rows      *row.Rows
	refresher *refresher.Refresher
	source    *accesstoken.Source
	asana     *asana.Client
}

// New returns a Tokens. The error names every missing field.
func New(c Config) (*Tokens, error) {
	r, err := refresher.New(refresher.Config{
		Store: c.Store, Keys: c.Keys, Asana: c.Asana, Secrets: c.Secrets,
		Clock: c.Clock, Rand: c.Rand, Log: c.Log, Join: !c.Alone,
	})
	if err != nil {
		return nil, err
	}
	return &Tokens{rows: r.Rows(), refresher: r, source: accesstoken.New(r), asana: c.Asana}, nil
}

// Wait waits until no refresh is in progress. It returns nil, or ctx's error if ctx ends
// first. Call Wait after the last request for a token and before the process ends. A
// refresh can continue after its callers have returned. If the process ends before a
// rotated token is saved, the token is lost.
func (t *Tokens) Wait(ctx context.Context) error { return t.refresher.Wait(ctx) }

// DefaultMinTTL is the MinTTL for callers that do not choose one: five minutes.
const DefaultMinTTL = accesstoken.DefaultMinTTL

// Request is what a caller requires of a token.
type Request struct {
	// MinTTL is how long the token must still be valid. A token that has half of its
	// lifetime left is always valid long enough. Values below five seconds count as five
	// seconds. See also [DefaultMinTTL].
	MinTTL time.Duration
	// Refused is an access token that Asana rejected with a 401 response. If it is the
	// connection's current access token, Token refreshes the token. For each connection,
	// a refused token causes at most one request to Asana in 30 seconds.
	Refused secret.String
	// RefusedSHA256 is the SHA-256 hash of a refused token in lower-case hexadecimal, for
	// callers that do not have the token itself. A text that is not such a hash is
	// ignored.
	RefusedSHA256 string
}

// Token is an access token of one Asana user.
type Token struct {
	Access secret.String // for the header Authorization: Bearer (RFC 6750 section 2.1)
	// ExpiresIn is the remaining lifetime. It is zero for a long-lived token for which
	// Asana gave no expiry.
	ExpiresIn time.Duration
	Scope     string // space-separated: the granted scope, or the requested scope if Asana did not report the granted one
}

// Token returns an access token for a connection. If another caller is already refreshing
// the token, Token sends no request of its own. It returns the current token if that is
// still usable, and otherwise waits for the refresh. Token takes at most 25 seconds.
//
// Token introspects a long-lived token that a caller reports as refused (RFC 7662). If the
// token is not active, Token marks the connection as broken.
//
// Errors: NotAllowedForKind for a long-lived token if a session opened the connection;
// Unauthenticated if that session has ended; ReconnectRequired if the connection is not
// active, or Asana rejects its credential; TryAgain, AsanaUnavailable, Misconfigured,
// Internal.
func (t *Tokens) Token(ctx context.Context, conn *connection.Connection, r Request) (Token, error) {
	o := row.Unwrap(conn)
	if o.Session && !o.Traits.ForFrontends {
		return Token{}, &asanaauth.Error{
			Kind:   asanaauth.NotAllowedForKind,
			Detail: "A frontend gets tokens of OAuth connections only. Request this token from your backend.",
		}
	}
	ctx, cancel := t.rows.WithTimeout(asanaauth.WithCaller(ctx, o.Caller), row.CallerTime)
	defer cancel()
	access, err := t.source.Get(ctx, o, accesstoken.Request(r))
	if err != nil {
		return Token{}, err
	}
	t.rows.Audit(ctx, row.AuditReleased, o.Caller, o.Hot)
	out := Token{Access: access, Scope: row.ScopeOf(o.Cold)}
	if !o.Hot.Expires.IsZero() {
		out.ExpiresIn = max(0, o.Hot.Expires.Sub(t.rows.Now()))
	}
	return out, nil
}
