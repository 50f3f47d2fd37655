package dynamo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/internal/awstest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// If DynamoDB rejects a signature, the next request has a new signature. If DynamoDB
// rejects three signatures, the store is unavailable.
func TestRejectedSignatures(t *testing.T) {
	at := endpoint(t)
	client := newClient(t, at)
	name := newTable(t, client)
	rejecter := awstest.NewRejecter(t, at)
	for _, op := range []string{"PutItem", "DeleteItem", "TransactWriteItems"} {
		for _, code := range awstest.SignatureCodes() {
			s := newStore(t, newClient(t, rejecter.URL), name) // each client limits its retries
			write := repeatableWrite(t, newStore(t, client, name), op)
			rejecter.Reject(code, 100)
			if err := write(s); !errors.Is(err, store.ErrUnavailable) || len(rejecter.Dates()) != 3 {
				t.Errorf("%s, always %s: got %v after %d requests, want ErrUnavailable after 3", op, code, err, len(rejecter.Dates()))
			}
			rejecter.Reject(code, 2)
			if err := write(s); err != nil || len(rejecter.Dates()) != 3 {
				t.Errorf("%s, two %s: got %v after %d requests, want success after 3", op, code, err, len(rejecter.Dates()))
			}
		}
	}
	for op, call := range calls() {
		if op != "BatchGetItem" && op != "Query" && op != "Scan" {
			continue
		}
		for _, code := range awstest.SignatureCodes() {
			s := newStore(t, newClient(t, rejecter.URL), name)
			rejecter.Reject(code, 100)
			if err := call(t.Context(), s); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s, always %s: got %v, want ErrUnavailable", op, code, err)
			}
			rejecter.Reject(code, 2)
			if err := call(t.Context(), s); err != nil {
				t.Errorf("%s, two %s: got %v, want success", op, code, err)
			}
		}
	}
}

func TestWrongClock(t *testing.T) {
	at := endpoint(t)
	client := newClient(t, at)
	rejecter := awstest.NewRejecter(t, at)
	rejecter.SetAhead(-time.Hour)
	s := newStore(t, newClient(t, rejecter.URL), newTable(t, client))
	if err := s.Write(t.Context(), twoChanges()...); err != nil || len(rejecter.Dates()) != 2 {
		t.Errorf("got %v after %d requests, want success after 2", err, len(rejecter.Dates()))
	}
	if _, err := s.Read(t.Context(), hot().Key()); err != nil || len(rejecter.Dates()) != 3 {
		t.Errorf("got %v after %d requests in all, want success after 3: the client knows the time now", err, len(rejecter.Dates()))
	}
}
