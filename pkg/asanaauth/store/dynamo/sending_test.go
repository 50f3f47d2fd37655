package dynamo_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
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

// asked are the requests so far.
func (s *thawed) asked() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
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
			if !errors.Is(err, store.ErrUnavailable) || len(server.asked()) != 2 {
				t.Errorf("got %v after %d requests, want ErrUnavailable after 2", err, len(server.asked()))
			}
		})
	}
}

// replayed fails the test unless the second request was sent once more, whole,
// and without a trace of how.
func (s *thawed) replayed(t *testing.T, err error) {
	t.Helper()
	requests := s.asked()
	if err != nil || len(requests) != 3 {
		t.Fatalf("got %v after %d requests, want success after 3", err, len(requests))
	}
	first, again := requests[1], requests[2]
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

// looking is an [http.RoundTripper] that looks at requests.
type looking struct {
	http.RoundTripper
	at func(*http.Request)
}

func (l looking) RoundTrip(r *http.Request) (*http.Response, error) {
	l.at(r)
	return l.RoundTripper.RoundTrip(r)
}

// TestBodiesHideWriterTo: what becomes of one that does not shows under load
// alone.
func TestBodiesHideWriterTo(t *testing.T) {
	listening := httptest.NewServer(&canned{answers: []answer{ok(found())}})
	defer listening.Close()
	for op, call := range calls() {
		looked := 0
		look := looking{http.DefaultTransport, func(r *http.Request) {
			looked++
			if _, there := r.Body.(io.WriterTo); there {
				t.Errorf("%s: the body has WriteTo", op)
			}
		}}
		client := newClient(t, listening.URL, func(o *dynamodb.Options) { o.HTTPClient = &http.Client{Transport: look} })
		if err := call(t.Context(), dynamo.New(client, table)); err != nil || looked != 1 {
			t.Errorf("%s: got %v, %d requests", op, err, looked)
		}
	}
}
