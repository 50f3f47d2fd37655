package asana_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	clientID = "753482910"
	userGID  = "4673218951"
)

// Secrets that the tests send. Errors must not contain them.
var (
	clientSecret = secret.New("MARKERsecret0815")
	code         = secret.New("0/MARKERcode0815")
	verifier     = secret.New("MARKERverifier0815MARKERverifier0815MARKERv")
	refreshToken = secret.New("2/4673218951/99:MARKERrefresh0815")
	accessToken  = secret.New("2/4673218951/98:MARKERaccess0815")
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// reply returns a JSON response. header contains header names, each followed by its
// value; a Content-Type in header replaces the media type of JSON.
func reply(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json; charset=UTF-8"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func respondWith(status int, body string, header ...string) http.RoundTripper {
	return roundTrip(func(*http.Request) (*http.Response, error) { return reply(status, body, header...), nil })
}

// toAsana returns a client that is configured for the real Asana but sends its requests
// to rt.
func toAsana(t testing.TB, rt http.RoundTripper) *asana.Client {
	t.Helper()
	c, err := asana.New(asana.Config{ClientID: clientID, Transport: rt})
	if err != nil {
		t.Fatalf("New() = %v", err)
	}
	return c
}

func toServer(t *testing.T, h http.Handler) *asana.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := asana.New(asana.Config{BaseURL: srv.URL, ClientID: clientID, Transport: transport})
	if err != nil {
		t.Fatalf("New() = %v", err)
	}
	return c
}

// calls has one entry for each Client method that makes requests, except VerifyIDToken.
// Each key is the Op of the method's errors.
var calls = map[string]func(context.Context, *asana.Client) error{
	"exchange": func(ctx context.Context, c *asana.Client) error {
		_, err := c.Exchange(ctx, clientSecret, code, verifier, "https://app.example/callback")
		return err
	},
	"refresh": func(ctx context.Context, c *asana.Client) error {
		_, err := c.Refresh(ctx, clientSecret, refreshToken)
		return err
	},
	"revoke": func(ctx context.Context, c *asana.Client) error { return c.Revoke(ctx, clientSecret, refreshToken) },
	"introspect": func(ctx context.Context, c *asana.Client) error {
		_, err := c.Introspect(ctx, accessToken)
		return err
	},
	"userinfo": func(ctx context.Context, c *asana.Client) error {
		_, err := c.UserInfo(ctx, accessToken)
		return err
	},
	"users/me": func(ctx context.Context, c *asana.Client) error {
		_, err := c.Me(ctx, accessToken)
		return err
	},
	"workspaces": func(ctx context.Context, c *asana.Client) error {
		_, err := c.Workspaces(ctx, accessToken)
		return err
	},
	"workspace_memberships": func(ctx context.Context, c *asana.Client) error {
		_, err := c.Memberships(ctx, accessToken, userGID)
		return err
	},
}

// isPost reports whether call sends a POST request.
func isPost(call string) bool {
	return call == "exchange" || call == "refresh" || call == "revoke" || call == "introspect"
}

func TestNewRejectsUntrustedURLs(t *testing.T) {
	t.Parallel()
	good := asana.Config{ClientID: clientID, Transport: respondWith(200, "{}")}
	for _, base := range []string{
		"http://app.asana.com", "ftp://app.asana.com", "app.asana.com", "https://", "https://u:p@app.asana.com",
		"https://app.asana.com/x", "https://app.asana.com?x", "https://app.asana.com#x", "https://app asana.com", "://",
		"http://127.0.0.1.example.com", "http://localhost.example.com",
	} {
		c := good
		c.BaseURL = base
		if _, err := asana.New(c); err == nil {
			t.Errorf("New() with BaseURL %q succeeded, want an error", base)
		}
		c.BaseURL, c.Issuer = "", strings.TrimSuffix(base, "/x")
		if base == "https://app.asana.com/x" {
			continue // an issuer may have a path
		}
		if _, err := asana.New(c); err == nil {
			t.Errorf("New() with Issuer %q succeeded, want an error", base)
		}
	}
	if _, err := asana.New(asana.Config{}); err == nil || !strings.Contains(err.Error(), "ClientID") || !strings.Contains(err.Error(), "Transport") {
		t.Errorf("New(Config{}) = %v, want an error that names ClientID and Transport", err)
	}
	for _, base := range []string{"http://localhost:8485", "http://127.0.0.1:1", "http://[::1]:1", "http://host.docker.internal:8485", "https://app.asana.com/"} {
		c := good
		c.BaseURL = base
		got, err := asana.New(c)
		if err != nil {
			t.Errorf("New() with BaseURL %q = %v, want no error", base, err)
			continue
		}
		want := strings.TrimSuffix(base, "/")
		if diff := cmp.Diff([]string{want, want + "/api/1.0"}, got.Issuers()); diff != "" {
			t.Errorf("Issuers() with BaseURL %q (-want +got):\n%s", base, diff)
		}
	}
}

func TestIssuers(t *testing.T) {
	t.Parallel()
	c, err := asana.New(asana.Config{ClientID: clientID, Issuer: "https://id.example/", Transport: respondWith(200, "{}")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"https://app.asana.com", "https://id.example/"}, c.Issuers()); diff != "" {
		t.Errorf("Issuers() (-want +got):\n%s", diff)
	}
	if got := c.ClientID(); got != clientID {
		t.Errorf("ClientID() = %q, want %q", got, clientID)
	}
}

func TestIsGID(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"1": true, "1200000000000001": true, strings.Repeat("9", 30): true,
		"": false, strings.Repeat("9", 31): false, "12 ": false, "-1": false, "1.0": false, "me": false, "１２": false, "1\n": false, "0x1": false,
	} {
		if got := asana.IsGID(s); got != want {
			t.Errorf("IsGID(%q) = %v, want %v", s, got, want)
		}
	}
}

func TestAuthorizeURL(t *testing.T) {
	t.Parallel()
	c := toAsana(t, roundTrip(func(*http.Request) (*http.Response, error) {
		t.Error("AuthorizeURL() made a request")
		return reply(500, ""), nil
	}))
	raw := c.AuthorizeURL(asana.Authorization{
		State: "a+b&c", Verifier: verifier, Nonce: "n-1", RedirectURI: "https://app.example/callback?x=1",
		Scopes: "openid users:read", ResponseType: "code id_token",
	})
	if strings.Contains(raw, "+") || !strings.Contains(raw, "scope=openid%20users%3Aread") {
		t.Errorf("AuthorizeURL() = %s, want spaces as %%20", raw)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(verifier.Reveal()))
	want := url.Values{
		"client_id": {clientID}, "response_type": {"code id_token"}, "redirect_uri": {"https://app.example/callback?x=1"},
		"scope": {"openid users:read"}, "state": {"a+b&c"}, "nonce": {"n-1"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	if diff := cmp.Diff(want, u.Query()); diff != "" {
		t.Errorf("query of AuthorizeURL() (-want +got):\n%s", diff)
	}
	const endpoint = "https://app.asana.com/-/oauth_authorize"
	if got := u.Scheme + "://" + u.Host + u.Path; got != endpoint {
		t.Errorf("AuthorizeURL() has endpoint %s, want %s", got, endpoint)
	}

	u, _ = url.Parse(c.AuthorizeURL(asana.Authorization{State: "s", Verifier: verifier, RedirectURI: "https://a/"}))
	if q := u.Query(); q.Has("nonce") || q.Has("scope") || q.Get("response_type") != "code" {
		t.Errorf("AuthorizeURL() without optional fields = %v, want no nonce, no scope and response_type=code", q)
	}
}
