// Package awstest creates AWS resources for tests: a table, a KMS key and a client
// secret, like those in template.yaml. The resources are on local servers that stand in
// for DynamoDB, KMS and Secrets Manager. The URLs of the servers are in environment
// variables. If one of these variables is not set, [New] skips the test.
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

func endpointVariables() []string {
	return []string{"AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_SECRETS_MANAGER"}
}

// Deployment contains the AWS resources that a deployment of asanaauth needs.
type Deployment struct {
	AWS       aws.Config // configuration for SDK clients
	Table     string     // deleted at the end of the test
	KeyARN    string
	SecretARN string
}

// New creates a deployment whose Secrets Manager secret contains clientSecret. With
// -short, New skips the test. If an endpoint variable is not set, New skips the test, or
// fails the test if CI_SERVERS is 1. New also fails the test if an endpoint is not a
// loopback address.
func New(t testing.TB, clientSecret string) *Deployment {
	t.Helper()
	if testing.Short() {
		t.Skip("needs servers of AWS APIs")
	}
	for _, name := range endpointVariables() {
		checkEndpoint(t, name)
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion(region),
		config.WithCredentialsProvider(aws.CredentialsProviderFunc(testCredentials)))
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

func testCredentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
}

// Environ returns the environment variables with which a process can use the deployment,
// each as NAME=VALUE. The process needs no other variables for AWS.
func (d *Deployment) Environ() []string {
	environ := []string{
		"TABLE_NAME=" + d.Table, "KMS_KEY_ID=" + d.KeyARN, "ASANA_CLIENT_SECRET_ARN=" + d.SecretARN,
		"AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
	}
	for _, name := range endpointVariables() {
		environ = append(environ, name+"="+os.Getenv(name))
	}
	return environ
}

func checkEndpoint(t testing.TB, name string) {
	t.Helper()
	at := os.Getenv(name)
	if at == "" {
		if os.Getenv("CI_SERVERS") == "1" {
			t.Fatalf("CI_SERVERS is 1, but %s is not set", name)
		}
		t.Skipf("needs servers of AWS APIs: run the tests with .ci/servers, which sets %s", name)
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		t.Fatalf("%s is not a loopback address", name)
	}
}

// table creates a table with the key schema of template.yaml, and returns its name.
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
		// t.Context() is already done when cleanup functions run.
		rows.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name})
	})
	return name
}
