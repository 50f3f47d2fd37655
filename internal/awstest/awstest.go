// Package awstest makes deployments for tests on servers of AWS's APIs that run on
// this machine: a table, a KMS key and a client secret, as template.yaml has them.
package awstest

import (
	"context"
	"crypto/rand"
	"net"
	"net/url"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const region = "us-east-1"

// endpoints are the variables that lead to the servers.
func endpoints() []string {
	return []string{"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_SECRETS_MANAGER"}
}

// Deployment is what a deployment consists of.
type Deployment struct {
	AWS       aws.Config // as a program loads it
	Table     string     // deleted at the end of the test
	KeyARN    string
	SecretARN string
}

// New makes a deployment whose Asana app has that client secret. Without servers the
// test is skipped, or fails if CI_SERVERS=1 says that there are some. With -short it
// is skipped. Any address
// but a loopback one fails it.
func New(t testing.TB, clientSecret string) *Deployment {
	t.Helper()
	if testing.Short() {
		t.Skip("it needs servers of AWS's APIs")
	}
	for _, name := range endpoints() {
		checkEndpoint(t, name)
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(region),
		config.WithCredentialsProvider(aws.CredentialsProviderFunc(anybody)))
	if err != nil {
		t.Fatal(err)
	}
	key, err := kms.NewFromConfig(cfg).CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := secretsmanager.NewFromConfig(cfg).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("asanaauth-" + rand.Text()), SecretString: aws.String(`{"client_secret":"` + clientSecret + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	return &Deployment{AWS: cfg, Table: table(t, cfg), KeyARN: aws.ToString(key.KeyMetadata.Arn), SecretARN: aws.ToString(secret.ARN)}
}

func anybody(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
}

// Environ is the deployment in the functions' variables, and the way to AWS, for a
// process that inherits nothing.
func (d *Deployment) Environ() []string {
	environ := []string{
		"TABLE_NAME=" + d.Table, "KMS_KEY_ID=" + d.KeyARN, "ASANA_CLIENT_SECRET_ARN=" + d.SecretARN,
		"AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
	}
	for _, name := range endpoints() {
		environ = append(environ, name+"="+os.Getenv(name))
	}
	return environ
}

func checkEndpoint(t testing.TB, name string) {
	t.Helper()
	at := os.Getenv(name)
	if at == "" {
		if os.Getenv("CI_SERVERS") == "1" {
			t.Fatalf("%s is not set, and CI_SERVERS says that it is", name)
		}
		t.Skipf("needs servers of AWS's APIs: run it by .ci/servers, which sets %s and its like", name)
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		t.Fatalf("%s is no loopback address", name)
	}
}

func table(t testing.TB, cfg aws.Config) string {
	t.Helper()
	name, rows := "asanaauth-"+rand.Text(), dynamodb.NewFromConfig(cfg)
	text := func(column string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &column, AttributeType: types.ScalarAttributeTypeS}
	}
	key := func(column string, role types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &column, KeyType: role}
	}
	in := &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{text("pk"), text("sk")},
		KeySchema:            []types.KeySchemaElement{key("pk", types.KeyTypeHash), key("sk", types.KeyTypeRange)},
	}
	if _, err := rows.CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// t's context has ended.
		rows.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name})
	})
	return name
}
