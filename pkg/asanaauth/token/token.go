// Package token returns access tokens for connections.
//
// For a Go program, [Tokens.HTTPClient] is the simplest choice: the program sends
// requests with the client and never handles a token. [Tokens.Source] is for programs
// that use x/oauth2. [Tokens.Token] returns the access token. Use Token if a frontend or
// another program sends the requests to Asana.
//
// An OAuth access token is refreshed if necessary. A personal access token or a service
// account's token is returned unchanged. For each token that is returned, an audit line
// is written, without the token. No function returns a refresh token.
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

// Config configures [Tokens]. The packages that a program uses can share one Store, one
// Keyring, one asana.Client and one Secrets.
type Config struct {
	Store   store.Store           // required
	Keys    *keyring.Keyring      // required
	Asana   *asana.Client         // required
	Secrets *clientsecret.Secrets // required
	Clock   asanaauth.Clock       // nil: asanaauth.SystemClock
	Rand    io.Reader             // nil: crypto/rand.Reader
	Log     *slog.Logger          // for audit lines and alarms; nil: nothing is logged

	// By default, concurrent callers in one process share one refresh, which saves reads
	// of the table. Alone turns the sharing off. Even then, only the caller that takes
	// the lease sends a refresh request.
	Alone bool
}

// Tokens returns access tokens. The methods of Tokens are safe for concurrent use.
type Tokens struct {
	rows      *row.Rows
	refresher *refresher.Refresher
	source    *accesstoken.Source
	asana     *asana.Client
}

// New returns a Tokens, or an error that names every missing field of c.
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

// Wait waits until no refresh is in progress. Wait returns nil, or ctx's error if ctx
// ends first. Call Wait after the last request for a token and before the process ends,
// because a refresh can continue after its callers have returned. If the process ends
// before a rotated token is saved, the token is lost.
func (t *Tokens) Wait(ctx context.Context) error { return t.refresher.Wait(ctx) }

// DefaultMinTTL is the MinTTL for callers that do not choose one: five minutes.
const DefaultMinTTL = accesstoken.DefaultMinTTL

// Request describes the token that a caller needs.
type Request struct {
	// MinTTL is the shortest remaining lifetime that the caller accepts. Values below
	// five seconds count as five seconds. A token that has at least half of its lifetime
	// left is always accepted. See also [DefaultMinTTL].
	MinTTL time.Duration
	// Refused is an access token that Asana rejected with a 401 response. If Refused is
	// the connection's current access token, Token refreshes it, or introspects it if it
	// is long-lived. For each connection, reports of refused tokens cause at most one
	// refresh in 30 seconds. If an OAuth token is reported again within 30 seconds, or
	// during a cool-down, Token introspects it, at most once in 30 seconds. If Asana says
	// that the token is active, Token returns it again.
	Refused secret.String
	// RefusedSHA256 is the SHA-256 hash of a refused token in lower-case hexadecimal, for
	// callers that do not have the token itself. Any other string is ignored.
	RefusedSHA256 string
}

// Token is an access token of one Asana user.
type Token struct {
	Access secret.String // for the header Authorization: Bearer (RFC 6750 section 2.1)
	// ExpiresIn is the token's remaining lifetime when it is returned, or zero for a
	// long-lived token for which Asana gave no expiry.
	ExpiresIn time.Duration
	Scope     string // space-separated: the granted scope, or the requested scope if Asana did not report the granted one
}

// Token returns an access token for a connection. If another caller is already refreshing
// the token, Token returns the current token if it is still usable, and otherwise waits
// for that refresh. Token takes at most 25 seconds.
//
// Token introspects a long-lived token (RFC 7662) if a caller reports the token as
// refused, or if the token has expired. If the token is not active, Token marks the
// connection as broken.
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
