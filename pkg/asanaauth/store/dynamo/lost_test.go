package dynamo_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/dynamo"
)

// lossyProxy forwards requests to a server. After each request, the proxy calls the
// function lose with the DynamoDB operation and the number of the request, starting at 1.
// If lose returns true, the proxy discards the response and closes the TCP connection.
type lossyProxy struct {
	to   string
	mu   sync.Mutex
	ops  []string
	lose func(op string, nth int) bool
}

func (p *lossyProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, response, err := p.pass(r)
	p.mu.Lock()
	p.ops = append(p.ops, op(r))
	lost := err != nil || p.lose(op(r), len(p.ops))
	p.mu.Unlock()
	if lost {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	w.Write(response)
}

func (p *lossyProxy) received() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.ops)
}

func (p *lossyProxy) pass(r *http.Request) (status int, response []byte, err error) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, p.to, r.Body)
	if err != nil {
		return 0, nil, err
	}
	req.Header = r.Header
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	response, err = io.ReadAll(resp.Body)
	return resp.StatusCode, response, err
}

// If DynamoDB has applied a write but the response was lost, a retry of the write must
// succeed.
func TestLostResponses(t *testing.T) {
	at := endpoint(t)
	client := newClient(t, at)
	name := newTable(t, client)
	for _, op := range []string{"PutItem", "DeleteItem", "TransactWriteItems"} {
		t.Run(op, func(t *testing.T) {
			proxy := &lossyProxy{to: at, lose: func(received string, nth int) bool { return received == op && nth <= 3 }}
			listening := httptest.NewServer(proxy)
			defer listening.Close()
			s := newStore(t, newClient(t, listening.URL), name)
			write := repeatableWrite(t, newStore(t, client, name), op)
			// The SDK sends the request three times, and the proxy discards all three
			// responses.
			if err := write(s); !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("without a response: got %v, want ErrUnavailable", err)
			}
			if err := write(s); err != nil {
				t.Errorf("retry: got %v, want nil", err)
			}
			if received := proxy.received(); len(received) != 4 {
				t.Errorf("got requests %v, want 4", received)
			}
		})
		t.Run(op+", once", func(t *testing.T) {
			proxy := &lossyProxy{to: at, lose: func(received string, nth int) bool { return received == op && nth == 1 }}
			listening := httptest.NewServer(proxy)
			defer listening.Close()
			write := repeatableWrite(t, newStore(t, client, name), op)
			if err := write(newStore(t, newClient(t, listening.URL), name)); err != nil {
				t.Errorf("got %v, want nil", err)
			}
			if received := proxy.received(); len(received) != 2 {
				t.Errorf("got requests %v, want 2", received)
			}
		})
	}
}

// repeatableWrite prepares the table for a write with the operation op. Each call of the
// returned function makes the same write.
func repeatableWrite(t *testing.T, s *dynamo.Store, op string) func(store.Store) error {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	k, h := store.KeyringKey, hot().Key()
	rows, err := s.Read(ctx, k, h)
	if err != nil {
		t.Fatal(err)
	}
	for key := range rows {
		if err := s.Write(ctx, store.Delete(key, 1)); err != nil {
			t.Fatal(err)
		}
	}
	switch op {
	case "PutItem":
		return func(s store.Store) error { return s.Write(ctx, store.Put(keyring(), store.Absent, "w")) }
	case "TransactWriteItems":
		return func(s store.Store) error { return s.Write(ctx, twoChanges()...) }
	}
	if err := s.Write(ctx, store.Put(keyring(), store.Absent, "w")); err != nil {
		t.Fatal(err)
	}
	return func(s store.Store) error { return s.Write(ctx, store.Delete(k, 1)) }
}
