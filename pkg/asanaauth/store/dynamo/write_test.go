package dynamo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// canceled returns DynamoDB's response to a transaction that it canceled. The response
// contains one reason for each change.
func canceled(reasons ...string) response {
	return response{400, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",` +
		`"Message":"row content","CancellationReasons":[` + strings.Join(reasons, ",") + `]}`}
}

func reason(code string) string { return fmt.Sprintf(`{"Code":%q}`, code) }

func refusedBy(item string) string { return `{"Code":"ConditionalCheckFailed","Item":` + item + `}` }

func twoChanges() []store.Change {
	return []store.Change{store.Put(hot(), store.Absent, "w"), store.Put(keyring(), store.Absent, "w")}
}

func TestCancelledTransactions(t *testing.T) {
	other := hot()
	store.Put(other, 1, "another writer")
	none, condition := reason("None"), refusedBy(itemOf(t, other))
	own := refusedBy(itemOf(t, keyring()))
	conflict := reason("TransactionConflict")
	for name, test := range map[string]struct {
		responses []response
		want      error // nil if Write succeeds
		requests  int
	}{
		"a failed condition":                 {[]response{canceled(condition, none)}, store.ErrConflict, 1},
		"applied before":                     {[]response{canceled(condition, own)}, nil, 1},
		"a conflict, then success":           {[]response{canceled(conflict, none), canceled(none, conflict), ok(`{}`)}, nil, 3},
		"always a conflict":                  {[]response{canceled(none, conflict)}, store.ErrUnavailable, 5},
		"always throttled":                   {[]response{canceled(none, reason("ThrottlingError"))}, store.ErrUnavailable, 5},
		"always over the throughput":         {[]response{canceled(reason("ProvisionedThroughputExceeded"))}, store.ErrUnavailable, 5},
		"a rejected signature, then success": {[]response{canceled(none, reason("UnrecognizedClientException")), ok(`{}`)}, nil, 2},
		"always a rejected signature":        {[]response{canceled(none, reason("InvalidSignatureException"))}, store.ErrUnavailable, 5},
		"a failed condition, one conflict":   {[]response{canceled(condition, conflict), canceled(condition, own)}, nil, 2},
		"a permanent reason":                 {[]response{canceled(reason("ValidationError"), conflict)}, errPermanent, 1},
		"no reason":                          {[]response{canceled()}, errPermanent, 1},
		"the same transaction is running":    {[]response{fault(400, "TransactionInProgressException")}, store.ErrUnavailable, 3},
		"a token of another request":         {[]response{fault(400, "IdempotentParameterMismatchException")}, errPermanent, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, server, pauses := newCanned(t, test.responses...)
			err := s.Write(t.Context(), twoChanges()...)
			if !matches(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if len(server.received()) != test.requests {
				t.Errorf("got %d requests, want %d", len(server.received()), test.requests)
			}
			if test.requests == 5 && *pauses != 4 {
				t.Errorf("got %d pauses, want 4", *pauses)
			}
			checkNoMessage(t, err)
		})
	}
}

func TestSingleWriteThatMeetsATransaction(t *testing.T) {
	met := fault(400, "TransactionConflictException")
	for name, change := range map[string]store.Change{
		"put":    store.Put(hot(), store.Absent, "w"),
		"delete": store.Delete(hot().Key(), 1),
	} {
		s, server, pauses := newCanned(t, met, met, ok(`{}`))
		if err := s.Write(t.Context(), change); err != nil || len(server.received()) != 3 || *pauses != 2 {
			t.Errorf("%s: got %v after %d requests and %d pauses, want success after 3 and 2", name, err, len(server.received()), *pauses)
		}
		s, server, _ = newCanned(t, met)
		if err := s.Write(t.Context(), change); !errors.Is(err, store.ErrUnavailable) || len(server.received()) != 5 {
			t.Errorf("%s: got %v after %d requests, want ErrUnavailable after 5", name, err, len(server.received()))
		}
	}
}

// Each call of TransactWriteItems uses a new ClientRequestToken, because DynamoDB does
// not apply a transaction if it has already applied one with the same token.
func TestNewTransactionNewToken(t *testing.T) {
	s, server, _ := newCanned(t, canceled(reason("TransactionConflict"), reason("None")), ok(`{}`))
	for range 2 {
		if err := s.Write(t.Context(), twoChanges()...); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, r := range server.received() {
		_, after, found := strings.Cut(r.body, `"ClientRequestToken":"`)
		token, _, _ := strings.Cut(after, `"`)
		if !found || seen[token] {
			t.Errorf("token %q: found %t, duplicate %t", token, found, seen[token])
		}
		seen[token] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d tokens, want 3", len(seen))
	}
}
