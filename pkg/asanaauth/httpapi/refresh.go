package httpapi

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// maxMinTTL is the largest min_ttl, in seconds.
const maxMinTTL = 3000

// NewRefresh returns the handler of POST /refresh, which answers an access
// token in the shape of RFC 6749 section 5.1, without a refresh token. It fails
// where an origin is none.
func NewRefresh(c Config, conns *asanaauth.Connections, origins []string) (http.Handler, error) {
	f, err := c.frontend(conns, origins, "/refresh", http.MethodPost)
	if err != nil {
		return nil, err
	}
	return f.handler(f.refresh), nil
}

func (f *frontend) refresh(w http.ResponseWriter, r *http.Request) error {
	m, err := f.body(r, "min_ttl", "refused")
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
	t, err := f.conns.Token(r.Context(), s, wanted)
	if err != nil {
		return err
	}
	return answerToken(w, t)
}

// answerToken answers in the shape of RFC 6749 section 5.1. A long-lived token whose
// end Asana did not tell has no expires_in.
func answerToken(w http.ResponseWriter, t asanaauth.Token) error {
	var left *int64
	if t.ExpiresIn > 0 {
		seconds := int64(t.ExpiresIn / time.Second)
		left = &seconds
	}
	return answerJSON(w, http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   *int64 `json:"expires_in,omitempty"`
		Scope       string `json:"scope,omitempty"`
	}{t.Access.Reveal(), "Bearer", left, t.Scope})
}

func tokenRequest(m members) (asanaauth.TokenRequest, error) {
	wanted := asanaauth.TokenRequest{MinTTL: asanaauth.DefaultMinTTL}
	if raw, ok := m["min_ttl"]; ok {
		var seconds int64
		if json.Unmarshal(raw, &seconds) != nil || seconds < 0 || seconds > maxMinTTL {
			return wanted, invalid("min_ttl is a whole number of seconds from 0 to 3000.")
		}
		wanted.MinTTL = time.Duration(seconds) * time.Second
	}
	if raw, ok := m["refused"]; ok {
		var text string
		var hash store.Hash
		if json.Unmarshal(raw, &text) != nil || len(text) != hex.EncodedLen(len(hash)) {
			return wanted, errRefused()
		}
		if _, err := hex.Decode(hash[:], []byte(text)); err != nil {
			return wanted, errRefused()
		}
		wanted.Refused = &hash
	}
	return wanted, nil
}

func errRefused() error {
	return invalid("refused is the SHA-256 of an access token, 64 hexadecimal digits.")
}
