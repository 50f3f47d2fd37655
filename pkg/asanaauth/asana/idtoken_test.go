package asana_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	issuer   = "https://app.asana.com/api/1.0"
	discover = issuer + "/.well-known/openid-configuration"
	jwksURI  = issuer + "/openid_connect/jwks"
)

var noon = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

// All tests share these RSA keys, because generating a key is slow.
var testKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		keys[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return keys
})

// provider is a transport that simulates Asana's OpenID Connect endpoints.
type provider struct {
	doc, jwks        string
	discovered, keys atomic.Int32
	strays           atomic.Int32 // requests to other URLs
	fail             atomic.Bool
	jwksType         string    // the Content-Type of the key set, if not application/json
	accept           string    // the Accept header of the last request for the key set
	now              time.Time // the client's clock
}

// newProvider returns a provider that publishes the keys in set. If set is empty, the
// provider publishes the first test key with the key ID "k1".
func newProvider(t testing.TB, set ...jose.JSONWebKey) *provider {
	t.Helper()
	if set == nil {
		set = []jose.JSONWebKey{public("k1", 0)}
	}
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: set})
	if err != nil {
		t.Fatal(err)
	}
	return &provider{doc: fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, jwksURI), jwks: string(jwks), now: noon}
}

func public(kid string, key int) jose.JSONWebKey {
	return jose.JSONWebKey{Key: &testKeys()[key].PublicKey, KeyID: kid, Algorithm: "RS256", Use: "sig"}
}

func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") != "" {
		return reply(400, `{}`), nil
	}
	switch r.URL.String() {
	case discover:
		p.discovered.Add(1)
		if !p.fail.Load() {
			return reply(200, p.doc), nil
		}
	case jwksURI:
		p.keys.Add(1)
		p.accept = r.Header.Get("Accept")
		if !p.fail.Load() {
			a := reply(200, p.jwks)
			if p.jwksType != "" {
				a.Header.Set("Content-Type", p.jwksType)
			}
			return a, nil
		}
	default:
		p.strays.Add(1)
	}
	return reply(503, `{}`), nil
}

func (p *provider) client(t testing.TB) *asana.Client {
	t.Helper()
	c, err := asana.New(asana.Config{ClientID: clientID, Transport: p, Now: func() time.Time { return p.now }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// claims returns the claims of a valid ID token with the changes applied. A nil value in
// change removes the claim.
func claims(change map[string]any) map[string]any {
	all := map[string]any{"iss": issuer, "sub": userGID, "aud": clientID, "iat": noon.Unix(), "exp": noon.Add(time.Hour).Unix(), "nonce": "n-1"}
	maps.Copy(all, change)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// sign returns a signed ID token. If payload is a string, the token contains that string.
// Otherwise the token contains payload as JSON.
func sign(t testing.TB, kid string, key any, alg jose.SignatureAlgorithm, payload any) secret.String {
	t.Helper()
	raw, ok := payload.(string)
	if !ok {
		data, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(data)
	}
	if kid != "" {
		key = jose.JSONWebKey{Key: key, KeyID: kid}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(compact)
}

func good(t testing.TB, change map[string]any) secret.String {
	return sign(t, "k1", testKeys()[0], jose.RS256, claims(change))
}

// half returns the value of at_hash or c_hash for s.
func half(s secret.String) string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

var want = asana.Want{Nonce: "n-1", Access: accessToken, Code: code}

func TestValidIDTokens(t *testing.T) {
	t.Parallel()
	c := newProvider(t).client(t)
	for name, raw := range map[string]secret.String{
		"plain":          good(t, nil),
		"one audience":   good(t, map[string]any{"aud": []string{clientID}}),
		"azp":            good(t, map[string]any{"azp": clientID}),
		"hashes":         good(t, map[string]any{"at_hash": half(accessToken), "c_hash": half(code)}),
		"just expired":   good(t, map[string]any{"exp": noon.Add(-time.Minute).Unix()}),
		"a minute ahead": good(t, map[string]any{"iat": noon.Add(time.Minute).Unix()}),
		"no key id":      sign(t, "", testKeys()[0], jose.RS256, claims(nil)),
		"more claims":    good(t, map[string]any{"email": "a@b", "x": map[string]any{"y": []int{1}}}),
	} {
		got, err := c.VerifyIDToken(t.Context(), raw, want)
		expires := noon.Add(time.Hour)
		if name == "just expired" {
			expires = noon.Add(-time.Minute)
		}
		if err != nil || got.Subject != userGID || !got.Expires.Equal(expires) {
			t.Errorf("%s: VerifyIDToken() = %+v, %v, want subject %s", name, got, err, userGID)
		}
	}
	got, err := c.VerifyIDToken(t.Context(), good(t, map[string]any{"at_hash": "x", "c_hash": "x"}), asana.Want{Nonce: "n-1"})
	if err != nil {
		t.Errorf("VerifyIDToken() without Access and Code = %+v, %v, want no error", got, err)
	}
}

func TestInvalidClaims(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]map[string]any{
		"no issuer":               {"iss": nil},
		"other issuer":            {"iss": "https://app.asana.com"},
		"longer issuer":           {"iss": issuer + "/"},
		"no subject":              {"sub": nil},
		"empty subject":           {"sub": ""},
		"numeric subject":         {"sub": 12},
		"long subject":            {"sub": strings.Repeat("1", 256)},
		"line break in subject":   {"sub": "1\n"},
		"no audience":             {"aud": nil},
		"empty audience list":     {"aud": []string{}},
		"other audience":          {"aud": "1"},
		"second audience":         {"aud": []string{clientID, "1"}},
		"repeated audience":       {"aud": []string{clientID, clientID}},
		"numeric audience":        {"aud": 753482910},
		"other azp":               {"azp": "1"},
		"empty azp":               {"azp": ""},
		"list as azp":             {"azp": []string{clientID}},
		"no expiry":               {"exp": nil},
		"expired":                 {"exp": noon.Add(-61 * time.Second).Unix()},
		"expiry as text":          {"exp": "soon"},
		"no iat":                  {"iat": nil},
		"iat in the future":       {"iat": noon.Add(61 * time.Second).Unix()},
		"nbf in the future":       {"nbf": noon.Add(time.Hour).Unix()},
		"wrong nonce":             {"nonce": "n-2"},
		"empty nonce":             {"nonce": ""},
		"numeric nonce":           {"nonce": 1},
		"list of nonces":          {"nonce": []string{"n-1"}},
		"wrong at_hash":           {"at_hash": half(code)},
		"empty at_hash":           {"at_hash": ""},
		"numeric at_hash":         {"at_hash": 1},
		"wrong c_hash":            {"c_hash": half(accessToken)},
		"empty c_hash":            {"c_hash": ""},
		"no nonce, wrong at_hash": {"nonce": nil, "at_hash": "x"},
	} {
		wantInvalid(t, name, newProvider(t), good(t, change))
	}
	for name, payload := range map[string]string{
		"null nonce":                   `{"iss":"` + issuer + `","sub":"1","aud":"753482910","iat":1,"exp":99999999999,"nonce":null}`,
		"null iat":                     `{"iss":"` + issuer + `","sub":"1","aud":"753482910","iat":null,"exp":99999999999,"nonce":"n-1"}`,
		"repeated claim":               `{"iss":"` + issuer + `","sub":"1","sub":"2","aud":"753482910","iat":1,"exp":99999999999,"nonce":"n-1"}`,
		"claim in upper case":          `{"iss":"` + issuer + `","SUB":"1","aud":"753482910","iat":1,"exp":99999999999,"nonce":"n-1"}`,
		"repeated claim in other case": `{"iss":"` + issuer + `","sub":"1","Sub":"2","aud":"753482910","iat":1,"exp":99999999999,"nonce":"n-1"}`,
		"not an object":                `[]`,
		"null":                         `null`,
		"not JSON":                     `sub`,
	} {
		wantInvalid(t, name, newProvider(t), sign(t, "k1", testKeys()[0], jose.RS256, payload))
	}
}

func TestInvalidSignatures(t *testing.T) {
	t.Parallel()
	mine, stranger := testKeys()[0], testKeys()[1]
	whole := good(t, nil).Reveal()
	parts := strings.Split(whole, ".")
	der := mine.N.Bytes()
	for name, raw := range map[string]string{
		"other key":             sign(t, "k1", stranger, jose.RS256, claims(nil)).Reveal(),
		"RS512":                 sign(t, "k1", mine, jose.RS512, claims(nil)).Reveal(),
		"PS256":                 sign(t, "k1", mine, jose.PS256, claims(nil)).Reveal(),
		"HS256 with public key": sign(t, "k1", der, jose.HS256, claims(nil)).Reveal(),
		"none":                  base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"no signature":          parts[0] + "." + parts[1] + ".",
		"truncated":             whole[:len(whole)-4],
		"other payload":         parts[0] + "." + strings.Split(good(t, map[string]any{"sub": "1"}).Reveal(), ".")[1] + "." + parts[2],
		"padding":               parts[0] + "." + parts[1] + "=." + parts[2],
		"trailing space":        whole + " ",
		"JSON":                  fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, parts[1], parts[0], parts[2]),
		"two parts":             parts[0] + "." + parts[1],
		"empty":                 "",
		"only dots":             "..",
		"too large":             good(t, map[string]any{"x": strings.Repeat("x", 16<<10)}).Reveal(),
		"unknown key id":        sign(t, "k2", mine, jose.RS256, claims(nil)).Reveal(),
	} {
		wantInvalid(t, name, newProvider(t), secret.New(raw))
	}
	enc, es := public("k1", 0), public("k1", 0)
	enc.Use, es.Algorithm = "enc", "RS512"
	for name, key := range map[string]jose.JSONWebKey{"for encryption": enc, "for RS512": es, "symmetric": {Key: []byte("x"), KeyID: "k1"}} {
		wantInvalid(t, "a key "+name, newProvider(t, key), good(t, nil))
	}
	p := newProvider(t, enc, public("k1", 0))
	p.jwks = strings.Replace(p.jwks, `{"keys":[`, `{"keys":[{"kty":"future"},{"kty":"OKP","crv":"Ed448","x":"AA"},7,`, 1)
	if _, err := p.client(t).VerifyIDToken(t.Context(), good(t, nil), want); err != nil {
		t.Errorf("VerifyIDToken() with unknown key types in the key set = %v, want no error", err)
	}
}

// VerifyIDToken must reject keys that are too weak, and keys that make verification slow.
func TestKeySizes(t *testing.T) {
	t.Parallel()
	for primes, ok := range map[int]bool{3: false, 5: true, 8: true, 9: false} {
		key := rsaKey(t, primes)
		p := newProvider(t, jose.JSONWebKey{Key: &key.PublicKey, KeyID: "k1"})
		_, err := p.client(t).VerifyIDToken(t.Context(), sign(t, "k1", key, jose.RS256, claims(nil)), want)
		if (err == nil) != ok {
			t.Errorf("VerifyIDToken() with a key of %d bits = %v, want success %t", key.N.BitLen(), err, ok)
		}
	}
}

// rsaKey returns a key whose modulus is the product of the given number of 512-bit
// primes. Many small primes make a key insecure, but quick to generate.
func rsaKey(t *testing.T, primes int) *rsa.PrivateKey {
	t.Helper()
	one := big.NewInt(1)
	for {
		n, totient := big.NewInt(1), big.NewInt(1)
		key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{E: 65537}}
		for range primes {
			prime, err := rand.Prime(rand.Reader, 512)
			if err != nil {
				t.Fatal(err)
			}
			key.Primes = append(key.Primes, prime)
			n.Mul(n, prime)
			totient.Mul(totient, new(big.Int).Sub(prime, one))
		}
		key.N, key.D = n, new(big.Int).ModInverse(big.NewInt(65537), totient)
		if key.D != nil && n.BitLen() >= primes*512-8 {
			return key
		}
	}
}

func wantInvalid(t *testing.T, name string, p *provider, raw secret.String) {
	t.Helper()
	got, err := p.client(t).VerifyIDToken(t.Context(), raw, want)
	if !errors.Is(err, asana.ErrIDToken) || errors.Is(err, asana.ErrNoNonce) || got != (asana.Identity{}) {
		t.Errorf("%s: VerifyIDToken() = %+v, %v, want ErrIDToken", name, got, err)
	}
	if p := raw.Reveal(); err != nil && len(p) > 20 && strings.Contains(fmt.Sprintf("%+v %#v", err, err), p[len(p)-20:]) {
		t.Errorf("%s: the error contains the end of the token", name)
	}
}

func TestNonce(t *testing.T) {
	t.Parallel()
	c := newProvider(t).client(t)
	got, err := c.VerifyIDToken(t.Context(), good(t, map[string]any{"nonce": nil}), want)
	if !errors.Is(err, asana.ErrNoNonce) || errors.Is(err, asana.ErrIDToken) || got != (asana.Identity{}) {
		t.Errorf("VerifyIDToken() without a nonce = %+v, %v, want ErrNoNonce", got, err)
	}
	for _, claim := range []any{nil, "", "n-1"} {
		if _, err := c.VerifyIDToken(t.Context(), good(t, map[string]any{"nonce": claim}), asana.Want{}); err == nil || errors.Is(err, asana.ErrNoNonce) {
			t.Errorf("VerifyIDToken(Want{}) of a token with nonce %v = %v, want an error other than ErrNoNonce", claim, err)
		}
	}
}

// The log contains the text of an error. It must say which check failed.
func TestTheErrorNamesTheFailedCheck(t *testing.T) {
	t.Parallel()
	mine := testKeys()[0]
	for why, raw := range map[string]secret.String{
		"it has expired": good(t, map[string]any{"exp": noon.Add(-time.Hour).Unix()}),
		"none of Asana's keys verifies the signature": sign(t, "k1", testKeys()[1], jose.RS256, claims(nil)),
		"the issuer is wrong":                         good(t, map[string]any{"iss": "https://issuer.invalid"}),
		"the client ID is not the only audience":      good(t, map[string]any{"aud": "1"}),
		"malformed, or not signed with RS256":         sign(t, "k1", mine, jose.RS512, claims(nil)),
		"malformed":                                   secret.New("a.b"),
		"malformed, or not valid yet":                 good(t, map[string]any{"nbf": noon.Add(time.Hour).Unix()}),
		"iat is in the future":                        good(t, map[string]any{"iat": noon.Add(time.Hour).Unix()}),
		"iat is missing":                              good(t, map[string]any{"iat": nil}),
		"sub is missing":                              good(t, map[string]any{"sub": nil}),
		"sub is missing or malformed":                 good(t, map[string]any{"sub": ""}),
		"the nonce is wrong":                          good(t, map[string]any{"nonce": "n-2"}),
		"azp is wrong":                                good(t, map[string]any{"azp": "1"}),
		"at_hash is wrong":                            good(t, map[string]any{"at_hash": "x"}),
		"c_hash is wrong":                             good(t, map[string]any{"c_hash": "x"}),
	} {
		_, err := newProvider(t).client(t).VerifyIDToken(t.Context(), raw, want)
		if text := asana.ErrIDToken.Error() + ": " + why; err == nil || err.Error() != text {
			t.Errorf("VerifyIDToken() = %v, want %s", err, text)
		}
	}
}
