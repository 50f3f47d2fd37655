package asanatest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The fields accessToken and code are empty unless the response with the ID token
// contains them.
type idTokenOptions struct {
	app                      *App
	person                   *Person
	nonce, accessToken, code string
	origin                   string
}

type idTokens struct {
	memory *memory
	signer *signer
	now    func() time.Time
}

// create returns an ID token (OpenID Connect Core section 2). If the switch
// spoil_id_token is set, the ID token is invalid.
func (t *idTokens) create(o idTokenOptions) string {
	claims := t.claims(o)
	spoil(claims, t.memory.Switches.SpoilIDToken, o)
	switch t.memory.Switches.SpoilIDToken {
	case "unsigned":
		return unsigned(claims)
	case "hs256":
		return hs256(claims, o.app.ClientSecret)
	case "wrong_key":
		stranger, _ := rsa.GenerateKey(rand.Reader, 2048)
		return sign(claims, stranger, t.signer.id())
	}
	return sign(claims, t.signer.private(), t.signer.id())
}

func (t *idTokens) claims(o idTokenOptions) map[string]any {
	s := t.memory.Switches
	now := t.now()
	claims := map[string]any{
		"iss": t.issuer(o.origin),
		"sub": t.subject(o.person),
		"aud": o.app.ClientID,
		"iat": now.Unix(),
		"exp": now.Add(time.Duration(s.IDTokenSeconds) * time.Second).Unix(),
	}
	if s.NonceInIDToken && o.nonce != "" {
		claims["nonce"] = o.nonce
	}
	if s.AtHash && o.accessToken != "" {
		claims["at_hash"] = halfHash(o.accessToken)
	}
	if s.CHash && o.code != "" {
		claims["c_hash"] = halfHash(o.code)
	}
	return claims
}

func (t *idTokens) issuer(origin string) string {
	if issuer := t.memory.Switches.OpenIDIssuer; issuer != "" {
		return issuer
	}
	return origin + "/api/1.0"
}

func (t *idTokens) subject(p *Person) string {
	if t.memory.Switches.SubFormat == "opaque" {
		return "user|" + derivedGID("subject", p.GID)
	}
	return p.GID
}

// spoil handles the values of the switch spoil_id_token that concern a claim. The method
// create handles the values that concern the signature.
func spoil(claims map[string]any, how string, o idTokenOptions) {
	const stranger = "1999999999999999"
	now := claims["iat"].(int64)
	switch how {
	case "wrong_issuer":
		claims["iss"] = "https://issuer.invalid"
	case "wrong_audience":
		claims["aud"] = stranger
	case "second_audience":
		claims["aud"] = []string{o.app.ClientID, stranger}
	case "wrong_azp":
		claims["azp"] = stranger
	case "wrong_subject":
		claims["sub"] = stranger
	case "no_subject":
		delete(claims, "sub")
	case "expired":
		claims["iat"], claims["exp"] = now-7200, now-3600
	case "future":
		claims["iat"] = now + 3600
		claims["exp"] = now + 7200
	case "wrong_nonce":
		claims["nonce"] = "not-yours"
	case "wrong_at_hash":
		claims["at_hash"] = halfHash("another token")
	case "wrong_c_hash":
		claims["c_hash"] = halfHash("another code")
	}
}

// halfHash returns the value of at_hash or c_hash for RS256 (OpenID Connect Core section
// 3.3.2.11).
func halfHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func unsigned(claims map[string]any) string {
	return unsignedPart(`{"alg":"none","typ":"JWT"}`, claims) + "."
}

// hs256 signs claims with a client secret without go-jose, because go-jose rejects
// secrets of fewer than 32 bytes.
func hs256(claims map[string]any, secret string) string {
	part := unsignedPart(`{"alg":"HS256","typ":"JWT"}`, claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(part))
	return part + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func unsignedPart(header string, claims map[string]any) string {
	payload, _ := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload)
}

// sign panics if the claims cannot be encoded as JSON.
func sign(claims map[string]any, key *rsa.PrivateKey, kid string) string {
	jwk := jose.JSONWebKey{Key: key, KeyID: kid}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jwk}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		panic(fmt.Sprintf("asanatest: signing: %v", err))
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(fmt.Sprintf("asanatest: signing: %v", err))
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(fmt.Sprintf("asanatest: signing: %v", err))
	}
	compact, _ := signed.CompactSerialize() // fails only for more than one signature
	return compact
}

// SignIDToken returns a JWT with the given claims, signed with RS256 and the key of this
// Asana. Use SignIDToken to test which claims a client accepts. If the claims cannot be
// encoded as JSON, SignIDToken panics.
func (a *Asana) SignIDToken(claims map[string]any) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	signed := sign(claims, a.signer.private(), a.signer.id())
	if a.memory.dirty { // the key is new
		a.memory.save()
	}
	return signed
}

type signer struct {
	memory *memory
	key    *rsa.PrivateKey
}

// private returns Options.Key, or else the key in the state file. If neither exists,
// private generates a key. The server does not generate a key earlier, because generating
// a key is slow and most tests need none.
func (s *signer) private() *rsa.PrivateKey {
	if s.key == nil {
		if key, err := x509.ParsePKCS1PrivateKey(s.memory.Key); err == nil {
			s.key = key
		}
	}
	if s.key == nil {
		s.key, _ = rsa.GenerateKey(rand.Reader, 2048) // fails only for invalid sizes
	}
	if s.memory.Key == nil {
		s.memory.Key = x509.MarshalPKCS1PrivateKey(s.key)
		s.memory.dirty = true
	}
	return s.key
}

func (s *signer) id() string {
	sum := sha256.Sum256(s.private().N.Bytes())
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}
