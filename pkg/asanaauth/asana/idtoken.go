package asana

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// clockSkew is how far Asana's clock may differ from ours: how far in the past the claim
// "exp" (expiry), and how far in the future the claim "iat" (issued at) may be.
const clockSkew = time.Minute

// ErrIDToken means that an ID token failed a check of [Client.VerifyIDToken], such as the
// check of its signature, audience or expiry.
var ErrIDToken = errors.New("asana: the ID token is not valid")

// ErrNoNonce means that an ID token has no nonce but passes all other checks. Without a
// nonce, the token may belong to another sign-in. Asana does not document whether its ID
// tokens contain a nonce. If the token came from the token endpoint, continue without the
// ID token. If the token came through the browser, reject the sign-in. For a nonce that
// is wrong, empty or null, VerifyIDToken returns [ErrIDToken].
var ErrNoNonce = errors.New("asana: the ID token has no nonce")

// Want holds the values that an ID token must match.
type Want struct {
	Nonce  string        // the nonce of the authorization request; required
	Access secret.String // the access token from the same response; zero means that at_hash is not checked
	Code   secret.String // the code from the same response; zero means that c_hash is not checked
}

// Identity holds the claims of a verified ID token.
type Identity struct {
	Subject string    // sub: 1 to 255 printable ASCII characters, not always a gid
	Issued  time.Time // iat
	Expires time.Time // exp
}

// VerifyIDToken verifies an ID token (OpenID Connect Core section 3.1.3.7). A valid token
//   - is signed with RS256 by a key that Asana publishes;
//   - has the configured issuer, and the client ID as its only audience;
//   - has azp equal to the client ID, if azp is present;
//   - has expired at most one minute ago, and has an iat at most one minute in the future;
//   - has a sub, and a nonce that equals w.Nonce;
//   - has an at_hash that matches w.Access, if at_hash is present and w.Access is not
//     zero;
//   - has a c_hash that matches w.Code, if c_hash is present and w.Code is not zero.
//
// VerifyIDToken fetches Asana's signing keys with at most two requests, and caches them.
//
// If the token is not valid, the error wraps [ErrIDToken] or is [ErrNoNonce], and its text
// names the check that failed. If the signing keys could not be fetched or w.Nonce is
// empty, the error is an [*Error]. If VerifyIDToken returns an error, the Identity is zero.
func (c *Client) VerifyIDToken(ctx context.Context, raw secret.String, w Want) (Identity, error) {
	if w.Nonce == "" {
		return Identity{}, notSent("id token", "Want.Nonce is missing")
	}
	jwt := raw.Reveal()
	if !isCompact(jwt) {
		return Identity{}, invalidIDToken("malformed")
	}
	jws, err := jose.ParseSignedCompact(jwt, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || checkJSON(jws.UnsafePayloadWithoutVerification()) != nil {
		return Identity{}, invalidIDToken("malformed, or not signed with RS256")
	}
	key, err := c.keyOf(ctx, jws)
	if err != nil {
		return Identity{}, err
	}
	if key == nil {
		return Identity{}, invalidIDToken("none of Asana's keys verifies the signature")
	}
	token, err := c.verify(ctx, jwt, key)
	if err != nil {
		return Identity{}, err
	}
	if err := c.checkClaims(token, w); err != nil {
		return Identity{}, err
	}
	return Identity{Subject: token.Subject, Issued: token.IssuedAt, Expires: token.Expiry}, nil
}

// verify checks the signature and the times of a token. checkClaims checks the issuer and
// the audience, so that the error names the check that failed.
func (c *Client) verify(ctx context.Context, jwt string, key crypto.PublicKey) (*oidc.IDToken, error) {
	token, err := oidc.NewVerifier(c.issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key}}, &oidc.Config{
		SkipIssuerCheck: true, SkipClientIDCheck: true, SupportedSigningAlgs: []string{oidc.RS256},
		Now: func() time.Time { return c.now().Add(-clockSkew) },
	}).Verify(ctx, jwt)
	if err == nil {
		return token, nil
	}
	if _, ok := errors.AsType[*oidc.TokenExpiredError](err); ok {
		return nil, invalidIDToken("it has expired")
	}
	return nil, invalidIDToken("malformed, or not valid yet")
}

// checkClaims checks the claims that go-oidc does not check. checkClaims decodes the
// claims into a map, because encoding/json ignores the case of JSON names when it decodes
// into a struct.
func (c *Client) checkClaims(token *oidc.IDToken, w Want) error {
	var claims map[string]json.RawMessage
	if token.Claims(&claims) != nil {
		return invalidIDToken("malformed")
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat"} {
		if claims[name] == nil {
			return invalidIDToken(name + " is missing")
		}
	}
	if token.Issuer != c.issuer {
		return invalidIDToken("the issuer is wrong")
	}
	if len(token.Audience) != 1 || token.Audience[0] != c.id {
		return invalidIDToken("the client ID is not the only audience")
	}
	if _, ok := subjectOf(token.Subject); !ok {
		return invalidIDToken("sub is missing or malformed")
	}
	if token.IssuedAt.After(c.now().Add(clockSkew)) {
		return invalidIDToken("iat is in the future")
	}
	for name, want := range map[string]string{"azp": c.id, "at_hash": halfHash(w.Access), "c_hash": halfHash(w.Code)} {
		if claimed, ok := claims[name]; ok && want != "" && !claimEquals(claimed, want) {
			return invalidIDToken(name + " is wrong")
		}
	}
	nonce, ok := claims["nonce"]
	if !ok {
		return ErrNoNonce
	}
	if !claimEquals(nonce, w.Nonce) {
		return invalidIDToken("the nonce is wrong")
	}
	return nil
}

// claimEquals reports in constant time whether claim is the JSON string want.
func claimEquals(claim json.RawMessage, want string) bool {
	var s *string
	if json.Unmarshal(claim, &s) != nil || s == nil {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(*s), []byte(want)) == 1
}

// halfHash returns the at_hash of an access token or the c_hash of a code, or "" if s is
// zero. For RS256, the hash is the left half of SHA-256 (OpenID Connect Core section
// 3.3.2.11).
func halfHash(s secret.String) string {
	if s.IsZero() {
		return ""
	}
	sum := sha256.Sum256([]byte(s.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// isCompact reports whether s looks like a JWS in compact serialization (RFC 7515 section
// 3.1), the only form of an ID token. go-oidc would also accept the JSON serialization.
func isCompact(s string) bool {
	rest := strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
	return len(s) <= maxIDToken && strings.Count(s, ".") == 2 && rest == ""
}

// NamesOther reports whether the response names a user other than the one with the given
// gid, in the field "data" or as the subject of the ID token. A subject that is not a gid
// names no user.
//
// NamesOther does not verify the ID token's signature, because the ID token came from Asana
// itself over TLS (OpenID Connect Core section 3.1.3.7). To fetch Asana's signing keys would
// delay the save of a rotated token. So use the result only to reject a response.
func (t Tokens) NamesOther(gid string) bool {
	for _, named := range []string{t.User.GID, unverifiedSubject(t.ID)} {
		if IsGID(named) && named != gid {
			return true
		}
	}
	return false
}

func unverifiedSubject(id secret.String) string {
	if !isCompact(id.Reveal()) {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(id.Reveal(), ".")[1])
	if err != nil || checkJSON(payload) != nil {
		return ""
	}
	var claims map[string]any        // not a struct: encoding/json would ignore the case of names
	json.Unmarshal(payload, &claims) // leaves claims empty if the payload is not an object
	subject, _ := claims["sub"].(string)
	return subject
}

// invalidIDToken returns an error that wraps ErrIDToken. why must not contain any part of
// the token.
func invalidIDToken(why string) error { return &idTokenError{why} }

type idTokenError struct{ why string }

func (e *idTokenError) Error() string { return ErrIDToken.Error() + ": " + e.why }
func (e *idTokenError) Unwrap() error { return ErrIDToken }
