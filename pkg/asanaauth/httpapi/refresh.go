package httpapi

import (
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

// NewRefresh returns the handler of POST /refresh. The response is an access token
// response (RFC 6749 section 5.1) without a refresh token. NewRefresh returns an error if
// sessions or tokens is nil, or if an origin is not valid.
func NewRefresh(c Config, sessions *session.Sessions, tokens *token.Tokens, origins []string) (http.Handler, error) {
	if tokens == nil {
		return nil, missing(true, "tokens")
	}
	f, err := c.frontend(sessions, origins, "/refresh", http.MethodPost)
	if err != nil {
		return nil, err
	}
	return f.handler(func(w http.ResponseWriter, r *http.Request) error {
		return f.refresh(w, r, tokens)
	}), nil
}

func (f *frontend) refresh(w http.ResponseWriter, r *http.Request, tokens *token.Tokens) error {
	m, err := objectOf(r, "min_ttl", "refused")
	if err != nil {
		return err
	}
	wanted, err := tokenRequest(m)
	if err != nil {
		return err
	}
	s, err := f.session(r)
	if err != nil {
		return err
	}
	t, err := tokens.Token(r.Context(), s.Connection(), wanted)
	if err != nil {
		return err
	}
	return respondToken(w, t)
}
