package asanatest_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

const base = "https://asana.test"

// kit contains an Asana, which tests call without a socket, and the clock of this Asana.
type kit struct {
	*testing.T
	*asanatest.Asana
	http  *http.Client
	clock *clock
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// All tests share one key, because generating a key is slow.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newKit(t *testing.T, change ...func(*asanatest.Options)) *kit {
	t.Helper()
	k := &kit{T: t, clock: &clock{now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}}
	o := asanatest.Options{BaseURL: base, Now: k.clock.Now, Key: testKey()}
	o.Sleep = func(ctx context.Context, d time.Duration) error {
		k.clock.Add(d)
		return ctx.Err()
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	if k.Asana, err = asanatest.New(o); err != nil {
		t.Fatal(err)
	}
	k.http = k.Client()
	return k
}

func (k *kit) set(change func(*asanatest.Switches)) {
	k.Helper()
	if err := k.SetSwitches(change); err != nil {
		k.Fatal(err)
	}
}

func full(scopes ...string) *oauth2.Config {
	return &oauth2.Config{ClientID: asanatest.FullClientID, ClientSecret: asanatest.FullClientSecret, RedirectURL: asanatest.DefaultRedirectURI, Scopes: scopes,
		Endpoint: oauth2.Endpoint{AuthURL: base + "/-/oauth_authorize", TokenURL: base + "/-/oauth_token", AuthStyle: oauth2.AuthStyleInParams}}
}

func granular(scopes ...string) *oauth2.Config {
	c := full(scopes...)
	c.ClientID, c.ClientSecret = asanatest.GranularClientID, asanatest.GranularClientSecret
	return c
}

func (k *kit) ctx() context.Context {
	return context.WithValue(k.Context(), oauth2.HTTPClient, k.http)
}

// consent acts as a person who clicks Allow, and returns the parameters in the redirect
// URL.
func (k *kit) consent(c *oauth2.Config, gid string, opts ...oauth2.AuthCodeOption) url.Values {
	k.Helper()
	back, err := k.Authorize(k.Context(), c.AuthCodeURL("st", opts...), gid)
	if err != nil {
		k.Fatal(err)
	}
	return k.values(back)
}

func (k *kit) values(redirect string) url.Values {
	k.Helper()
	u, err := url.Parse(redirect)
	if err != nil {
		k.Fatal(err)
	}
	if u.RawQuery != "" {
		return u.Query()
	}
	v, err := url.ParseQuery(u.Fragment)
	if err != nil {
		k.Fatal(err)
	}
	return v
}

func (k *kit) signIn(c *oauth2.Config, gid string) *oauth2.Token {
	k.Helper()
	tok, err := c.Exchange(k.ctx(), k.consent(c, gid).Get("code"))
	if err != nil {
		k.Fatal(err)
	}
	return tok
}

type response struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (k *kit) do(r *http.Request) response {
	k.Helper()
	resp, err := k.http.Do(r)
	if err != nil {
		return response{text: err.Error()}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		k.Fatal(err)
	}
	a := response{status: resp.StatusCode, header: resp.Header, text: string(body)}
	json.Unmarshal(body, &a.json) // a page is not JSON
	return a
}

func (k *kit) get(path, bearer string) response {
	k.Helper()
	return k.do(k.request(http.MethodGet, path, bearer, ""))
}

func (k *kit) request(method, path, bearer, body string) *http.Request {
	k.Helper()
	r, err := http.NewRequestWithContext(k.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		k.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	return r
}

// The arguments in pairs are alternately keys and values of the form.
func (k *kit) post(path string, pairs ...string) response {
	k.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r := k.request(http.MethodPost, path, "", form.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return k.do(r)
}

// tokenRequest sends a form with pairs, and with the credentials of the app that has full
// permissions, to the token endpoint.
func (k *kit) tokenRequest(pairs ...string) response {
	k.Helper()
	return k.post("/-/oauth_token", append([]string{"client_id", asanatest.FullClientID, "client_secret", asanatest.FullClientSecret}, pairs...)...)
}

func (k *kit) refresh(value string) response {
	k.Helper()
	return k.tokenRequest("grant_type", "refresh_token", "refresh_token", value)
}

func (a response) errorMessage() string {
	list, _ := a.json["errors"].([]any)
	if len(list) == 0 {
		return ""
	}
	message, _ := list[0].(map[string]any)["message"].(string)
	return message
}

func (a response) data() map[string]any {
	data, _ := a.json["data"].(map[string]any)
	return data
}

func (a response) list() []any {
	list, _ := a.json["data"].([]any)
	return list
}
