package dynamo_test

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/asanaauth/asanaauth/internal/awsretry"
	"github.com/asanaauth/asanaauth/internal/awstest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/dynamo"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/storetest"
)

func TestServer(t *testing.T) {
	at := endpoint(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		client := newClient(t, at)
		return newStore(t, client, newTable(t, client))
	})
}

func TestPagesOfAList(t *testing.T) {
	client := newClient(t, endpoint(t))
	s := newStore(t, client, newTable(t, client))
	const rows = 2*dynamo.PageRows + 1
	var changes []store.Change
	for n := range rows {
		id := store.ConnectionID(store.HashOf("owner"), strconv.Itoa(n), "oauth")
		changes = append(changes, store.Put(&store.UserPointer{User: store.HashOf("user"), Connection: id}, store.Absent, "w"))
	}
	for some := range slices.Chunk(changes, 100) {
		if err := s.Write(t.Context(), some...); err != nil {
			t.Fatal(err)
		}
	}
	var sizes []int
	seen := map[store.Key]bool{}
	cursor := ""
	for range rows {
		page, next, err := s.List(t.Context(), changes[0].Key.PK, cursor)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page))
		for _, row := range page {
			seen[row.Key()] = true
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if want := []int{dynamo.PageRows, dynamo.PageRows, 1}; !slices.Equal(sizes, want) || len(seen) != rows {
		t.Errorf("got pages of %v, %d rows in all, want %v and %d", sizes, len(seen), want, rows)
	}
}

func endpoint(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a DynamoDB server")
	}
	at := os.Getenv("AWS_ENDPOINT_URL_DYNAMODB")
	if at == "" {
		if os.Getenv("CI_SERVERS") == "1" {
			t.Fatal("CI_SERVERS=1 requires AWS_ENDPOINT_URL_DYNAMODB, which is not set")
		}
		t.Skip("needs a DynamoDB server: start one (dynoxide serve --host 127.0.0.1 -p 8000) " +
			"and set AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:8000")
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		t.Fatal("AWS_ENDPOINT_URL_DYNAMODB is not a loopback address")
	}
	return at
}

func newClient(t *testing.T, at string, options ...func(*dynamodb.Options)) *dynamodb.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 50}
	t.Cleanup(transport.CloseIdleConnections)
	return dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: &at,
		HTTPClient: &http.Client{Transport: transport},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
		Retryer: awstest.NoPause{Standard: awsretry.New()},
	}, options...)
}

func newTable(t *testing.T, client *dynamodb.Client) string {
	t.Helper()
	name := aws.String("asanaauth-" + rand.Text())
	key := func(name string, role types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: role}
	}
	text := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS}
	}
	_, err := client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: name, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{key("pk", types.KeyTypeHash), key("sk", types.KeyTypeRange)},
		AttributeDefinitions: []types.AttributeDefinition{text("pk"), text("sk")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: name})
		if err != nil {
			t.Error(err)
		}
	})
	return *name
}
