package asana

import (
	"context"
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

// clockAhead is how far Asana's clock may be ahead of ours.
const clockAhead = time.Minute

// ErrIDToken is an ID token that cannot be believed.
var ErrIDToken = errors.New("asana: the ID token cannot be believed")

// ErrNoNonce is an ID token with which all is well but that it names no nonce, so
// that nothing ties it to this login. Asana documents no nonce: what comes straight
// from the token endpoint counts as absent then, what came through a browser is
// refused. A wrong nonce, an empty one or null is [ErrIDToken].
var ErrNoNonce = errors.New("asana: the ID token has no nonce")

// Want is what an ID token has to match.
type Want struct {
	Nonce  string        // required
	Access secret.String // the access token that came with it, for at_hash; zero is not checked
	Code   secret.String // the code that came with it, for c_hash; zero is not checked
}

// Identity is what a verified ID token says.
type Identity struct {
	Subject string    // 1 to 255 printable characters; a gid or not
	Issued  time.Time // iat
	Expires time.Time // exp
}

// VerifyIDToken checks an ID token as OpenID Connect Core section 3.1.3.7 has it,
// and more narrowly: signed with RS256 by a key that Asana publishes, of our
// issuer, for us alone, azp ours where it is there, not expired, iat at most a
// minute ahead, the nonce, a sub, and at_hash and c_hash where they are there.
//
// It returns [ErrIDToken] or [ErrNoNonce] (with the zero Identity), or an [Error]
// where Asana's keys could not be had: the first ID token discovers them.
func (c *Client) VerifyIDToken(ctx context.Context, raw secret.String, w Want) (Identity, error) {
	if w.Nonce == "" {
		return Identity{}, refused("id token", "no nonce to compare with")
	}
	jwt := raw.Reveal()
	if !isCompact(jwt) {
		return Identity{}, unbelieved("malformed")
	}
	jws, err := jose.ParseSignedCompact(jwt, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || plainJSON(jws.UnsafePayloadWithoutVerification()) != nil {
		return Identity{}, unbelieved("malformed, or not signed with RS256")
	}
	keys, err := c.verificationKeys(ctx, jws.Signatures[0].Header.KeyID)
	if err != nil {
		return Identity{}, err
	}
	token, err := oidc.NewVerifier(c.issuer, &oidc.StaticKeySet{PublicKeys: keys}, &oidc.Config{
		ClientID: c.id, SupportedSigningAlgs: []string{oidc.RS256}, Now: c.now,
	}).Verify(ctx, jwt)
	if err != nil {
		return Identity{}, unbelieved("signature, issuer, audience or time is wrong")
	}
	if err := c.checkClaims(token, w); err != nil {
		return Identity{}, err
	}
	return Identity{Subject: token.Subject, Issued: token.IssuedAt, Expires: token.Expiry}, nil
}

// checkClaims does what go-oidc leaves to its caller. Names are compared with their
// case here, which encoding/json does not.
func (c *Client) checkClaims(token *oidc.IDToken, w Want) error {
	var claims map[string]json.RawMessage
	if token.Claims(&claims) != nil {
		return unbelieved("malformed")
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat"} {
		if claims[name] == nil {
			return unbelieved("a claim is missing")
		}
	}
	if _, ok := subjectOf(token.Subject); !ok {
		return unbelieved("sub is missing or malformed")
	}
	if len(token.Audience) != 1 || token.Audience[0] != c.id {
		return unbelieved("it is not for us alone")
	}
	if token.IssuedAt.After(c.now().Add(clockAhead)) {
		return unbelieved("it is of the future")
	}
	for name, want := range map[string]string{"azp": c.id, "at_hash": halfHash(w.Access), "c_hash": halfHash(w.Code)} {
		if claimed, ok := claims[name]; ok && want != "" && !says(claimed, want) {
			return unbelieved(name + " is wrong")
		}
	}
	nonce, ok := claims["nonce"]
	if !ok {
		return ErrNoNonce
	}
	if !says(nonce, w.Nonce) {
		return unbelieved("the nonce is wrong")
	}
	return nil
}

// says compares a claim with what it has to be, in a time that tells nothing.
func says(claim json.RawMessage, want string) bool {
	var s *string
	if json.Unmarshal(claim, &s) != nil || s == nil {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(*s), []byte(want)) == 1
}

// halfHash is at_hash and c_hash, OpenID Connect Core section 3.3.2.11, for RS256:
// the left half of the SHA-256. Of an absent value it is "".
func halfHash(s secret.String) string {
	if s.IsZero() {
		return ""
	}
	sum := sha256.Sum256([]byte(s.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// isCompact reports that s can be a JWS in its compact form, the only one for ID
// tokens; go-oidc would take the JSON form too.
func isCompact(s string) bool {
	rest := strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
	return len(s) <= mostIDToken && strings.Count(s, ".") == 2 && rest == ""
}

// unbelieved says why, in words that hold nothing of the token.
func unbelieved(why string) error { return &idTokenError{why} }

type idTokenError struct{ why string }

func (e *idTokenError) Error() string { return ErrIDToken.Error() + ": " + e.why }
func (e *idTokenError) Unwrap() error { return ErrIDToken }
