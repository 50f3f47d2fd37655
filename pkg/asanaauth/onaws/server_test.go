package onaws_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/asanaauth/asanaauth/internal/awstest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/onaws"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// TestServers opens a deployment on local servers of the AWS APIs, imports a long-lived
// token and an OAuth grant, and uses both. Then the test opens the deployment again, like
// a second process.
func TestServers(t *testing.T) {
	made := awstest.New(t, asanatest.FullClientSecret)
	o := onaws.Options{
		AWS: made.AWS, TableName: made.Table, KMSKeyIDs: []string{made.KeyARN},
		ClientID: asanatest.FullClientID, ClientSecretARN: made.SecretARN,
	}
	asana, err := asanatest.New(asanatest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(asana)
	t.Cleanup(server.Close)
	asana.SetBaseURL(server.URL)
	var log bytes.Buffer
	o.AsanaBaseURL, o.Log = server.URL, slog.New(slog.NewJSONHandler(&log, nil))
	d, err := onaws.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}

	token := secret.New(asana.PersonalAccessToken(asanatest.Bot))
	bot, err := d.Connections().Import(t.Context(), connection.ImportRequest{Owner: "acme", Kind: asanaauth.PersonalAccessToken, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	refresh := grant(t, asana, server.URL)
	person, err := d.Connections().Import(t.Context(), connection.ImportRequest{Owner: "acme", RefreshToken: refresh})
	if err != nil {
		t.Fatal(err)
	}

	if d, err = onaws.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := asana.ExpireAccessTokens(); err != nil {
		t.Fatal(err)
	}
	for id, who := range map[string]string{bot.ID: asanatest.Bot, person.ID: asanatest.Member} {
		resp, err := d.Tokens().HTTPClient(id).Get(server.URL + "/api/1.0/users/me")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), who) {
			t.Errorf("%s: %d %s", id, resp.StatusCode, body)
		}
	}
	if n := asana.CountRequests("refresh_token"); n != 2 {
		t.Errorf("got %d refreshes, want one for the import and one for the 401", n)
	}
	conn, err := d.Connections().Open(t.Context(), connection.Ref{ID: person.ID, Owner: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := d.Memberships().List(t.Context(), conn, ""); err != nil || len(list) != 1 {
		t.Errorf("memberships: %v, %v", list, err)
	}

	found := map[string]bool{}
	for cursor := ""; ; {
		page, next, err := d.Scanner().Scan(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page {
			if hot, ok := row.(*store.Hot); ok {
				found[hot.Connection] = true
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if !found[bot.ID] || !found[person.ID] || len(found) != 2 {
		t.Errorf("the scan found %v", found)
	}
	// In each case, the test requests three tokens. A program with the same Installation
	// unwraps the keyring once, and caches the keyring for KeyCacheTTL. A program with a
	// different Installation cannot unwrap the keyring, and tries again for each token.
	for name, c := range map[string]struct {
		change func(*onaws.Options)
		calls  int
		kind   asanaauth.ErrorKind
	}{
		"five minutes":         {func(*onaws.Options) {}, 1, ""},
		"a time":               {func(o *onaws.Options) { o.KeyCacheTTL = time.Minute }, 1, ""},
		"no time":              {func(o *onaws.Options) { o.KeyCacheTTL = -1 }, 3, ""},
		"the table's name":     {func(o *onaws.Options) { o.Installation = o.TableName }, 1, ""},
		"another installation": {func(o *onaws.Options) { o.Installation = "another" }, 3, asanaauth.TryAgain},
	} {
		again, counter := o, &unwraps{next: o.AWS.HTTPClient}
		again.AWS.HTTPClient = counter
		c.change(&again)
		d, err := onaws.Open(t.Context(), again)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			_, err := d.Tokens().Source(t.Context(), bot.ID).Token()
			if err == nil && c.kind != "" || err != nil && asanaauth.KindOf(err) != c.kind {
				t.Errorf("%s: %v, want %q", name, err, c.kind)
			}
		}
		if counter.calls != c.calls {
			t.Errorf("%s: KMS was asked %d times, want %d", name, counter.calls, c.calls)
		}
	}
	for _, hidden := range []secret.String{token, refresh} {
		if strings.Contains(log.String(), hidden.Reveal()) {
			t.Error("a token is in the log")
		}
	}
}

// grant simulates a person who allows the app to access their account at offline Asana.
// It does not use the deployment. The result is the grant's refresh token.
func grant(t *testing.T, asana *asanatest.Asana, base string) secret.String {
	t.Helper()
	form := url.Values{"client_id": {asanatest.FullClientID}, "redirect_uri": {asanatest.DefaultRedirectURI},
		"response_type": {"code"}, "state": {"s"}, "scope": {"default"}}
	back, err := asana.Authorize(t.Context(), base+"/-/oauth_authorize?"+form.Encode(), asanatest.Member)
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.PostForm(base+"/-/oauth_token", url.Values{
		"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {asanatest.DefaultRedirectURI},
		"client_id": {asanatest.FullClientID}, "client_secret": {asanatest.FullClientSecret}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	_, after, ok := strings.Cut(string(body), `"refresh_token":"`)
	value, _, _ := strings.Cut(after, `"`)
	if err != nil || !ok || value == "" {
		t.Fatalf("%d: no refresh token", resp.StatusCode)
	}
	return secret.New(value)
}

// unwraps is an HTTP client that counts the requests to KMS.
type unwraps struct {
	next  aws.HTTPClient
	calls int
}

func (u *unwraps) Do(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "TrentService.") {
		u.calls++
	}
	return u.next.Do(r)
}
