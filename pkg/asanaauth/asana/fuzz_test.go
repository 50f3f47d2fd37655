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

func FuzzTokenAnswer(f *testing.F) {
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
				t.Fatalf("Refresh() = %#v", err)
			}
			if got != (asana.Tokens{}) {
				t.Fatal("tokens beside an error")
			}
			return
		}
		if status != 200 {
			t.Fatalf("tokens with status %d", status)
		}
		for _, token := range []secret.String{got.Access, got.Refresh} {
			if s := token.Reveal(); len(s) > 8<<10 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("the token %q", s)
			}
		}
		if got.Access.IsZero() || got.ExpiresIn < 0 || got.ExpiresIn%time.Second != 0 || got.User.GID != "" && !asana.IsGID(got.User.GID) {
			t.Fatalf("tokens %+v", got)
		}
		// A second reader, who knows nothing of ours, reads the same tokens.
		var m map[string]any
		if err := json.Unmarshal([]byte(body), &m); err != nil || m["access_token"] != got.Access.Reveal() {
			t.Fatalf("access token %q of %q", got.Access.Reveal(), body)
		}
		if refresh, _ := m["refresh_token"].(string); refresh != got.Refresh.Reveal() {
			t.Fatalf("refresh token %q of %q", got.Refresh.Reveal(), body)
		}
	})
}

// FuzzVerifyIDToken has strangers' tokens: nothing but the good one is believed.
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

// FuzzClaims has payloads that Asana signed.
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
				t.Fatalf("VerifyIDToken() of %s = %v, %v", payload, got, err)
			}
			return
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(payload), &m); err != nil || m["iss"] != issuer || m["nonce"] != "n-1" || m["sub"] != got.Subject || got.Subject == "" {
			t.Fatalf("VerifyIDToken() of %s = %v", payload, got)
		}
		if aud, ok := m["aud"].([]any); m["aud"] != any(clientID) && (!ok || len(aud) != 1 || aud[0] != clientID) {
			t.Fatalf("VerifyIDToken() takes the audience of %s", payload)
		}
		if got.Expires.Before(noon) || got.Issued.After(noon.Add(time.Minute)) {
			t.Fatalf("VerifyIDToken() takes the times of %s", payload)
		}
	})
}
