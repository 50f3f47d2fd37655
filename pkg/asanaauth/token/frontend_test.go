package token_test

import (
	"context"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A browser never gets a long-lived token, even if the browser has a session for the
// token's connection.
func TestALongLivedTokenIsNotForAFrontend(t *testing.T) {
	t.Parallel()
	for _, kind := range []asanaauth.Kind{asanaauth.PersonalAccessToken, asanaauth.ServiceAccount} {
		t.Run(string(kind), func(t *testing.T) {
			authtest.Bubble(t, func(t *testing.T) {
				p := authtest.New(t).Process()
				s := p.Session(p.SignIn(asanatest.Member))
				opened := *row.Unwrap(s.Connection())
				hot := *opened.Hot
				hot.Kind = string(kind)
				opened.Hot = &hot
				_, err := p.Tokens.Token(context.Background(), row.Wrap(opened), token.Request{})
				authtest.WantKind(t, err, asanaauth.NotAllowedForKind)
			})
		})
	}
}
