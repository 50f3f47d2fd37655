package asana_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// FuzzTokenResponse checks that Refresh returns either an *Error or valid tokens from the
// response body.
func FuzzTokenResponse(f *testing.F) {
	f.Add(200, "application/json", documented)
	f.Add(400, "application/json", `{"error":"invalid_grant"}`)
	for _, body := range hostile {
		if len(body) < 1<<10 {
			f.Add(200, "application/json", body)
		}
	}
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		if status < 100 || status > 999 {
			return
		}
		c := toAsana(t, roundTrip(func(*http.Request) (*http.Response, error) {
			return reply(status, body, "Content-Type", kind), nil
		}))
		got, err := c.Refresh(t.Context(), clientSecret, refreshToken)
		if err != nil {
			e, ok := errors.AsType[*asana.Error](err)
			if !ok || e.Status != status || e.Op != "refresh" || (e.Code != "" && status != 400 && status != 401) || len(e.Code) > 64 {
				t.Fatalf("Refresh() = %#v, want an *Error of the refresh with status %d", err, status)
			}
			if got != (asana.Tokens{}) {
				t.Fatal("Refresh() returned tokens and an error")
			}
			return
		}
		if status != 200 {
			t.Fatalf("Refresh() with status %d returned tokens", status)
		}
		for _, token := range []secret.String{got.Access, got.Refresh} {
			if s := token.Reveal(); len(s) > 8<<10 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("Refresh() returned the invalid token %q", s)
			}
		}
		if got.Access.IsZero() || got.ExpiresIn < 0 || got.ExpiresIn%time.Second != 0 || got.User.GID != "" && !asana.IsGID(got.User.GID) {
			t.Fatalf("Refresh() = %+v, want an access token, a valid lifetime and a valid gid", got)
		}
		// Refresh must return the same tokens that encoding/json finds in the body.
		var m map[string]any
		if err := json.Unmarshal([]byte(body), &m); err != nil || m["access_token"] != got.Access.Reveal() {
			t.Fatalf("Refresh() of %q returned access token %q", body, got.Access.Reveal())
		}
		if refresh, _ := m["refresh_token"].(string); refresh != got.Refresh.Reveal() {
			t.Fatalf("Refresh() of %q returned refresh token %q", body, got.Refresh.Reveal())
		}
	})
}

// FuzzVerifyIDToken checks that VerifyIDToken accepts one valid token and no other
// string.
func FuzzVerifyIDToken(f *testing.F) {
	whole := good(f, nil).Reveal()
	parts := strings.Split(whole, ".")
	f.Add(whole)
	f.Add("..")
	f.Add(parts[0] + "." + parts[1] + ".")
	f.Add("eyJhbGciOiJub25lIn0." + parts[1] + ".")
	f.Add(`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`)
	f.Fuzz(func(t *testing.T, raw string) {
		_, err := newProvider(t).client(t).VerifyIDToken(t.Context(), secret.New(raw), want)
		if (err == nil) != (raw == whole) {
			t.Fatalf("VerifyIDToken(%q) = %v", raw, err)
		}
		if err != nil && !errors.Is(err, asana.ErrIDToken) {
			t.Fatalf("VerifyIDToken(%q) = %v, want ErrIDToken", raw, err)
		}
	})
}

// FuzzClaims checks that an accepted token with a valid signature has valid claims.
func FuzzClaims(f *testing.F) {
	seed := func(change map[string]any) {
		data, _ := json.Marshal(claims(change))
		f.Add(string(data))
	}
	seed(nil)
	seed(map[string]any{"nonce": nil})
	seed(map[string]any{"aud": []string{clientID, "1"}, "azp": clientID})
	seed(map[string]any{"at_hash": half(accessToken), "c_hash": "x"})
	f.Add(`{"iss":"x","ISS":"y"}`)
	f.Fuzz(func(t *testing.T, payload string) {
		raw := sign(t, "k1", testKeys()[0], jose.RS256, payload)
		got, err := newProvider(t).client(t).VerifyIDToken(t.Context(), raw, want)
		if err != nil {
			if !errors.Is(err, asana.ErrIDToken) && !errors.Is(err, asana.ErrNoNonce) || got != (asana.Identity{}) {
				t.Fatalf("VerifyIDToken() of %s = %v, %v, want ErrIDToken or ErrNoNonce", payload, got, err)
			}
			return
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(payload), &m); err != nil || m["iss"] != issuer || m["nonce"] != "n-1" || m["sub"] != got.Subject || got.Subject == "" {
			t.Fatalf("VerifyIDToken() of %s = %v, want an error", payload, got)
		}
		if aud, ok := m["aud"].([]any); m["aud"] != any(clientID) && (!ok || len(aud) != 1 || aud[0] != clientID) {
			t.Fatalf("VerifyIDToken() accepted the audience of %s", payload)
		}
		if got.Expires.Before(noon) || got.Issued.After(noon.Add(time.Minute)) {
			t.Fatalf("VerifyIDToken() accepted the times of %s", payload)
		}
	})
}
