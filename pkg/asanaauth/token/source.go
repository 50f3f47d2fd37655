package token

import (
	"context"
	"time"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
)

// Source returns a source of the connection's access tokens, for programs that use
// x/oauth2. Each call of the source's Token method reads the token from the table, and
// refreshes an OAuth token that expires within [DefaultMinTTL]. The source does not cache
// tokens, so it returns none after the connection was disconnected or became broken. The
// field Expiry of a long-lived token is zero if Asana reported no expiry. Each call of
// the source's Token method uses the ctx that was passed to Source. The source is safe
// for concurrent use.
//
// Do not pass the source to oauth2.NewClient or oauth2.ReuseTokenSource, because they
// cache a token until it expires. Use [Tokens.HTTPClient] instead. A connection's ID is
// not a secret. If the ID came from a browser, first check its owner with
// [connection.Connections.Open].
//
// The source's Token method returns errors of type [*asanaauth.Error]: NotFound,
// ReconnectRequired, TryAgain, AsanaUnavailable, Misconfigured, Internal.
func (t *Tokens) Source(ctx context.Context, id string) oauth2.TokenSource {
	return &source{ctx, t, id}
}

type source struct {
	ctx    context.Context
	tokens *Tokens
	id     string
}

// Token implements [oauth2.TokenSource].
func (s *source) Token() (*oauth2.Token, error) {
	t, err := s.tokens.openToken(s.ctx, s.id, Request{MinTTL: DefaultMinTTL})
	if err != nil {
		return nil, err
	}
	token := &oauth2.Token{AccessToken: t.Access.Reveal(), TokenType: "Bearer"}
	if t.ExpiresIn > 0 {
		token.ExpiresIn = int64(t.ExpiresIn / time.Second)
		token.Expiry = s.tokens.rows.Now().Add(t.ExpiresIn)
	}
	return token, nil
}

func (t *Tokens) openToken(ctx context.Context, id string, r Request) (Token, error) {
	ctx, cancel := t.rows.WithTimeout(ctx, row.CallerTime)
	defer cancel()
	conn, err := t.rows.Open(ctx, id, "", asanaauth.CallerOf(ctx))
	if err != nil {
		return Token{}, requests.ErrorOf(err)
	}
	token, err := t.Token(ctx, conn, r)
	return token, requests.ErrorOf(err)
}
