package asana

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/asanaauth/asanaauth/internal/weburl"
)

const (
	keysAge       = time.Hour      // how long Asana's keys are believed without asking again
	discoveryAge  = 24 * time.Hour // the same for where they are
	unknownKeyGap = time.Minute    // strangers can invent key ids: ask for an unknown one this often
	mostKeys      = 32             // of a key set; two or three are usual
)

// keyCache holds Asana's signing keys. Instead of go-oidc's remote key set, whose
// fetches run in a goroutine of their own past the caller's deadline: here whoever
// needs keys fetches them, within its own context, and others wait for it, within
// theirs. Ages are counted by the wall clock: a frozen sandbox's other clock stands.
type keyCache struct {
	turn    chan struct{} // holds one token: who has it owns the fields below
	jwks    string
	found   time.Time // when jwks was discovered
	keys    []jose.JSONWebKey
	fetched time.Time // when keys were, zero where they never were
	asked   time.Time // when they were last asked for, with or without success
}

func newKeyCache() *keyCache {
	k := &keyCache{turn: make(chan struct{}, 1)}
	k.turn <- struct{}{}
	return k
}

// verificationKeys returns the keys that may have signed with this key id ("" is
// any), none where Asana knows no such key. Its errors are those of the requests.
func (c *Client) verificationKeys(ctx context.Context, kid string) ([]crypto.PublicKey, error) {
	k := c.keys
	select {
	case <-k.turn:
		defer func() { k.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, broken(ctx, "jwks", 0, ctx.Err())
	}
	now := c.now().Round(0)
	old := older(now, k.fetched, keysAge)
	if !old {
		if keys := k.named(kid); len(keys) > 0 || !older(now, k.asked, unknownKeyGap) {
			return keys, nil
		}
	}
	k.asked = now
	if err := c.fetchKeys(ctx, now); err != nil {
		return nil, err
	}
	return k.named(kid), nil
}

// older reports that more than age has passed, or that the clock went back.
func older(now, then time.Time, age time.Duration) bool {
	return now.Sub(then) > age || then.After(now)
}

func (k *keyCache) named(kid string) []crypto.PublicKey {
	var keys []crypto.PublicKey
	for _, key := range k.keys {
		if kid == "" || key.KeyID == kid {
			keys = append(keys, key.Key)
		}
	}
	return keys
}

// fetchKeys asks where the keys are, where that is not known, and for the keys.
func (c *Client) fetchKeys(ctx context.Context, now time.Time) error {
	k := c.keys
	if k.jwks == "" || older(now, k.found, discoveryAge) {
		jwks, err := c.discover(ctx)
		if err != nil {
			return err
		}
		k.jwks, k.found = jwks, now
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := c.read(ctx, "jwks", k.jwks, nil, &set); err != nil {
		return err
	}
	if len(set.Keys) > mostKeys {
		return nonsense("jwks", "the key set is too large")
	}
	k.keys, k.fetched = usable(set.Keys), now
	return nil
}

// discover reads OpenID Connect Discovery section 4. The document must be the
// issuer's own, and its keys must be where Asana is: a document that says otherwise
// is somebody else's.
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
		return "", nonsense(op, "the document is another issuer's")
	}
	if !sameOrigin(doc.JWKS, c.base) {
		return "", nonsense(op, "the keys are not at Asana")
	}
	return doc.JWKS, nil
}

// usable keeps the keys that can verify RS256 signatures; a set may hold others. Small
// ones can be forged; what is too large to be checked in time go-jose leaves out.
func usable(set []json.RawMessage) []jose.JSONWebKey {
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

// sameOrigin reports whether two URLs that tokens may be sent to have one origin.
func sameOrigin(a, b string) bool {
	u, v := trustedURL(a), trustedURL(b)
	return u != nil && v != nil && weburl.SameOrigin(u, v)
}
