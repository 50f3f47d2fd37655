package dynamo_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/dynamo"
)

const table = "table"

// answer is a response of a canned server.
type answer struct {
	status int
	body   string
}

func ok(body string) answer { return answer{http.StatusOK, body} }

// fault returns an error response of DynamoDB. Its message contains a part of the request,
// as the message of a validation error can.
func fault(status int, code string) answer {
	return answer{status, `{"__type":"com.amazonaws.dynamodb.v20120810#` + code + `","message":"row content"}`}
}

// canned is a server that returns its answers in turn, and then repeats the last one. It
// records the requests.
type canned struct {
	mu       sync.Mutex
	answers  []answer
	requests []request
}

type request struct {
	op     string
	header http.Header
	body   string
}

func (c *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, request{op(r), r.Header, string(body)})
	a := c.answers[0]
	if len(c.answers) > 1 {
		c.answers = c.answers[1:]
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(a.status)
	io.WriteString(w, a.body)
}

// op returns the operation of a request, such as "PutItem".
func op(r *http.Request) string {
	_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return name
}

// ops returns the operations of all requests in order, separated by spaces.
func (c *canned) ops() string {
	var names []string
	for _, r := range c.asked() {
		names = append(names, r.op)
	}
	return strings.Join(names, " ")
}

// asked returns the requests so far.
func (c *canned) asked() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

// newStore returns a store on the table.
func newStore(t *testing.T, c *dynamodb.Client, table string) *dynamo.Store {
	t.Helper()
	s, err := dynamo.New(dynamo.Config{Client: c, Table: table})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNewReportsEveryMistake(t *testing.T) {
	const want = "dynamo: Client is missing\ndynamo: Table is missing"
	if s, err := dynamo.New(dynamo.Config{}); s != nil || err == nil || err.Error() != want {
		t.Errorf("New(Config{}) = %v, %v; want %s", s, err, want)
	}
}

// newCanned returns a store, its server, and a counter of the waits between retries. The
// waits take no time.
func newCanned(t *testing.T, answers ...answer) (s *dynamo.Store, server *canned, pauses *int) {
	t.Helper()
	server = &canned{answers: answers}
	listening := httptest.NewServer(server)
	t.Cleanup(listening.Close)
	s = newStore(t, newClient(t, listening.URL), table)
	pauses = new(int)
	s.SetWait(func(ctx context.Context, longest time.Duration) error {
		*pauses++
		return ctx.Err()
	})
	return s, server, pauses
}

// itemOf returns the item of a row in DynamoDB JSON.
func itemOf(t *testing.T, row store.Row) string {
	t.Helper()
	data, err := store.EncodeJSON(row)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func keyJSON(t *testing.T, key store.Key) string {
	t.Helper()
	data, err := json.Marshal(store.Item{"pk": key.PK, "sk": key.SK})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func found(items ...string) string {
	return `{"Responses":{"table":[` + strings.Join(items, ",") + `]},"UnprocessedKeys":{}}`
}

func unprocessed(items string, keys ...string) string {
	return `{"Responses":{"table":[` + items + `]},"UnprocessedKeys":{"table":{"ConsistentRead":true,"Keys":[` + strings.Join(keys, ",") + `]}}}`
}

func keyring() *store.Keyring {
	row := &store.Keyring{KMSKey: "key", Wrapped: []byte("wrapped")}
	store.Put(row, store.Absent, "w")
	return row
}

func hot() *store.Hot {
	row := &store.Hot{Connection: store.ConnectionID(store.HashOf("owner"), "1", "oauth"), Grant: 1}
	store.Put(row, store.Absent, "w")
	return row
}
