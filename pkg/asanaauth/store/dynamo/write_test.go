package dynamo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// cancelled is a transaction that was not made, with a reason for each change.
func cancelled(reasons ...string) answer {
	return answer{400, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",` +
		`"Message":"row content","CancellationReasons":[` + strings.Join(reasons, ",") + `]}`}
}

func reason(code string) string { return fmt.Sprintf(`{"Code":%q}`, code) }

func refusedBy(item string) string { return `{"Code":"ConditionalCheckFailed","Item":` + item + `}` }

// two are the changes that hot and keyring, as a server has them, stem from.
func two() []store.Change {
	return []store.Change{store.Put(hot(), store.Absent, "w"), store.Put(keyring(), store.Absent, "w")}
}

func TestCancelledTransactions(t *testing.T) {
	other := hot()
	store.Put(other, 1, "somebody else")
	none, condition := reason("None"), refusedBy(itemOf(t, other))
	own := refusedBy(itemOf(t, keyring()))
	conflict := reason("TransactionConflict")
	for name, test := range map[string]struct {
		answers  []answer
		want     error // nil: it happened
		requests int
	}{
		"a refused condition":              {[]answer{cancelled(condition, none)}, store.ErrConflict, 1},
		"it has happened":                  {[]answer{cancelled(condition, own)}, nil, 1},
		"another transaction, then done":   {[]answer{cancelled(conflict, none), cancelled(none, conflict), ok(`{}`)}, nil, 3},
		"another transaction for ever":     {[]answer{cancelled(none, conflict)}, store.ErrUnavailable, 5},
		"throttled for ever":               {[]answer{cancelled(none, reason("ThrottlingError"))}, store.ErrUnavailable, 5},
		"too much for ever":                {[]answer{cancelled(reason("ProvisionedThroughputExceeded"))}, store.ErrUnavailable, 5},
		"refused, the other row not known": {[]answer{cancelled(condition, conflict), cancelled(condition, own)}, nil, 2},
		"a reason that stays":              {[]answer{cancelled(reason("ValidationError"), conflict)}, errPermanent, 1},
		"no reason":                        {[]answer{cancelled()}, errPermanent, 1},
		"the same one is under way":        {[]answer{fault(400, "TransactionInProgressException")}, store.ErrUnavailable, 3},
		"another one of that name":         {[]answer{fault(400, "IdempotentParameterMismatchException")}, errPermanent, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, server, pauses := newCanned(t, test.answers...)
			err := s.Write(t.Context(), two()...)
			if !is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if len(server.asked()) != test.requests {
				t.Errorf("%d requests, want %d", len(server.asked()), test.requests)
			}
			if test.requests == 5 && *pauses != 4 {
				t.Errorf("%d pauses, want 4", *pauses)
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

// TestNewTransactionNewToken: DynamoDB answers a token that it knows without
// doing anything, or refuses it where it came with another request.
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
			t.Errorf("token %q, there: %t, twice: %t", token, found, seen[token])
		}
		seen[token] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d tokens, want 3", len(seen))
	}
}
