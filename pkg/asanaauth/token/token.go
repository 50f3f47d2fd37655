// Package token returns access tokens of connections: to frontends and backends, and to
// Go programs as an [oauth2.TokenSource] or an [http.Client].
//
// [Tokens.Token] is for a caller that sends the token itself, such as a frontend.
// [Tokens.HTTPClient] is the simplest way for a Go program: it never shows a token.
//
// An OAuth token is refreshed if necessary. A personal access token or a service account's
// token is returned as it is. An audit line is written for every token that is returned. No
// function returns a refresh token.
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

// Config configures [Tokens]. All packages of a program can share its values.
type Config struct {
	Store   store.Store           // required
	Keys    *keyring.Keyring      // required
	Asana   *asana.Client         // required
	Secrets *clientsecret.Secrets // required
	Clock   asanaauth.Clock       // nil: asanaauth.SystemClock
	Rand    io.Reader             // nil: crypto/rand.Reader
	Log     *slog.Logger          // for audit lines and alarms; nil: nothing is logged

	// Alone makes each caller refresh on its own. By default, concurrent callers in this
	// process share one refresh, which saves reads in a long-lived process. Correctness
	// does not depend on it: the store lets only one of them ask Asana.
	Alone bool
}

// Tokens returns access tokens. It is safe for concurrent use.
type Tokens struct {
	rows      *row.Rows
	refresher *refresher.Refresher
	source    *accesstoken.Source
	asana     *asana.Client
}

// New returns Tokens. The error reports every missing field.
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
// first. Call it after the last call that asks for a token and before the process ends. A
// refresh continues after its callers have returned, and a rotated token that is not saved
// is lost.
func (t *Tokens) Wait(ctx context.Context) error { return t.refresher.Wait(ctx) }

// DefaultMinTTL is the MinTTL of callers that do not choose one: five minutes.
const DefaultMinTTL = accesstoken.DefaultMinTTL

// Request is what a caller requires of a token.
type Request struct {
	// MinTTL is how long the token must still be valid; half of its lifetime is enough.
	// Values below five seconds count as five seconds. See also [DefaultMinTTL].
	MinTTL time.Duration
	// Refused is an access token to which Asana responded with 401. If it is the
	// connection's current one, it is refreshed rather than returned again. A connection's
	// token can be refused once in 30 seconds.
	Refused secret.String
	// RefusedSHA256 is the SHA-256 of such a token in lower-case hexadecimal, for callers
	// that do not have the token itself. Any other text matches no token.
	RefusedSHA256 string
}

// Token is an access token of one Asana user.
type Token struct {
	Access secret.String // for the header Authorization: Bearer (RFC 6750 section 2.1)
	// ExpiresIn is the lifetime left when the token was read; zero if Asana gave no
	// expiry for a long-lived token.
	ExpiresIn time.Duration
	Scope     string // space-separated: the granted scope, or the requested one if Asana did not report it
}

// Token returns an access token of a connection. If another caller is refreshing, Token
// waits for that refresh and does not ask Asana again. It takes 25 seconds at most. A
// long-lived token that is reported as refused is introspected (RFC 7662). If it is not
// active, the connection is marked as broken.
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
