package dynamo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// cancelled returns the response to a canceled transaction, with a reason for each change.
func cancelled(reasons ...string) answer {
	return answer{400, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",` +
		`"Message":"row content","CancellationReasons":[` + strings.Join(reasons, ",") + `]}`}
}

func reason(code string) string { return fmt.Sprintf(`{"Code":%q}`, code) }

func refusedBy(item string) string { return `{"Code":"ConditionalCheckFailed","Item":` + item + `}` }

// two returns the changes that write the rows hot and keyring.
func two() []store.Change {
	return []store.Change{store.Put(hot(), store.Absent, "w"), store.Put(keyring(), store.Absent, "w")}
}

func TestCancelledTransactions(t *testing.T) {
	other := hot()
	store.Put(other, 1, "another writer")
	none, condition := reason("None"), refusedBy(itemOf(t, other))
	own := refusedBy(itemOf(t, keyring()))
	conflict := reason("TransactionConflict")
	for name, test := range map[string]struct {
		answers  []answer
		want     error // nil if Write succeeds
		requests int
	}{
		"a failed condition":               {[]answer{cancelled(condition, none)}, store.ErrConflict, 1},
		"applied before":                   {[]answer{cancelled(condition, own)}, nil, 1},
		"a conflict, then success":         {[]answer{cancelled(conflict, none), cancelled(none, conflict), ok(`{}`)}, nil, 3},
		"always a conflict":                {[]answer{cancelled(none, conflict)}, store.ErrUnavailable, 5},
		"always throttled":                 {[]answer{cancelled(none, reason("ThrottlingError"))}, store.ErrUnavailable, 5},
		"always over the throughput":       {[]answer{cancelled(reason("ProvisionedThroughputExceeded"))}, store.ErrUnavailable, 5},
		"a failed condition, one conflict": {[]answer{cancelled(condition, conflict), cancelled(condition, own)}, nil, 2},
		"a permanent reason":               {[]answer{cancelled(reason("ValidationError"), conflict)}, errPermanent, 1},
		"no reason":                        {[]answer{cancelled()}, errPermanent, 1},
		"the same transaction is running":  {[]answer{fault(400, "TransactionInProgressException")}, store.ErrUnavailable, 3},
		"a token of another request":       {[]answer{fault(400, "IdempotentParameterMismatchException")}, errPermanent, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, server, pauses := newCanned(t, test.answers...)
			err := s.Write(t.Context(), two()...)
			if !is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if len(server.asked()) != test.requests {
				t.Errorf("got %d requests, want %d", len(server.asked()), test.requests)
			}
			if test.requests == 5 && *pauses != 4 {
				t.Errorf("got %d pauses, want 4", *pauses)
			}
			silent(t, err)
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
		if err := s.Write(t.Context(), change); err != nil || len(server.asked()) != 3 || *pauses != 2 {
			t.Errorf("%s: got %v after %d requests and %d pauses, want success after 3 and 2", name, err, len(server.asked()), *pauses)
		}
		s, server, _ = newCanned(t, met)
		if err := s.Write(t.Context(), change); !errors.Is(err, store.ErrUnavailable) || len(server.asked()) != 5 {
			t.Errorf("%s: got %v after %d requests, want ErrUnavailable after 5", name, err, len(server.asked()))
		}
	}
}

// TestNewTransactionNewToken checks that each transaction has its own token. DynamoDB does
// nothing if it knows the token, and returns an error if the request differs.
func TestNewTransactionNewToken(t *testing.T) {
	s, server, _ := newCanned(t, cancelled(reason("TransactionConflict"), reason("None")), ok(`{}`))
	for range 2 {
		if err := s.Write(t.Context(), two()...); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, r := range server.asked() {
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
