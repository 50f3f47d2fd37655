package asana

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/asanaauth/asanaauth/internal/weburl"
)

const (
	keysTTL      = time.Hour      // how long the signing keys are cached
	discoveryTTL = 24 * time.Hour // how long the URL of the key set is cached
	refetchAfter = time.Minute    // the minimum time between two fetches because no cached key verifies
	maxKeys      = 32             // the maximum number of keys in a key set; two or three are usual
)

const opJWKS = "jwks"

// keyCache caches Asana's signing keys. A caller that needs new keys fetches them with
// its own context. Other callers wait until that fetch ends or until their own context
// ends. go-oidc's remote key set is not used, because its requests can outlive the
// caller's deadline. All times are wall clock times, because the monotonic clock may stop
// while a Lambda sandbox is frozen.
type keyCache struct {
	lock      chan struct{} // guards the fields below; a channel, so that a caller can stop waiting
	jwks      string        // URL of the key set
	found     time.Time     // when jwks was fetched
	keys      []jose.JSONWebKey
	fetched   time.Time // when keys were fetched, or zero
	refetched time.Time // when the last fetch because of a signature began, or zero
}

func newKeyCache() *keyCache { return &keyCache{lock: make(chan struct{}, 1)} }

// keyOf returns the key that verifies the signature of jws. If no key verifies it, keyOf
// returns neither a key nor an error. An error means that a request failed.
//
// keyOf fetches the keys if the cached keys are older than keysTTL. If none of the cached
// keys verifies the signature, keyOf fetches the keys again, because Asana may have
// replaced a key and kept its ID. keyOf does so at most once a minute, because anyone can
// make a signature that no key verifies.
func (c *Client) keyOf(ctx context.Context, jws *jose.JSONWebSignature) (crypto.PublicKey, error) {
	k := c.keys
	select {
	case k.lock <- struct{}{}:
		defer func() { <-k.lock }()
	case <-ctx.Done():
		return nil, transportError(ctx, opJWKS, 0, ctx.Err())
	}
	now := c.now().Round(0)
	if !isStale(now, k.fetched, keysTTL) {
		if key := k.verifying(jws); key != nil || !isStale(now, k.refetched, refetchAfter) {
			return key, nil
		}
		k.refetched = now
	}
	if err := c.fetchKeys(ctx, now); err != nil {
		return nil, err
	}
	return k.verifying(jws), nil
}

// isStale reports whether t is at least age before now. It also returns true if t is after
// now, which happens if the clock was set back.
func isStale(now, t time.Time, age time.Duration) bool {
	return now.Sub(t) >= age || t.After(now)
}

// verifying returns the cached key that verifies the signature of jws, or nil. If jws
// names a key ID, only a key with this ID is used.
func (k *keyCache) verifying(jws *jose.JSONWebSignature) crypto.PublicKey {
	kid := jws.Signatures[0].Header.KeyID
	for _, key := range k.keys {
		if kid != "" && key.KeyID != kid {
			continue
		}
		if _, err := jws.Verify(key.Key); err == nil {
			return key.Key
		}
	}
	return nil
}

// fetchKeys fetches the key set. If the cached URL of the key set is missing or older
// than discoveryTTL, fetchKeys fetches the URL first. If the key set cannot be read,
// fetchKeys discards the URL, because Asana may have moved the key set.
func (c *Client) fetchKeys(ctx context.Context, now time.Time) error {
	k := c.keys
	if k.jwks == "" || isStale(now, k.found, discoveryTTL) {
		jwks, err := c.discover(ctx)
		if err != nil {
			return err
		}
		k.jwks, k.found = jwks, now
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	accept := http.Header{"Accept": {jwkSetType + ", application/json"}}
	if err := c.read(ctx, opJWKS, k.jwks, accept, &set); err != nil {
		k.jwks = ""
		return err
	}
	if len(set.Keys) > maxKeys {
		return badResponse(opJWKS, "the key set is too large")
	}
	k.keys, k.fetched = rsaKeys(set.Keys), now
	return nil
}

// discover fetches the provider metadata (OpenID Connect Discovery section 4) and returns
// the URL of the key set. The metadata must name the configured issuer, and the URL must
// be on Asana's origin.
func (c *Client) discover(ctx context.Context) (string, error) {
	const op = "discovery"
	var doc struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	at := strings.TrimSuffix(c.issuer, "/") + "/.well-known/openid-configuration"
	if err := c.read(ctx, op, at, nil, &doc); err != nil {
		return "", err
	}
	if doc.Issuer != c.issuer {
		return "", badResponse(op, "the document names another issuer")
	}
	if !sameOrigin(doc.JWKS, c.base) {
		return "", badResponse(op, "jwks_uri is not on Asana's origin")
	}
	return doc.JWKS, nil
}

// rsaKeys returns the keys in set that can verify RS256 signatures and have at least 2048
// bits. Smaller keys are too weak. go-jose rejects keys that are so large that
// verification takes too long.
func rsaKeys(set []json.RawMessage) []jose.JSONWebKey {
	var keys []jose.JSONWebKey
	for _, raw := range set {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) != nil {
			continue
		}
		public, ok := key.Key.(*rsa.PublicKey)
		if !ok || public.N.BitLen() < 2048 {
			continue
		}
		if (key.Use == "" || key.Use == "sig") && (key.Algorithm == "" || key.Algorithm == string(jose.RS256)) {
			keys = append(keys, key)
		}
	}
	return keys
}

func sameOrigin(a, b string) bool {
	u, v := trustedURL(a), trustedURL(b)
	return u != nil && v != nil && weburl.SameOrigin(u, v)
}
