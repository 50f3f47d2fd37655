package onaws_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/onaws"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// awsConfig is what a program loads, where it leads to servers on this machine alone.
func awsConfig(t *testing.T) aws.Config {
	t.Helper()
	for _, name := range []string{"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_SECRETS_MANAGER"} {
		at := os.Getenv(name)
		if at == "" {
			if os.Getenv("CI_SERVERS") == "1" {
				t.Fatalf("%s is not set, and CI_SERVERS says that it is", name)
			}
			t.Skipf("needs servers of AWS's APIs: run it by .ci/servers, or set %s and its like", name)
		}
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
			t.Fatalf("%s is no loopback address", name)
		}
	}
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// deployed makes what template.yaml makes, and says how to open it.
func deployed(t *testing.T, cfg aws.Config) onaws.Options {
	t.Helper()
	table := "onaws-" + rand.Text()
	rows := dynamodb.NewFromConfig(cfg)
	text := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS}
	}
	_, err := rows.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{text("pk"), text("sk")},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rows.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &table}) })
	key, err := kms.NewFromConfig(cfg).CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	made, err := secretsmanager.NewFromConfig(cfg).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("onaws-" + rand.Text()), SecretString: aws.String(`{"client_secret":"` + asanatest.FullClientSecret + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	return onaws.Options{
		AWS: cfg, TableName: table, KMSKeyIDs: []string{aws.ToString(key.KeyMetadata.Arn)},
		ClientID: asanatest.FullClientID, ClientSecretARN: aws.ToString(made.ARN),
	}
}

// TestServers opens a deployment, imports a credential of each sort, uses them, and
// opens it a second time as another process would.
func TestServers(t *testing.T) {
	o := deployed(t, awsConfig(t))
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
	bot, err := d.Connections.Import(t.Context(), asanaauth.ImportRequest{Owner: "acme", Kind: store.PersonalAccessToken, Token: token}, asanaauth.CallerLibrary)
	if err != nil {
		t.Fatal(err)
	}
	refresh := grant(t, asana, server.URL)
	person, err := d.Connections.Import(t.Context(), asanaauth.ImportRequest{Owner: "acme", RefreshToken: refresh}, asanaauth.CallerLibrary)
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
		answer, err := d.Connections.HTTPClient(id).Get(server.URL + "/api/1.0/users/me")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || !strings.Contains(string(body), who) {
			t.Errorf("%s: %d %s", id, answer.StatusCode, body)
		}
	}
	if n := asana.CountRequests("refresh_token"); n != 2 {
		t.Errorf("%d refreshes, want one of the import and one of the 401", n)
	}
	conn, err := d.Connections.Open(t.Context(), asanaauth.Ref{ID: person.ID, Owner: "acme"}, asanaauth.CallerLibrary)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := d.Memberships.List(t.Context(), conn, ""); err != nil || len(list) != 1 {
		t.Errorf("memberships: %v, %v", list, err)
	}

	found := map[string]bool{}
	for cursor := ""; ; {
		page, next, err := d.Rows.Scan(t.Context(), cursor)
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
	// The keyring is opened by its installation alone, and kept for as long as was said.
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
			_, err := d.Connections.TokenSource(t.Context(), bot.ID).Token()
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

// grant is a refresh token that a person gave to the app elsewhere.
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
	answer, err := http.PostForm(base+"/-/oauth_token", url.Values{
		"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {asanatest.DefaultRedirectURI},
		"client_id": {asanatest.FullClientID}, "client_secret": {asanatest.FullClientSecret}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	_, after, ok := strings.Cut(string(body), `"refresh_token":"`)
	value, _, _ := strings.Cut(after, `"`)
	if err != nil || !ok || value == "" {
		t.Fatalf("%d: no refresh token", answer.StatusCode)
	}
	return secret.New(value)
}

// unwraps counts the calls to KMS.
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
