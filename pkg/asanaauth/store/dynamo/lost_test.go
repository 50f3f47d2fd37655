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

// lossyProxy forwards requests to a server. If lose returns true, it closes the connection
// and discards the response. nth counts all requests from 1.
type lossyProxy struct {
	to   string
	mu   sync.Mutex
	ops  []string
	lose func(op string, nth int) bool
}

func (p *lossyProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, answer, err := p.pass(r)
	p.mu.Lock()
	p.ops = append(p.ops, op(r))
	lost := err != nil || p.lose(op(r), len(p.ops))
	p.mu.Unlock()
	if lost {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	w.Write(answer)
}

// asked returns the operations so far.
func (p *lossyProxy) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.ops)
}

func (p *lossyProxy) pass(r *http.Request) (status int, answer []byte, err error) {
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
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// TestLostResponses checks writes that the server applies but whose responses are lost.
func TestLostResponses(t *testing.T) {
	at := endpoint(t)
	client := newClient(t, at)
	name := newTable(t, client)
	for _, op := range []string{"PutItem", "DeleteItem", "TransactWriteItems"} {
		t.Run(op, func(t *testing.T) {
			proxy := &lossyProxy{to: at, lose: func(asked string, nth int) bool { return asked == op && nth <= 3 }}
			listening := httptest.NewServer(proxy)
			defer listening.Close()
			s := newStore(t, newClient(t, listening.URL), name)
			write := lossy(t, newStore(t, client, name), op)
			// The SDK makes three attempts and gets no response to any of them.
			if err := write(s); !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("without a response: got %v, want ErrUnavailable", err)
			}
			if err := write(s); err != nil {
				t.Errorf("retry: got %v, want nil", err)
			}
			if asked := proxy.asked(); len(asked) != 4 {
				t.Errorf("requests: %v, want 4", asked)
			}
		})
		t.Run(op+", once", func(t *testing.T) {
			proxy := &lossyProxy{to: at, lose: func(asked string, nth int) bool { return asked == op && nth == 1 }}
			listening := httptest.NewServer(proxy)
			defer listening.Close()
			write := lossy(t, newStore(t, client, name), op)
			if err := write(newStore(t, newClient(t, listening.URL), name)); err != nil {
				t.Errorf("got %v, want nil", err)
			}
			if asked := proxy.asked(); len(asked) != 2 {
				t.Errorf("requests: %v, want 2", asked)
			}
		})
	}
}

// lossy prepares the table and returns a function that makes a write with the operation.
// Each call makes the same write.
func lossy(t *testing.T, s *dynamo.Store, op string) func(store.Store) error {
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
		return func(s store.Store) error { return s.Write(ctx, two()...) }
	}
	if err := s.Write(ctx, store.Put(keyring(), store.Absent, "w")); err != nil {
		t.Fatal(err)
	}
	return func(s store.Store) error { return s.Write(ctx, store.Delete(k, 1)) }
}
