package asana_test

import (
	"context"
	"errors"
	"fmt"
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

func TestKeysAreCached(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := p.client(t)
	check := func(when string, raw secret.String, ok bool, discovered, keys int32) {
		t.Helper()
		_, err := c.VerifyIDToken(t.Context(), raw, want)
		if (err == nil) != ok || p.discovered.Load() != discovered || p.keys.Load() != keys {
			t.Errorf("%s: VerifyIDToken() = %v, want success %t; fetched metadata %d times and keys %d times, want %d and %d",
				when, err, ok, p.discovered.Load(), p.keys.Load(), discovered, keys)
		}
	}
	token := good(t, map[string]any{"exp": noon.Add(100 * time.Hour).Unix()})
	unknown := sign(t, "k2", testKeys()[1], jose.RS256, claims(nil))
	if p.discovered.Load() != 0 {
		t.Error("New() fetched the metadata")
	}
	check("first token", token, true, 1, 1)
	check("second token", token, true, 1, 1)
	check("unknown key at once", unknown, false, 1, 2)
	p.now = noon.Add(59 * time.Second)
	check("unknown key within a minute", unknown, false, 1, 2)
	check("known key within a minute", token, true, 1, 2)
	p.now = noon.Add(60 * time.Second)
	check("unknown key a minute later", unknown, false, 1, 3)
	check("unknown key again at once", unknown, false, 1, 3)
	p.now = noon.Add(123 * time.Second)
	p.jwks = newProvider(t, public("k1", 0), public("k2", 1)).jwks
	check("new key after it was published", unknown, true, 1, 4)
	p.now = noon.Add(63 * time.Minute)
	check("an hour later", token, true, 1, 5)
	p.now = noon.Add(25 * time.Hour)
	check("a day later", token, true, 2, 6)
	p.now = noon.Add(24 * time.Hour)
	check("after the clock was set back", token, true, 3, 7)
	p.now = noon.Add(27 * time.Hour)
	p.fail.Store(true)
	check("expired keys and Asana unavailable", token, false, 3, 8)
	check("expired keys and Asana still unavailable", token, false, 4, 8) // the URL of the keys may have changed
	p.fail.Store(false)
	check("expired keys and Asana available again", token, true, 5, 9)
}

// Asana replaces a key and keeps its ID. The first ID token that the new key signed must
// be accepted, even if the keys were fetched a moment ago.
func TestAKeyThatIsReplacedUnderItsID(t *testing.T) {
	t.Parallel()
	for _, kid := range []string{"k1", ""} {
		p := newProvider(t, public(kid, 0))
		c := p.client(t)
		verify := func(key int) error {
			_, err := c.VerifyIDToken(t.Context(), sign(t, kid, testKeys()[key], jose.RS256, claims(nil)), want)
			return err
		}
		if err := verify(0); err != nil {
			t.Fatal(err)
		}
		p.jwks = newProvider(t, public(kid, 1)).jwks
		if err := verify(1); err != nil || p.keys.Load() != 2 {
			t.Errorf("key ID %q: VerifyIDToken() with the new key = %v after %d fetches of the keys, want no error after 2", kid, err, p.keys.Load())
		}
		if err := verify(0); !errors.Is(err, asana.ErrIDToken) || p.keys.Load() != 2 {
			t.Errorf("key ID %q: VerifyIDToken() with the old key = %v after %d fetches, want ErrIDToken without another fetch", kid, err, p.keys.Load())
		}
		p.jwks, p.now = newProvider(t, public(kid, 0)).jwks, noon.Add(time.Minute)
		if err := verify(0); err != nil || p.keys.Load() != 3 {
			t.Errorf("key ID %q: VerifyIDToken() a minute later = %v after %d fetches, want no error after 3", kid, err, p.keys.Load())
		}
	}
}

// A failed fetch counts as a fetch: while Asana is unavailable, forged tokens must not
// cause more requests than one a minute. The cached keys remain.
func TestFailedFetchesOfKeysAreLimited(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := p.client(t)
	forged := sign(t, "k1", testKeys()[1], jose.RS256, claims(nil))
	if _, err := c.VerifyIDToken(t.Context(), good(t, nil), want); err != nil {
		t.Fatal(err)
	}
	p.fail.Store(true)
	_, err := c.VerifyIDToken(t.Context(), forged, want)
	if e, ok := errors.AsType[*asana.Error](err); !ok || e.Status != 503 {
		t.Errorf("VerifyIDToken() of a forged token = %v, want the failure of the fetch", err)
	}
	for range 10 {
		if _, err := c.VerifyIDToken(t.Context(), forged, want); !errors.Is(err, asana.ErrIDToken) {
			t.Errorf("VerifyIDToken() of a forged token = %v, want ErrIDToken", err)
		}
		if _, err := c.VerifyIDToken(t.Context(), good(t, nil), want); err != nil {
			t.Errorf("VerifyIDToken() of a good token = %v, want no error", err)
		}
	}
	if p.discovered.Load() != 1 || p.keys.Load() != 2 {
		t.Errorf("fetched metadata %d times and keys %d times, want 1 and 2", p.discovered.Load(), p.keys.Load())
	}
}

func TestMediaTypesOfTheKeySet(t *testing.T) {
	t.Parallel()
	for kind, ok := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "application/jwk-set+json": true, "application/jwk-set+json; charset=UTF-8": true,
		"Application/JWK-Set+JSON": true, "text/html": false, "text/plain": false, "application/jwk+json": false, "application/jwt": false,
	} {
		p := newProvider(t)
		p.jwksType = kind
		_, err := p.client(t).VerifyIDToken(t.Context(), good(t, nil), want)
		if (err == nil) != ok {
			t.Errorf("VerifyIDToken() with a key set of type %s = %v, want success %t", kind, err, ok)
		}
		if p.accept != "application/jwk-set+json, application/json" {
			t.Errorf("the request for the key set accepts %q, want both types", p.accept)
		}
	}
}

func TestKeysThatCannotBeFetched(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*provider){
		"Asana unavailable":  func(p *provider) { p.fail.Store(true) },
		"other issuer":       func(p *provider) { p.doc = strings.Replace(p.doc, issuer, "https://app.asana.com", 1) },
		"keys on other host": func(p *provider) { p.doc = strings.Replace(p.doc, jwksURI, "https://evil.example/jwks", 1) },
		"keys over http":     func(p *provider) { p.doc = strings.Replace(p.doc, jwksURI, "http://app.asana.com/jwks", 1) },
		"keys on other port": func(p *provider) { p.doc = strings.Replace(p.doc, jwksURI, "https://app.asana.com:8443/jwks", 1) },
		"jwks_uri with user": func(p *provider) { p.doc = strings.Replace(p.doc, jwksURI, "https://x@app.asana.com/jwks", 1) },
		"no jwks_uri":        func(p *provider) { p.doc = fmt.Sprintf(`{"issuer":%q}`, issuer) },
		"HTML as metadata":   func(p *provider) { p.doc = `<html>` },
		"array as key set":   func(p *provider) { p.jwks = `[]` },
		"too many keys":      func(p *provider) { p.jwks = `{"keys":[` + strings.Repeat(`{},`, 40) + `{}]}` },
		"too large key set":  func(p *provider) { p.jwks = `{"keys":[],"x":"` + strings.Repeat(`x`, 1<<20) + `"}` },
	} {
		p := newProvider(t)
		spoil(p)
		_, err := p.client(t).VerifyIDToken(t.Context(), good(t, nil), want)
		if _, ok := errors.AsType[*asana.Error](err); !ok || errors.Is(err, asana.ErrIDToken) {
			t.Errorf("%s: VerifyIDToken() = %v, want an *Error", name, err)
		}
		if p.strays.Load() != 0 {
			t.Errorf("%s: a request was sent to another URL", name)
		}
	}
}

// While one caller fetches the keys, another caller must stop waiting at its own
// deadline.
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
			t.Errorf("VerifyIDToken() = %v after %d requests, want a timeout after 1 request", err, requests.Load())
		}
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the first VerifyIDToken() = %v, want canceled", err)
		}
	})
}

func TestConcurrentCallersFetchKeysOnce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := p.client(t)
	verify := func(raw secret.String) {
		t.Helper()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := c.VerifyIDToken(t.Context(), raw, want); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	verify(good(t, nil))
	if p.discovered.Load() != 1 || p.keys.Load() != 1 {
		t.Errorf("fetched metadata %d times and keys %d times, want once each", p.discovered.Load(), p.keys.Load())
	}
	p.jwks = newProvider(t, public("k1", 1)).jwks
	verify(sign(t, "k1", testKeys()[1], jose.RS256, claims(nil)))
	if p.discovered.Load() != 1 || p.keys.Load() != 2 {
		t.Errorf("after a new key: fetched metadata %d times and keys %d times, want 1 and 2", p.discovered.Load(), p.keys.Load())
	}
}
