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

// deaf passes requests on to a server and, where lose says so, cuts the
// connection in place of answering.
type deaf struct {
	to   string
	mu   sync.Mutex
	ops  []string
	lose func(op string, nth int) bool
}

func (d *deaf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, answer, err := d.pass(r)
	d.mu.Lock()
	d.ops = append(d.ops, op(r))
	lost := err != nil || d.lose(op(r), len(d.ops))
	d.mu.Unlock()
	if lost {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	w.Write(answer)
}

// asked are the operations so far.
func (d *deaf) asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.ops)
}

func (d *deaf) pass(r *http.Request) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, d.to, r.Body)
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

// TestLostAnswers has a server that does what it is asked and is not heard.
func TestLostAnswers(t *testing.T) {
	at := endpoint(t)
	client := newClient(t, at)
	name := newTable(t, client)
	for _, op := range []string{"PutItem", "DeleteItem", "TransactWriteItems"} {
		t.Run(op, func(t *testing.T) {
			proxy := &deaf{to: at, lose: func(asked string, nth int) bool { return asked == op && nth <= 3 }}
			listening := httptest.NewServer(proxy)
			defer listening.Close()
			s := newStore(t, newClient(t, listening.URL), name)
			write := lossy(t, newStore(t, client, name), op)
			// The SDK's three attempts: all are applied or recognised, none is heard.
			if err := write(s); !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("nobody answered: got %v, want ErrUnavailable", err)
			}
			if err := write(s); err != nil {
				t.Errorf("tried again: got %v", err)
			}
			if asked := proxy.asked(); len(asked) != 4 {
				t.Errorf("requests: %v, want 4", asked)
			}
		})
		t.Run(op+", once", func(t *testing.T) {
			proxy := &deaf{to: at, lose: func(asked string, nth int) bool { return asked == op && nth == 1 }}
			listening := httptest.NewServer(proxy)
			defer listening.Close()
			write := lossy(t, newStore(t, client, name), op)
			if err := write(newStore(t, newClient(t, listening.URL), name)); err != nil {
				t.Errorf("got %v", err)
			}
			if asked := proxy.asked(); len(asked) != 2 {
				t.Errorf("requests: %v, want 2", asked)
			}
		})
	}
}

// lossy prepares the table and returns a write that needs the operation, the
// same each time.
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
