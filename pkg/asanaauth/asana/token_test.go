package asana_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// documented is the example of Asana's page, with the members it does not show.
const documented = `{"access_token":"f6ds7fdsa69ags7ag9sd5a","expires_in":3600,"token_type":"bearer",
 "data":{"id":4673218951,"gid":"4673218951","name":"Greg Sanchez","email":"gsanchez@example.com"},
 "refresh_token":"hjkl325hjkl4325hj4kl32fjds"}`

var equalSecrets = cmp.Comparer(func(a, b secret.String) bool { return a.Equal(b) })

func TestExchange(t *testing.T) {
	t.Parallel()
	var form url.Values
	c := toServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		form = r.PostForm
		if r.Method != "POST" || r.URL.Path != "/-/oauth_token" || r.URL.RawQuery != "" || r.Header.Get("Accept") != "application/json" ||
			r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Header.Get("Authorization") != "" {
			t.Errorf("got %s %s %v", r.Method, r.URL, r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(documented))
	}))
	got, err := c.Exchange(t.Context(), clientSecret, code, verifier, "https://app.example/callback")
	if err != nil {
		t.Fatal(err)
	}
	want := asana.Tokens{
		Access: secret.New("f6ds7fdsa69ags7ag9sd5a"), Refresh: secret.New("hjkl325hjkl4325hj4kl32fjds"), ExpiresIn: time.Hour,
		User: asana.User{GID: userGID, Name: secret.New("Greg Sanchez"), Email: secret.New("gsanchez@example.com")},
	}
	if diff := cmp.Diff(want, got, equalSecrets); diff != "" {
		t.Error(diff)
	}
	sent := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {clientID}, "client_secret": {clientSecret.Reveal()},
		"redirect_uri": {"https://app.example/callback"}, "code": {code.Reveal()}, "code_verifier": {verifier.Reveal()},
	}
	if diff := cmp.Diff(sent, form); diff != "" {
		t.Error(diff)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body string
		want asana.Tokens
	}{
		"not rotated": {`{"access_token":"a","token_type":"Bearer","expires_in":3600}`, asana.Tokens{Access: secret.New("a"), ExpiresIn: time.Hour}},
		"rotated":     {`{"access_token":"a","token_type":"BEARER","refresh_token":"b"}`, asana.Tokens{Access: secret.New("a"), Refresh: secret.New("b")}},
		"nulls": {`{"access_token":"a","token_type":"bearer","refresh_token":null,"expires_in":null,"scope":null,"id_token":null,"data":null,"error":null}`,
			asana.Tokens{Access: secret.New("a")}},
		"all": {`{"access_token":"a","token_type":"bearer","scope":"openid users:read","id_token":"x.y.z"}`,
			asana.Tokens{Access: secret.New("a"), Scope: "openid users:read", ID: secret.New("x.y.z")}},
		"names of another case are other names": {`{"access_token":"a","token_type":"bearer","Refresh_Token":"b","Expires_In":7,"Data":{"gid":"1"}}`,
			asana.Tokens{Access: secret.New("a")}},
		"data that is none": {`{"access_token":"a","token_type":"bearer","data":"1"}`, asana.Tokens{Access: secret.New("a")}},
		"a gid that is none": {`{"access_token":"a","token_type":"bearer","data":{"gid":"me","name":7,"email":"` + strings.Repeat("x", 1025) + `"}}`,
			asana.Tokens{Access: secret.New("a")}},
		"a gid that is a number": {`{"access_token":"a","token_type":"bearer","data":{"gid":17,"id":17}}`, asana.Tokens{Access: secret.New("a")}},
	} {
		t.Run(name, func(t *testing.T) {
			c := toAsana(t, roundTrip(func(r *http.Request) (*http.Response, error) {
				r.ParseForm()
				want := url.Values{
					"grant_type": {"refresh_token"}, "refresh_token": {refreshToken.Reveal()},
					"client_id": {clientID}, "client_secret": {clientSecret.Reveal()},
				}
				if diff := cmp.Diff(want, r.PostForm); diff != "" {
					t.Error(diff)
				}
				return reply(200, tc.body), nil
			}))
			got, err := c.Refresh(t.Context(), clientSecret, refreshToken)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, equalSecrets); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// hostile are bodies with status 200 that bring no tokens.
var hostile = map[string]string{
	"nothing":               ``,
	"no JSON":               `access_token=a&token_type=bearer`,
	"null":                  `null`,
	"an array":              `[{"access_token":"a","token_type":"bearer"}]`,
	"a string":              `"access_token"`,
	"cut off":               `{"access_token":"a","token_type":"bearer"`,
	"two values":            `{"access_token":"a","token_type":"bearer"}{}`,
	"trailing data":         `{"access_token":"a","token_type":"bearer"} x`,
	"no access_token":       `{"token_type":"bearer"}`,
	"null access_token":     `{"access_token":null,"token_type":"bearer"}`,
	"empty access_token":    `{"access_token":"","token_type":"bearer"}`,
	"numeric access_token":  `{"access_token":1,"token_type":"bearer"}`,
	"access_token's case":   `{"ACCESS_TOKEN":"a","token_type":"bearer"}`,
	"control character":     `{"access_token":"a\u0000b","token_type":"bearer"}`,
	"line break":            `{"access_token":"a\r\nX-Evil: 1","token_type":"bearer"}`,
	"not ASCII":             `{"access_token":"ä","token_type":"bearer"}`,
	"blank":                 `{"access_token":" ","token_type":"bearer"}`,
	"large access_token":    `{"access_token":"` + strings.Repeat("a", 8<<10+1) + `","token_type":"bearer"}`,
	"large answer":          `{"access_token":"a","token_type":"bearer","x":"` + strings.Repeat("a", 64<<10) + `"}`,
	"no token_type":         `{"access_token":"a"}`,
	"mac":                   `{"access_token":"a","token_type":"mac"}`,
	"numeric token_type":    `{"access_token":"a","token_type":1}`,
	"empty refresh_token":   `{"access_token":"a","token_type":"bearer","refresh_token":""}`,
	"numeric refresh_token": `{"access_token":"a","token_type":"bearer","refresh_token":1}`,
	"large refresh_token":   `{"access_token":"a","token_type":"bearer","refresh_token":"` + strings.Repeat("a", 8<<10+1) + `"}`,
	"tab in refresh_token":  `{"access_token":"a","token_type":"bearer","refresh_token":"a\tb"}`,
	"endless expires_in":    `{"access_token":"a","token_type":"bearer","expires_in":1e999}`,
	"twice":                 `{"access_token":"a","token_type":"bearer","access_token":"b"}`,
	"twice but for case":    `{"access_token":"a","token_type":"bearer","Access_Token":"b"}`,
	"twice, long s":         `{"access_token":"a","token_type":"bearer","acceſs_token":"b"}`,
	"twice, escaped":        `{"access_token":"a","token_type":"bearer","acce\u0073s_token":"b"}`,
	"twice, inside":         `{"access_token":"a","token_type":"bearer","data":{"gid":"1","gid":"2"}}`,
	"deep":                  `{"access_token":"a","token_type":"bearer","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
	"invalid UTF-8":         "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"x\":\"\xff\"}",
	"an error":              `{"error":"invalid_grant"}`,
	"tokens and an error":   `{"access_token":"a","token_type":"bearer","error":"invalid_grant"}`,
	"an error's case":       `{"access_token":"a","token_type":"bearer","Error":"invalid_grant"}`,
	"an empty error":        `{"access_token":"a","token_type":"bearer","error":""}`,
	"an error that is none": `{"access_token":"a","token_type":"bearer","error":{"x":1}}`,
}

// oddBesides have good tokens, and something odd beside them.
var oddBesides = map[string]string{
	"fraction of a second": `{"access_token":"a","token_type":"bearer","expires_in":1.5}`,
	"expires_in as truth":  `{"access_token":"a","token_type":"bearer","expires_in":true}`,
	"empty id_token":       `{"access_token":"a","token_type":"bearer","id_token":""}`,
	"negative expires_in":  `{"access_token":"a","token_type":"bearer","expires_in":-1}`,
	"no time at all":       `{"access_token":"a","token_type":"bearer","expires_in":0}`,
	"absurd expires_in":    `{"access_token":"a","token_type":"bearer","expires_in":315360001}`,
	"larger expires_in":    `{"access_token":"a","token_type":"bearer","expires_in":9223372036854775807}`,
	"expires_in as text":   `{"access_token":"a","token_type":"bearer","expires_in":"3600"}`,
	"scope as list":        `{"access_token":"a","token_type":"bearer","scope":["a"]}`,
	"scope with a break":   `{"access_token":"a","token_type":"bearer","scope":"a\nb"}`,
}

// The answer of a refresh may hold the only refresh token that still works: it
// is not thrown away for a member that the tokens can do without.
func TestARefreshDoesWithoutWhatIsOddBesides(t *testing.T) {
	t.Parallel()
	for name, body := range oddBesides {
		body = strings.Replace(body, `"access_token":"a"`, `"access_token":"a","refresh_token":"b"`, 1)
		got, err := toAsana(t, answering(200, body)).Refresh(t.Context(), secret.New("s"), secret.New("r"))
		if err != nil || got.Access.Reveal() != "a" || got.Refresh.Reveal() != "b" {
			t.Errorf("%s: lost the tokens: %v", name, err)
		}
		if !got.ID.IsZero() || got.ExpiresIn != 0 || got.Scope != "" {
			t.Errorf("%s: believed %v, %q", name, got.ExpiresIn, got.Scope)
		}
	}
}

func TestNonsenseInA200(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, rt http.RoundTripper, among ...string) {
		t.Helper()
		for _, call := range among {
			err := calls[call](t.Context(), toAsana(t, rt))
			var e *asana.Error
			if !errors.As(err, &e) {
				t.Fatalf("%s = %v, want an *Error", call, err)
			}
			if e.Op != call || e.Status != 200 || e.Code != "" || e.Timeout {
				t.Errorf("%s = %+v, want status 200 and no code", call, *e)
			}
		}
	}
	for name, body := range hostile {
		t.Run(name, func(t *testing.T) { check(t, answering(200, body), "exchange", "refresh") })
	}
	for name, body := range oddBesides {
		t.Run(name, func(t *testing.T) { check(t, answering(200, body), "exchange") })
	}
	for _, kind := range []string{"", "text/html", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", ";;"} {
		t.Run("as "+kind, func(t *testing.T) { check(t, answering(200, documented, "Content-Type", kind), "exchange", "refresh") })
	}
}

func TestStatusesThatAreNo200(t *testing.T) {
	t.Parallel()
	for _, status := range []int{201, 204, 206, 301, 302, 307, 308, 400, 404, 429, 500, 503} {
		for call, do := range calls {
			err := do(t.Context(), toAsana(t, answering(status, documented)))
			if e, ok := errors.AsType[*asana.Error](err); !ok || e.Status != status || e.Op != call {
				t.Errorf("%s with status %d = %v", call, status, err)
			}
		}
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	for body, kind := range map[string]string{"": "application/json", " ": "text/html", "{}": "application/json", "OK": "text/plain", `{"data":{}}`: "application/json", `{"error":null}`: "application/json"} {
		c := toAsana(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			r.ParseForm()
			want := url.Values{"client_id": {clientID}, "client_secret": {clientSecret.Reveal()}, "token": {refreshToken.Reveal()}}
			if diff := cmp.Diff(want, r.PostForm); diff != "" || r.URL.String() != "https://app.asana.com/-/oauth_revoke" {
				t.Error(r.URL, diff)
			}
			return reply(200, body, "Content-Type", kind), nil
		}))
		if err := c.Revoke(t.Context(), clientSecret, refreshToken); err != nil {
			t.Errorf("Revoke() with the body %q = %v", body, err)
		}
	}
	for _, rt := range []http.RoundTripper{
		answering(200, `{"error":"invalid_client"}`), answering(200, "\n <!DOCTYPE html>", "Content-Type", "text/html"),
		answering(200, "nonsense"), answering(400, `{"error":"invalid_request"}`),
	} {
		if err := toAsana(t, rt).Revoke(t.Context(), clientSecret, refreshToken); err == nil {
			t.Error("Revoke() says done where Asana did not")
		}
	}
}

func TestIntrospect(t *testing.T) {
	t.Parallel()
	end := time.Unix(2069346816, 0).UTC()
	for body, want := range map[string]asana.Introspection{
		`{"token_type":"bearer","expires_in":315359969,"exp":2069346816,"scope":"tasks:read openid","active":true}`: {Active: true, Scope: "tasks:read openid", TokenType: "bearer", Expires: end},
		`{"token_type":"refresh","client_id":"753482910","active":true}`:                                            {Active: true, ClientID: clientID, TokenType: "refresh"},
		`{"active":false,"client_id":17,"exp":"x"}`:                                                                 {},
	} {
		got, err := toAsana(t, answering(200, body)).Introspect(t.Context(), accessToken)
		if err != nil || got != want {
			t.Errorf("Introspect() of %s = %+v, %v", body, got, err)
		}
	}
	for _, body := range []string{
		`{}`, `[]`, `{"active":"true"}`, `{"active":1}`, `{"active":null}`, `{"Active":true}`, `{"active":true,"client_id":17}`, `{"active":true,"client_id":["x"]}`,
		`{"active":true,"exp":-1}`, `{"active":true,"exp":1e12}`, `{"active":true,"exp":"1"}`, `{"active":true,"exp":1.5}`, `{"active":true,"scope":1}`,
		`{"active":true,"active":true}`, `{"active":true,"error":"x"}`,
	} {
		if got, err := toAsana(t, answering(200, body)).Introspect(t.Context(), accessToken); err == nil || got != (asana.Introspection{}) {
			t.Errorf("Introspect() of %s = %+v, %v, want an error", body, got, err)
		}
	}
}

func TestNothingToSendIsNotSent(t *testing.T) {
	t.Parallel()
	c := toAsana(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		t.Errorf("a request was made: %s", r.URL)
		return reply(200, documented), nil
	}))
	var zero secret.String
	ctx := context.Background()
	for name, do := range map[string]func() error{
		"code":          func() error { _, err := c.Exchange(ctx, clientSecret, zero, verifier, "x"); return err },
		"secret":        func() error { _, err := c.Exchange(ctx, zero, code, verifier, "x"); return err },
		"refresh token": func() error { _, err := c.Refresh(ctx, clientSecret, zero); return err },
		"its secret":    func() error { _, err := c.Refresh(ctx, zero, refreshToken); return err },
		"revoked token": func() error { return c.Revoke(ctx, clientSecret, zero) },
		"token":         func() error { _, err := c.Introspect(ctx, zero); return err },
		"me's token":    func() error { _, err := c.Me(ctx, zero); return err },
		"user":          func() error { _, err := c.Memberships(ctx, accessToken, "../me"); return err },
	} {
		if err := do(); err == nil {
			t.Errorf("without a %s there is no error", name)
		}
	}
}
