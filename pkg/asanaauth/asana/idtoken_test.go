package asana_test

import (
	"context"
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
	"testing/synctest"
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

// Making a key takes long; two serve all tests.
var testKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		keys[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return keys
})

// provider is Asana's OpenID endpoints, with a clock.
type provider struct {
	doc, jwks        string
	discovered, keys atomic.Int32
	strays           atomic.Int32 // requests to anywhere else
	fail             atomic.Bool
	now              time.Time
}

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
		if !p.fail.Load() {
			return reply(200, p.jwks), nil
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

// claims are good ones, changed: nil takes a claim away.
func claims(change map[string]any) map[string]any {
	all := map[string]any{"iss": issuer, "sub": userGID, "aud": clientID, "iat": noon.Unix(), "exp": noon.Add(time.Hour).Unix(), "nonce": "n-1"}
	maps.Copy(all, change)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

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

func half(s secret.String) string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

var want = asana.Want{Nonce: "n-1", Access: accessToken, Code: code}

func TestIDTokensThatAreGood(t *testing.T) {
	t.Parallel()
	c := newProvider(t).client(t)
	for name, raw := range map[string]secret.String{
		"plain":          good(t, nil),
		"one audience":   good(t, map[string]any{"aud": []string{clientID}}),
		"azp":            good(t, map[string]any{"azp": clientID}),
		"hashes":         good(t, map[string]any{"at_hash": half(accessToken), "c_hash": half(code)}),
		"a minute ahead": good(t, map[string]any{"iat": noon.Add(time.Minute).Unix()}),
		"no key id":      sign(t, "", testKeys()[0], jose.RS256, claims(nil)),
		"more claims":    good(t, map[string]any{"email": "a@b", "x": map[string]any{"y": []int{1}}}),
	} {
		got, err := c.VerifyIDToken(t.Context(), raw, want)
		if err != nil || got.Subject != userGID || !got.Expires.Equal(noon.Add(time.Hour)) {
			t.Errorf("%s: VerifyIDToken() = %+v, %v", name, got, err)
		}
	}
	got, err := c.VerifyIDToken(t.Context(), good(t, map[string]any{"at_hash": "x", "c_hash": "x"}), asana.Want{Nonce: "n-1"})
	if err != nil {
		t.Errorf("VerifyIDToken() with nothing to hash = %+v, %v", got, err)
	}
}

func TestIDTokensThatCannotBeBelieved(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]map[string]any{
		"no issuer":           {"iss": nil},
		"the other issuer":    {"iss": "https://app.asana.com"},
		"a longer issuer":     {"iss": issuer + "/"},
		"no subject":          {"sub": nil},
		"an empty subject":    {"sub": ""},
		"a numeric subject":   {"sub": 12},
		"a long subject":      {"sub": strings.Repeat("1", 256)},
		"a breaking subject":  {"sub": "1\n"},
		"no audience":         {"aud": nil},
		"no audiences":        {"aud": []string{}},
		"another audience":    {"aud": "1"},
		"a second audience":   {"aud": []string{clientID, "1"}},
		"ours twice":          {"aud": []string{clientID, clientID}},
		"a numeric audience":  {"aud": 753482910},
		"another azp":         {"azp": "1"},
		"an empty azp":        {"azp": ""},
		"an azp that is none": {"azp": []string{clientID}},
		"no expiry":           {"exp": nil},
		"expired":             {"exp": noon.Add(-time.Second).Unix()},
		"an expiry as text":   {"exp": "soon"},
		"no iat":              {"iat": nil},
		"of the future":       {"iat": noon.Add(61 * time.Second).Unix()},
		"not yet":             {"nbf": noon.Add(time.Hour).Unix()},
		"a wrong nonce":       {"nonce": "n-2"},
		"an empty nonce":      {"nonce": ""},
		"a numeric nonce":     {"nonce": 1},
		"a list of nonces":    {"nonce": []string{"n-1"}},
		"a wrong at_hash":     {"at_hash": half(code)},
		"an empty at_hash":    {"at_hash": ""},
		"a numeric at_hash":   {"at_hash": 1},
		"a wrong c_hash":      {"c_hash": half(accessToken)},
		"an empty c_hash":     {"c_hash": ""},
		"no nonce and bad":    {"nonce": nil, "at_hash": "x"},
	} {
		refuse(t, name, newProvider(t), good(t, change))
	}
	for name, payload := range map[string]string{
		"a null nonce":       `{"iss":"` + issuer + `","sub":"1","aud":"753482910","iat":1,"exp":99999999999,"nonce":null}`,
		"a null iat":         `{"iss":"` + issuer + `","sub":"1","aud":"753482910","iat":null,"exp":99999999999,"nonce":"n-1"}`,
		"a claim twice":      `{"iss":"` + issuer + `","sub":"1","sub":"2","aud":"753482910","iat":1,"exp":99999999999,"nonce":"n-1"}`,
		"another case":       `{"iss":"` + issuer + `","SUB":"1","aud":"753482910","iat":1,"exp":99999999999,"nonce":"n-1"}`,
		"twice but for case": `{"iss":"` + issuer + `","sub":"1","Sub":"2","aud":"753482910","iat":1,"exp":99999999999,"nonce":"n-1"}`,
		"no object":          `[]`,
		"null":               `null`,
		"no JSON":            `sub`,
	} {
		refuse(t, name, newProvider(t), sign(t, "k1", testKeys()[0], jose.RS256, payload))
	}
}

func TestSignaturesThatCannotBeBelieved(t *testing.T) {
	t.Parallel()
	mine, stranger := testKeys()[0], testKeys()[1]
	whole := good(t, nil).Reveal()
	parts := strings.Split(whole, ".")
	der := mine.N.Bytes()
	for name, raw := range map[string]string{
		"another key":      sign(t, "k1", stranger, jose.RS256, claims(nil)).Reveal(),
		"RS512":            sign(t, "k1", mine, jose.RS512, claims(nil)).Reveal(),
		"PS256":            sign(t, "k1", mine, jose.PS256, claims(nil)).Reveal(),
		"HS256 by our key": sign(t, "k1", der, jose.HS256, claims(nil)).Reveal(),
		"none":             base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"no signature":     parts[0] + "." + parts[1] + ".",
		"cut":              whole[:len(whole)-4],
		"another payload":  parts[0] + "." + strings.Split(good(t, map[string]any{"sub": "1"}).Reveal(), ".")[1] + "." + parts[2],
		"padding":          parts[0] + "." + parts[1] + "=." + parts[2],
		"a blank":          whole + " ",
		"JSON":             fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, parts[1], parts[0], parts[2]),
		"two parts":        parts[0] + "." + parts[1],
		"nothing":          "",
		"dots":             "..",
		"large":            good(t, map[string]any{"x": strings.Repeat("x", 16<<10)}).Reveal(),
		"unknown key id":   sign(t, "k2", mine, jose.RS256, claims(nil)).Reveal(),
	} {
		refuse(t, name, newProvider(t), secret.New(raw))
	}
	enc, es := public("k1", 0), public("k1", 0)
	enc.Use, es.Algorithm = "enc", "RS512"
	for name, key := range map[string]jose.JSONWebKey{"for encryption": enc, "for RS512": es, "symmetric": {Key: []byte("x"), KeyID: "k1"}} {
		refuse(t, "a key "+name, newProvider(t, key), good(t, nil))
	}
	p := newProvider(t, enc, public("k1", 0))
	p.jwks = strings.Replace(p.jwks, `{"keys":[`, `{"keys":[{"kty":"future"},{"kty":"OKP","crv":"Ed448","x":"AA"},7,`, 1)
	if _, err := p.client(t).VerifyIDToken(t.Context(), good(t, nil), want); err != nil {
		t.Errorf("VerifyIDToken() beside keys that nobody knows = %v", err)
	}
}

// A key may be too weak to be believed, or so large that checking costs too much.
func TestSizesOfKeys(t *testing.T) {
	t.Parallel()
	for primes, ok := range map[int]bool{3: false, 5: true, 8: true, 9: false} {
		key := rsaKey(t, primes)
		p := newProvider(t, jose.JSONWebKey{Key: &key.PublicKey, KeyID: "k1"})
		_, err := p.client(t).VerifyIDToken(t.Context(), sign(t, "k1", key, jose.RS256, claims(nil)), want)
		if (err == nil) != ok {
			t.Errorf("VerifyIDToken() by a key of %d bits = %v", key.N.BitLen(), err)
		}
	}
}

// rsaKey is a key of that many primes of 512 bits: unsafe, but quickly made.
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

func refuse(t *testing.T, name string, p *provider, raw secret.String) {
	t.Helper()
	got, err := p.client(t).VerifyIDToken(t.Context(), raw, want)
	if !errors.Is(err, asana.ErrIDToken) || errors.Is(err, asana.ErrNoNonce) || got != (asana.Identity{}) {
		t.Errorf("%s: VerifyIDToken() = %+v, %v, want ErrIDToken", name, got, err)
	}
	if p := raw.Reveal(); err != nil && len(p) > 20 && strings.Contains(fmt.Sprintf("%+v %#v", err, err), p[len(p)-20:]) {
		t.Errorf("%s: the error holds the token", name)
	}
}

func TestNonce(t *testing.T) {
	t.Parallel()
	c := newProvider(t).client(t)
	got, err := c.VerifyIDToken(t.Context(), good(t, map[string]any{"nonce": nil}), want)
	if !errors.Is(err, asana.ErrNoNonce) || errors.Is(err, asana.ErrIDToken) || got != (asana.Identity{}) {
		t.Errorf("VerifyIDToken() without a nonce = %+v, %v", got, err)
	}
	for _, claim := range []any{nil, "", "n-1"} {
		if _, err := c.VerifyIDToken(t.Context(), good(t, map[string]any{"nonce": claim}), asana.Want{}); err == nil || errors.Is(err, asana.ErrNoNonce) {
			t.Errorf("VerifyIDToken() that wants no nonce, of one with %v = %v, want an error", claim, err)
		}
	}
}

func TestKeysAreKept(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := p.client(t)
	check := func(when string, raw secret.String, ok bool, discovered, keys int32) {
		t.Helper()
		_, err := c.VerifyIDToken(t.Context(), raw, want)
		if (err == nil) != ok || p.discovered.Load() != discovered || p.keys.Load() != keys {
			t.Errorf("%s: %v, %d discoveries and %d key sets, want %d and %d", when, err, p.discovered.Load(), p.keys.Load(), discovered, keys)
		}
	}
	token := good(t, map[string]any{"exp": noon.Add(100 * time.Hour).Unix()})
	unknown := sign(t, "k2", testKeys()[1], jose.RS256, claims(nil))
	if p.discovered.Load() != 0 {
		t.Error("New() discovers")
	}
	check("first", token, true, 1, 1)
	check("again", token, true, 1, 1)
	check("an unknown key at once", unknown, false, 1, 1)
	p.now = noon.Add(61 * time.Second)
	check("an unknown key a minute later", unknown, false, 1, 2)
	check("and at once again", unknown, false, 1, 2)
	p.now = noon.Add(123 * time.Second)
	p.jwks = newProvider(t, public("k1", 0), public("k2", 1)).jwks
	check("when it is known", unknown, true, 1, 3)
	p.now = noon.Add(63 * time.Minute)
	check("an hour later", token, true, 1, 4)
	p.now = noon.Add(25 * time.Hour)
	check("a day later", token, true, 2, 5)
	p.now = noon.Add(24 * time.Hour)
	check("the clock set back", token, true, 3, 6)
	p.now = noon.Add(27 * time.Hour)
	p.fail.Store(true)
	check("old keys, and Asana away", token, false, 3, 7)
}

func TestKeysThatCannotBeHad(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*provider){
		"away":                 func(p *provider) { p.fail.Store(true) },
		"another issuer":       func(p *provider) { p.doc = strings.Replace(p.doc, issuer, "https://app.asana.com", 1) },
		"keys elsewhere":       func(p *provider) { p.doc = strings.Replace(p.doc, jwksURI, "https://evil.example/jwks", 1) },
		"keys in the clear":    func(p *provider) { p.doc = strings.Replace(p.doc, jwksURI, "http://app.asana.com/jwks", 1) },
		"keys on another port": func(p *provider) { p.doc = strings.Replace(p.doc, jwksURI, "https://app.asana.com:8443/jwks", 1) },
		"keys of somebody":     func(p *provider) { p.doc = strings.Replace(p.doc, jwksURI, "https://x@app.asana.com/jwks", 1) },
		"no keys' place":       func(p *provider) { p.doc = fmt.Sprintf(`{"issuer":%q}`, issuer) },
		"no document":          func(p *provider) { p.doc = `<html>` },
		"no key set":           func(p *provider) { p.jwks = `[]` },
		"a large key set":      func(p *provider) { p.jwks = `{"keys":[` + strings.Repeat(`{},`, 40) + `{}]}` },
		"a larger one":         func(p *provider) { p.jwks = `{"keys":[],"x":"` + strings.Repeat(`x`, 1<<20) + `"}` },
	} {
		p := newProvider(t)
		spoil(p)
		_, err := p.client(t).VerifyIDToken(t.Context(), good(t, nil), want)
		if _, ok := errors.AsType[*asana.Error](err); !ok || errors.Is(err, asana.ErrIDToken) {
			t.Errorf("%s: VerifyIDToken() = %v, want an *Error", name, err)
		}
		if p.strays.Load() != 0 {
			t.Errorf("%s: a request went elsewhere", name)
		}
	}
}

// Whoever waits for somebody else's fetch waits within its own deadline.
func TestWaitingForKeysIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int32
		c := toAsana(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			requests.Add(1)
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		raw := good(t, nil)
		long, cancel := context.WithTimeout(t.Context(), time.Hour)
		first := make(chan error)
		go func() { _, err := c.VerifyIDToken(long, raw, want); first <- err }()
		synctest.Wait()
		short, cancelShort := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancelShort()
		_, err := c.VerifyIDToken(short, raw, want)
		if e, ok := errors.AsType[*asana.Error](err); !ok || !e.Timeout || requests.Load() != 1 {
			t.Errorf("VerifyIDToken() = %v after %d requests, want a time-out and 1", err, requests.Load())
		}
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the first VerifyIDToken() = %v, want canceled", err)
		}
	})
}

func TestManyAtOnceFetchKeysOnce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c, raw := p.client(t), good(t, nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := c.VerifyIDToken(t.Context(), raw, want); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if p.discovered.Load() != 1 || p.keys.Load() != 1 {
		t.Errorf("%d discoveries and %d key sets", p.discovered.Load(), p.keys.Load())
	}
}
