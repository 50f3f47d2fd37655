package dynamo_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/dynamo"
)

// thawed is a server that answers once on a connection and closes it at the
// second request, as seen by a sandbox that was frozen in between.
type thawed struct {
	mu       sync.Mutex
	seen     map[string]int
	requests []request
}

func (s *thawed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[r.RemoteAddr]++
	s.requests = append(s.requests, request{op(r), r.Header, string(body)})
	if s.seen[r.RemoteAddr] > 1 {
		panic(http.ErrAbortHandler)
	}
	io.WriteString(w, `{"Responses":{"table":[]},"Items":[]}`)
}

func TestReadsAloneAreReplayed(t *testing.T) {
	for op, call := range calls() {
		t.Run(op, func(t *testing.T) {
			server := &thawed{seen: map[string]int{}}
			listening := httptest.NewServer(server)
			defer listening.Close()
			onceOnly := func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }
			s := dynamo.New(newClient(t, listening.URL, onceOnly), table)
			if err := reading(store.KeyringKey)(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			err := call(t.Context(), s)
			if op == "BatchGetItem" || op == "Query" || op == "Scan" {
				server.replayed(t, err)
				return
			}
			if !errors.Is(err, store.ErrUnavailable) || len(server.requests) != 2 {
				t.Errorf("got %v after %d requests, want ErrUnavailable after 2", err, len(server.requests))
			}
		})
	}
}

// replayed fails the test unless the second request was sent once more, whole,
// and without a trace of how.
func (s *thawed) replayed(t *testing.T, err error) {
	t.Helper()
	if err != nil || len(s.requests) != 3 {
		t.Fatalf("got %v after %d requests, want success after 3", err, len(s.requests))
	}
	first, again := s.requests[1], s.requests[2]
	if first.body != again.body || first.body == "" {
		t.Errorf("got body %q, then %q", first.body, again.body)
	}
	if _, there := first.header["Idempotency-Key"]; there {
		t.Error("Idempotency-Key was sent")
	}
	if strings.Contains(strings.ToLower(first.header.Get("Authorization")), "idempotency-key") {
		t.Error("Idempotency-Key was signed, but not sent")
	}
}
