// Package login sends people to Asana's consent screen and handles the callback.
//
// An attempt is one authorization, from the request to /authorize to the request to
// /callback. An [Authorizer] begins the attempt: it stores a row, and returns the URL of
// the consent screen and a cookie. A [Receiver] finishes the attempt: it marks the
// attempt as used, exchanges Asana's code for tokens, and identifies the person. For a
// sign-in, the Receiver then saves the connection and a session. If the attempt began
// with a link, the Receiver stores the consent instead, until the backend redeems the
// connect code. The Receiver also stores the outcome in the attempt's row. If the same
// browser repeats the callback, for example because the person reloads the page, the
// Receiver returns the same outcome again.
//
// Package httpapi serves /authorize with the Authorizer and /callback with the Receiver.
// Package login implements the authorization code grant (RFC 6749 section 4.1) with PKCE
// (RFC 7636). If the scopes include openid, it also implements OpenID Connect.
package login

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// AttemptTTL is the lifetime of an attempt and of its cookie: 10 minutes.
const AttemptTTL = row.AttemptTTL

// The values of ResponseType.
const (
	// ResponseCode makes Asana return a code in the query of the redirect URI (RFC 6749
	// section 4.1).
	ResponseCode = "code"
	// ResponseCodeIDToken makes Asana return a code and an ID token in the fragment of
	// the redirect URI (OpenID Connect Core section 3.3).
	ResponseCodeIDToken = "code id_token"
)

// AttemptName returns the part of the cookie's name that differs between attempts: the
// first 16 hexadecimal digits of the state's SHA-256 hash.
func AttemptName(state string) string { return store.HashText(state).String()[:16] }

// secrets are derived from the value of an attempt's cookie and the salt in the attempt's
// row, so neither the table nor the browser alone can finish the attempt. A repeated
// callback derives the same secrets as the first one.
type secrets struct {
	verifier secret.String // the PKCE verifier (RFC 7636)
	nonce    secret.String // the nonce (OpenID Connect Core section 3.1.2.1)
	session  secret.String // the secret part of the session's cookie
	code     secret.String // the secret part of the connect code
}

func derive(browser secret.String, salt []byte) (secrets, error) {
	var s secrets
	for info, value := range map[string]*secret.String{
		"asanaauth pkce verifier": &s.verifier,
		"asanaauth nonce":         &s.nonce,
		"asanaauth session":       &s.session,
		"asanaauth connect code":  &s.code,
	} {
		key, err := hkdf.Key(sha256.New, []byte(browser.Reveal()), salt, info, sha256.Size)
		if err != nil {
			return secrets{}, fmt.Errorf("deriving the attempt's secrets: %w", err)
		}
		*value = secret.New(row.Base64URL(key))
	}
	return s, nil
}

func hasScope(scopes, scope string) bool { return slices.Contains(strings.Fields(scopes), scope) }

func checkResponseType(t string) error {
	if t != "" && t != ResponseCode && t != ResponseCodeIDToken {
		return errors.New("asanaauth: ResponseType is neither code nor code id_token")
	}
	return nil
}
