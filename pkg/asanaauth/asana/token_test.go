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

// documented is the token response in Asana's documentation.
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
			t.Errorf("got request %s %s %v", r.Method, r.URL, r.Header)
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
		t.Errorf("Exchange() (-want +got):\n%s", diff)
	}
	sent := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {clientID}, "client_secret": {clientSecret.Reveal()},
		"redirect_uri": {"https://app.example/callback"}, "code": {code.Reveal()}, "code_verifier": {verifier.Reveal()},
	}
	if diff := cmp.Diff(sent, form); diff != "" {
		t.Errorf("form (-want +got):\n%s", diff)
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
		"names in other case are ignored": {`{"access_token":"a","token_type":"bearer","Refresh_Token":"b","Expires_In":7,"Data":{"gid":"1"}}`,
			asana.Tokens{Access: secret.New("a")}},
		"data is a string": {`{"access_token":"a","token_type":"bearer","data":"1"}`, asana.Tokens{Access: secret.New("a")}},
		"invalid gid, name and email": {`{"access_token":"a","token_type":"bearer","data":{"gid":"me","name":7,"email":"` + strings.Repeat("x", 1025) + `"}}`,
			asana.Tokens{Access: secret.New("a")}},
		"gid is a number": {`{"access_token":"a","token_type":"bearer","data":{"gid":17,"id":17}}`, asana.Tokens{Access: secret.New("a")}},
	} {
		t.Run(name, func(t *testing.T) {
			c := toAsana(t, roundTrip(func(r *http.Request) (*http.Response, error) {
				r.ParseForm()
				want := url.Values{
					"grant_type": {"refresh_token"}, "refresh_token": {refreshToken.Reveal()},
					"client_id": {clientID}, "client_secret": {clientSecret.Reveal()},
				}
				if diff := cmp.Diff(want, r.PostForm); diff != "" {
					t.Errorf("form (-want +got):\n%s", diff)
				}
				return reply(200, tc.body), nil
			}))
			got, err := c.Refresh(t.Context(), clientSecret, refreshToken)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, equalSecrets); diff != "" {
				t.Errorf("Refresh() (-want +got):\n%s", diff)
			}
		})
	}
}

// hostile contains bodies of invalid token responses, which the tests send with status
// 200.
var hostile = map[string]string{
	"empty":                 ``,
	"form":                  `access_token=a&token_type=bearer`,
	"null":                  `null`,
	"an array":              `[{"access_token":"a","token_type":"bearer"}]`,
	"a string":              `"access_token"`,
	"truncated":             `{"access_token":"a","token_type":"bearer"`,
	"two values":            `{"access_token":"a","token_type":"bearer"}{}`,
	"trailing data":         `{"access_token":"a","token_type":"bearer"} x`,
	"no access_token":       `{"token_type":"bearer"}`,
	"null access_token":     `{"access_token":null,"token_type":"bearer"}`,
	"empty access_token":    `{"access_token":"","token_type":"bearer"}`,
	"numeric access_token":  `{"access_token":1,"token_type":"bearer"}`,
	"ACCESS_TOKEN":          `{"ACCESS_TOKEN":"a","token_type":"bearer"}`,
	"control character":     `{"access_token":"a\u0000b","token_type":"bearer"}`,
	"line break":            `{"access_token":"a\r\nX-Evil: 1","token_type":"bearer"}`,
	"not ASCII":             `{"access_token":"ä","token_type":"bearer"}`,
	"space as access_token": `{"access_token":" ","token_type":"bearer"}`,
	"large access_token":    `{"access_token":"` + strings.Repeat("a", 8<<10+1) + `","token_type":"bearer"}`,
	"large response":        `{"access_token":"a","token_type":"bearer","x":"` + strings.Repeat("a", 64<<10) + `"}`,
	"no token_type":         `{"access_token":"a"}`,
	"token_type mac":        `{"access_token":"a","token_type":"mac"}`,
	"numeric token_type":    `{"access_token":"a","token_type":1}`,
	"empty refresh_token":   `{"access_token":"a","token_type":"bearer","refresh_token":""}`,
	"numeric refresh_token": `{"access_token":"a","token_type":"bearer","refresh_token":1}`,
	"large refresh_token":   `{"access_token":"a","token_type":"bearer","refresh_token":"` + strings.Repeat("a", 8<<10+1) + `"}`,
	"tab in refresh_token":  `{"access_token":"a","token_type":"bearer","refresh_token":"a\tb"}`,
	"expires_in 1e999":      `{"access_token":"a","token_type":"bearer","expires_in":1e999}`,
	"repeated name":         `{"access_token":"a","token_type":"bearer","access_token":"b"}`,
	"repeated, other case":  `{"access_token":"a","token_type":"bearer","Access_Token":"b"}`,
	"repeated, long s":      `{"access_token":"a","token_type":"bearer","acceſs_token":"b"}`,
	"repeated, escaped":     `{"access_token":"a","token_type":"bearer","acce\u0073s_token":"b"}`,
	"repeated in data":      `{"access_token":"a","token_type":"bearer","data":{"gid":"1","gid":"2"}}`,
	"deeply nested":         `{"access_token":"a","token_type":"bearer","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
	"invalid UTF-8":         "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"x\":\"\xff\"}",
	"error":                 `{"error":"invalid_grant"}`,
	"tokens and error":      `{"access_token":"a","token_type":"bearer","error":"invalid_grant"}`,
	"Error in other case":   `{"access_token":"a","token_type":"bearer","Error":"invalid_grant"}`,
	"empty error":           `{"access_token":"a","token_type":"bearer","error":""}`,
	"object as error":       `{"access_token":"a","token_type":"bearer","error":{"x":1}}`,
}

// malformedOptional contains token responses with a valid access token and one malformed
// optional field.
var malformedOptional = map[string]string{
	"fraction of a second": `{"access_token":"a","token_type":"bearer","expires_in":1.5}`,
	"boolean expires_in":   `{"access_token":"a","token_type":"bearer","expires_in":true}`,
	"empty id_token":       `{"access_token":"a","token_type":"bearer","id_token":""}`,
	"negative expires_in":  `{"access_token":"a","token_type":"bearer","expires_in":-1}`,
	"zero expires_in":      `{"access_token":"a","token_type":"bearer","expires_in":0}`,
	"expires_in too large": `{"access_token":"a","token_type":"bearer","expires_in":315360001}`,
	"largest expires_in":   `{"access_token":"a","token_type":"bearer","expires_in":9223372036854775807}`,
	"expires_in is a word": `{"access_token":"a","token_type":"bearer","expires_in":"an hour"}`,
	"empty expires_in":     `{"access_token":"a","token_type":"bearer","expires_in":""}`,
	"sign in expires_in":   `{"access_token":"a","token_type":"bearer","expires_in":"+3600"}`,
	"space in expires_in":  `{"access_token":"a","token_type":"bearer","expires_in":" 3600"}`,
	"fraction in a string": `{"access_token":"a","token_type":"bearer","expires_in":"3600.5"}`,
	"expires_in of digits": `{"access_token":"a","token_type":"bearer","expires_in":"` + strings.Repeat("9", 400) + `"}`,
	"scope as list":        `{"access_token":"a","token_type":"bearer","scope":["a"]}`,
	"line break in scope":  `{"access_token":"a","token_type":"bearer","scope":"a\nb"}`,
}

func TestExpiresInIsReadAlikeAtExchangeAndRefresh(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`3600`, `"3600"`, `3600.0`, `3.6e3`, `"03600"`} {
		c := toAsana(t, respondWith(200, `{"access_token":"a","token_type":"bearer","expires_in":`+value+`}`))
		exchanged, err1 := c.Exchange(t.Context(), clientSecret, code, verifier, "https://app.example/callback")
		refreshed, err2 := c.Refresh(t.Context(), clientSecret, refreshToken)
		if err := errors.Join(err1, err2); err != nil || exchanged.ExpiresIn != time.Hour || refreshed.ExpiresIn != time.Hour {
			t.Errorf("expires_in %s: got %v at the exchange and %v at the refresh, want 1h: %v", value, exchanged.ExpiresIn, refreshed.ExpiresIn, err)
		}
	}
}

// The response to a refresh may contain the only refresh token that is still valid.
// Refresh must return this token even if an optional field is malformed.
func TestRefreshIgnoresMalformedOptionalMembers(t *testing.T) {
	t.Parallel()
	for name, body := range malformedOptional {
		body = strings.Replace(body, `"access_token":"a"`, `"access_token":"a","refresh_token":"b"`, 1)
		got, err := toAsana(t, respondWith(200, body)).Refresh(t.Context(), secret.New("s"), secret.New("r"))
		if err != nil || got.Access.Reveal() != "a" || got.Refresh.Reveal() != "b" {
			t.Errorf("%s: Refresh() = %+v, %v, want both tokens", name, got, err)
		}
		if !got.ID.IsZero() || got.ExpiresIn != 0 || got.Scope != "" {
			t.Errorf("%s: Refresh() has lifetime %v and scope %q, want malformed members ignored", name, got.ExpiresIn, got.Scope)
		}
	}
}

func TestMalformedResponsesWithStatus200(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, rt http.RoundTripper, names ...string) {
		t.Helper()
		for _, call := range names {
			err := calls[call](t.Context(), toAsana(t, rt))
			var e *asana.Error
			if !errors.As(err, &e) {
				t.Fatalf("%s = %v, want an *Error", call, err)
			}
			if e.Op != call || e.Status != 200 || e.Code != "" || e.Timeout {
				t.Errorf("%s = %+v, want an error with status 200 and no code", call, *e)
			}
		}
	}
	for name, body := range hostile {
		t.Run(name, func(t *testing.T) { check(t, respondWith(200, body), "exchange", "refresh") })
	}
	for name, body := range malformedOptional {
		t.Run(name, func(t *testing.T) { check(t, respondWith(200, body), "exchange") })
	}
	for _, kind := range []string{"", "text/html", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", ";;"} {
		t.Run("Content-Type "+kind, func(t *testing.T) {
			check(t, respondWith(200, documented, "Content-Type", kind), "exchange", "refresh")
		})
	}
}

func TestStatusesOtherThan200(t *testing.T) {
	t.Parallel()
	for _, status := range []int{201, 204, 206, 301, 302, 307, 308, 400, 404, 429, 500, 503} {
		for call, do := range calls {
			err := do(t.Context(), toAsana(t, respondWith(status, documented)))
			if e, ok := errors.AsType[*asana.Error](err); !ok || e.Status != status || e.Op != call {
				t.Errorf("%s with status %d = %v, want an *Error with that status", call, status, err)
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
				t.Errorf("got request to %s, form (-want +got):\n%s", r.URL, diff)
			}
			return reply(200, body, "Content-Type", kind), nil
		}))
		if err := c.Revoke(t.Context(), clientSecret, refreshToken); err != nil {
			t.Errorf("Revoke() with body %q = %v, want no error", body, err)
		}
	}
	for _, rt := range []http.RoundTripper{
		respondWith(200, `{"error":"invalid_client"}`), respondWith(200, "\n <!DOCTYPE html>", "Content-Type", "text/html"),
		respondWith(200, "nonsense"), respondWith(400, `{"error":"invalid_request"}`),
	} {
		if err := toAsana(t, rt).Revoke(t.Context(), clientSecret, refreshToken); err == nil {
			t.Error("Revoke() succeeded although the response does not confirm it")
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
		got, err := toAsana(t, respondWith(200, body)).Introspect(t.Context(), accessToken)
		if err != nil || got != want {
			t.Errorf("Introspect() with body %s = %+v, %v, want %+v", body, got, err, want)
		}
	}
	for _, body := range []string{
		`{}`, `[]`, `{"active":"true"}`, `{"active":1}`, `{"active":null}`, `{"Active":true}`, `{"active":true,"client_id":17}`, `{"active":true,"client_id":["x"]}`,
		`{"active":true,"exp":-1}`, `{"active":true,"exp":1e12}`, `{"active":true,"exp":"1"}`, `{"active":true,"exp":1.5}`, `{"active":true,"scope":1}`,
		`{"active":true,"active":true}`, `{"active":true,"error":"x"}`,
	} {
		if got, err := toAsana(t, respondWith(200, body)).Introspect(t.Context(), accessToken); err == nil || got != (asana.Introspection{}) {
			t.Errorf("Introspect() with body %s = %+v, %v, want an error", body, got, err)
		}
	}
}

func TestMissingArgumentsAreNotSent(t *testing.T) {
	t.Parallel()
	c := toAsana(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		t.Errorf("got request to %s, want none", r.URL)
		return reply(200, documented), nil
	}))
	var zero secret.String
	ctx := context.Background()
	for name, do := range map[string]func() error{
		"Exchange without code":         func() error { _, err := c.Exchange(ctx, clientSecret, zero, verifier, "x"); return err },
		"Exchange without secret":       func() error { _, err := c.Exchange(ctx, zero, code, verifier, "x"); return err },
		"Refresh without refresh token": func() error { _, err := c.Refresh(ctx, clientSecret, zero); return err },
		"Refresh without secret":        func() error { _, err := c.Refresh(ctx, zero, refreshToken); return err },
		"Revoke without refresh token":  func() error { return c.Revoke(ctx, clientSecret, zero) },
		"Introspect without token":      func() error { _, err := c.Introspect(ctx, zero); return err },
		"Me without token":              func() error { _, err := c.Me(ctx, zero); return err },
		"Memberships with invalid user": func() error { _, err := c.Memberships(ctx, accessToken, "../me"); return err },
	} {
		if err := do(); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
}
