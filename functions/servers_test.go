package functions_test

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/asanaauth/asanaauth/functions/internal/functest/awsproxy"
)

// endpoint returns the URL in an environment variable. The test fails if the host is not
// a loopback address. If the variable is not set, endpoint skips the test, or fails the
// test if CI_SERVERS is 1. The skip message contains start, a command that starts the
// server.
func endpoint(t *testing.T, name, start string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs servers of AWS APIs")
	}
	at := os.Getenv(name)
	if at == "" {
		if os.Getenv("CI_SERVERS") == "1" {
			t.Fatalf("CI_SERVERS is 1, but %s is not set", name)
		}
		t.Skipf("needs a server: start one with %q, and set %s to its URL", start, name)
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		t.Fatalf("%s is not a loopback address", name)
	}
	return at
}

// admin contains SDK clients with all permissions.
type admin struct {
	dynamoDB, kmsURL, secretsURL string // URLs of the servers

	rows    *dynamodb.Client
	keys    *kms.Client
	secrets *secretsmanager.Client
}

func newAdmin(t *testing.T) *admin {
	t.Helper()
	a := &admin{
		dynamoDB:   endpoint(t, "AWS_ENDPOINT_URL_DYNAMODB", "dynoxide serve --host 127.0.0.1 -p 8000"),
		kmsURL:     endpoint(t, "AWS_ENDPOINT_URL_KMS", "moto_server -H 127.0.0.1 -p 5000"),
		secretsURL: endpoint(t, "AWS_ENDPOINT_URL_SECRETS_MANAGER", "moto_server -H 127.0.0.1 -p 5000"),
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	cfg := aws.Config{
		Region:     "eu-central-1",
		HTTPClient: &http.Client{Transport: transport, Timeout: 10 * time.Second},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
		},
	}
	// Some test servers respond before they have read the whole request. The SDK may then
	// fail to send the rest, and repeat a call that has succeeded. The proxy always reads
	// the whole request first.
	at := func(target string) *string { return aws.String(awsproxy.New(t, target, nil).URL) }
	a.rows = dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) { o.BaseEndpoint = at(a.dynamoDB) })
	a.keys = kms.NewFromConfig(cfg, func(o *kms.Options) { o.BaseEndpoint = at(a.kmsURL) })
	a.secrets = secretsmanager.NewFromConfig(cfg, func(o *secretsmanager.Options) { o.BaseEndpoint = at(a.secretsURL) })
	return a
}

// table creates a table with the key schema of template.yaml, and returns its name.
func (a *admin) table(t *testing.T) string {
	t.Helper()
	name := "functions-" + rand.Text()
	_, err := a.rows.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// t.Context() is already done when cleanup functions run.
		a.rows.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name})
	})
	return name
}

// key creates a KMS key and returns its ARN.
func (a *admin) key(t *testing.T) string {
	t.Helper()
	out, err := a.keys.CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.KeyMetadata.Arn)
}

// secret creates a secret in Secrets Manager and returns its ARN.
func (a *admin) secret(t *testing.T, text string) string {
	t.Helper()
	out, err := a.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("functions-" + rand.Text()), SecretString: &text})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.ARN)
}

func (a *admin) scan(t *testing.T, table string) []map[string]types.AttributeValue {
	t.Helper()
	var items []map[string]types.AttributeValue
	pages := dynamodb.NewScanPaginator(a.rows, &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, page.Items...)
	}
	return items
}
