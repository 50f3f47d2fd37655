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

type response struct {
	status int
	body   string
}

func ok(body string) response { return response{http.StatusOK, body} }

// fault returns an error response with the message "row content". No error of the store
// may contain this message, because a real message can contain parts of a row.
func fault(status int, code string) response {
	return response{status, `{"__type":"com.amazonaws.dynamodb.v20120810#` + code + `","message":"row content"}`}
}

// cannedServer returns its responses in order, and then repeats the last response.
type cannedServer struct {
	mu        sync.Mutex
	responses []response
	requests  []request
}

type request struct {
	op     string
	header http.Header
	body   string
}

func (c *cannedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, request{op(r), r.Header, string(body)})
	a := c.responses[0]
	if len(c.responses) > 1 {
		c.responses = c.responses[1:]
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(a.status)
	io.WriteString(w, a.body)
}

func op(r *http.Request) string {
	_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	return name
}

func (c *cannedServer) ops() string {
	var names []string
	for _, r := range c.received() {
		names = append(names, r.op)
	}
	return strings.Join(names, " ")
}

func (c *cannedServer) received() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

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

// Instead of waiting before a retry, the store increments *pauses.
func newCanned(t *testing.T, responses ...response) (s *dynamo.Store, server *cannedServer, pauses *int) {
	t.Helper()
	server = &cannedServer{responses: responses}
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
