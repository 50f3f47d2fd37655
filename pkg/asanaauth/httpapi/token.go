package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

// maxMinTTL is the maximum value of the member "min_ttl", in seconds.
const maxMinTTL = 3000

// tokenRequest returns the request that the members "min_ttl" and "refused" describe.
// POST /refresh and POST /connections/{id}/token accept these members.
func tokenRequest(m members) (token.Request, error) {
	wanted := token.Request{MinTTL: token.DefaultMinTTL}
	if raw, ok := m["min_ttl"]; ok {
		var seconds int64
		if json.Unmarshal(raw, &seconds) != nil || seconds < 0 || seconds > maxMinTTL {
			return wanted, invalid("min_ttl must be a whole number of seconds from 0 to 3000.")
		}
		wanted.MinTTL = time.Duration(seconds) * time.Second
	}
	if raw, ok := m["refused"]; ok {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return wanted, errRefused()
		}
		if hash, err := hex.DecodeString(text); err != nil || len(hash) != sha256.Size {
			return wanted, errRefused()
		}
		wanted.RefusedSHA256 = strings.ToLower(text)
	}
	return wanted, nil
}

func errRefused() error {
	return invalid("refused must be the SHA-256 of an access token as 64 hexadecimal digits.")
}

// respondToken writes an access token response (RFC 6749 section 5.1). If Asana gave no
// expiry for a long-lived token, the response has no member "expires_in".
func respondToken(w http.ResponseWriter, t token.Token) error {
	var left *int64
	if t.ExpiresIn > 0 {
		seconds := int64(t.ExpiresIn / time.Second)
		left = &seconds
	}
	return respondJSON(w, http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   *int64 `json:"expires_in,omitempty"`
		Scope       string `json:"scope,omitempty"`
	}{t.Access.Reveal(), "Bearer", left, t.Scope})
}
