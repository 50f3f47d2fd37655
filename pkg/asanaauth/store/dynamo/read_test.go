package dynamo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/dynamo"
)

func TestRequests(t *testing.T) {
	h, k := hot(), keyring()
	cold := &store.Cold{Connection: h.Connection}
	many := make([]store.Key, 230)
	for n := range many {
		many[n] = store.HotKey(store.ConnectionID(store.HashOf("owner"), fmt.Sprint(n), "oauth"))
	}
	for name, test := range map[string]struct {
		do   func(context.Context, *dynamo.Store) error
		want string
	}{
		"read of no key":       {reading(), ""},
		"read of the zero key": {reading(store.Key{}), ""},
		"read of one key":      {reading(k.Key()), "BatchGetItem"},
		"read of three keys":   {reading(h.Key(), cold.Key(), k.Key(), h.Key()), "BatchGetItem"},
		"read of 230 keys":     {reading(many...), "BatchGetItem BatchGetItem BatchGetItem"},
		"write of nothing":     {writing(), ""},
		"put":                  {writing(store.Put(h, 4, "w")), "PutItem"},
		"delete":               {writing(store.Delete(h.Key(), 4)), "DeleteItem"},
		"write of two rows":    {writing(store.Put(h, 4, "w"), store.Put(cold, store.Absent, "w")), "TransactWriteItems"},
		"list": {func(ctx context.Context, s *dynamo.Store) error {
			_, _, err := s.List(ctx, h.Key().PK, "")
			return err
		}, "Query"},
		"scan": {func(ctx context.Context, s *dynamo.Store) error { _, _, err := s.Scan(ctx, ""); return err }, "Scan"},
	} {
		t.Run(name, func(t *testing.T) {
			s, server, _ := newCanned(t, ok(found()))
			if err := test.do(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if got := server.ops(); got != test.want {
				t.Errorf("got requests %q, want %q", got, test.want)
			}
			for _, r := range server.received() {
				reads := r.op == "BatchGetItem" || r.op == "Query" || r.op == "Scan"
				if reads && !strings.Contains(r.body, `"ConsistentRead":true`) {
					t.Errorf("%s is not strongly consistent: %s", r.op, r.body)
				}
			}
		})
	}
}

// TestListRequest checks that List sets a limit and starts after the key in the cursor.
// The table need not contain a row with this key.
func TestListRequest(t *testing.T) {
	s, server, _ := newCanned(t, ok(`{"Items":[],"Count":0}`))
	pk := store.OwnerPartition(store.HashOf("owner"))
	after := store.Key{PK: pk, SK: "abc#hot"}
	for _, cursor := range []string{"", store.After(after)} {
		if _, _, err := s.List(t.Context(), pk, cursor); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range server.received() {
		var received struct {
			Limit             int
			ExclusiveStartKey store.Item
		}
		if err := json.Unmarshal([]byte(r.body), &received); err != nil {
			t.Fatal(err)
		}
		want := []store.Item{nil, {"pk": after.PK, "sk": after.SK}}[i]
		if diff := cmp.Diff(want, received.ExclusiveStartKey); received.Limit != dynamo.PageRows || diff != "" {
			t.Errorf("request %d has limit %d, want %d; start key (-want +got):\n%s", i, received.Limit, dynamo.PageRows, diff)
		}
	}
	if len(server.received()) != 2 {
		t.Errorf("got %d requests, want 2", len(server.received()))
	}
}

func TestBadCursorsCostNoRequest(t *testing.T) {
	s, server, _ := newCanned(t, ok(`{"Items":[],"Count":0}`))
	pk := store.OwnerPartition(store.HashOf("owner"))
	for _, cursor := range []string{"*", store.After(store.Key{PK: "c#other", SK: "a"}), store.After(store.Key{PK: pk, SK: strings.Repeat("x", 1025)})} {
		if _, _, err := s.List(t.Context(), pk, cursor); !errors.Is(err, store.ErrCursor) {
			t.Errorf("got %v, want ErrCursor", err)
		}
	}
	if _, _, err := s.Scan(t.Context(), "*"); !errors.Is(err, store.ErrCursor) {
		t.Errorf("scan: got %v, want ErrCursor", err)
	}
	if ops := server.ops(); ops != "" {
		t.Errorf("got requests %s, want none", ops)
	}
}

func reading(keys ...store.Key) func(context.Context, *dynamo.Store) error {
	return func(ctx context.Context, s *dynamo.Store) error { _, err := s.Read(ctx, keys...); return err }
}

func writing(changes ...store.Change) func(context.Context, *dynamo.Store) error {
	return func(ctx context.Context, s *dynamo.Store) error { return s.Write(ctx, changes...) }
}

func TestUnprocessedKeysAreRequestedAgain(t *testing.T) {
	h, k := hot(), keyring()
	s, server, pauses := newCanned(t,
		ok(unprocessed("", keyJSON(t, h.Key()), keyJSON(t, k.Key()))),
		ok(unprocessed(itemOf(t, h), keyJSON(t, k.Key()))),
		ok(found(itemOf(t, k))))
	rows, err := s.Read(t.Context(), h.Key(), k.Key())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(store.Rows{h.Key(): h, k.Key(): k}, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if len(server.received()) != 3 || *pauses != 2 {
		t.Errorf("got %d requests, %d pauses, want 3 and 2", len(server.received()), *pauses)
	}
	if last := server.received()[2].body; strings.Contains(last, h.Key().PK) {
		t.Errorf("a key that was processed is requested again: %s", last)
	}
}

func TestUnprocessedKeysThatWereNotRequested(t *testing.T) {
	h := hot()
	s, server, _ := newCanned(t, ok(unprocessed("", keyJSON(t, keyring().Key()))), ok(found(itemOf(t, h))))
	rows, err := s.Read(t.Context(), h.Key())
	if err != nil || rows[h.Key()] == nil {
		t.Fatalf("got %v, %v", rows, err)
	}
	if again := server.received()[1].body; !strings.Contains(again, h.Key().PK) || strings.Contains(again, "k#keyring") {
		t.Errorf("second request: got %s, want the requested key only", again)
	}
}

// If a response does not show whether the requested row exists, Read returns an error.
// Otherwise callers would treat the row as missing.
func TestNoResultForKey(t *testing.T) {
	h := hot()
	for name, body := range map[string]string{
		"always unprocessed":              unprocessed("", keyJSON(t, h.Key())),
		"unprocessed, without the table":  `{"UnprocessedKeys":{"table":{"Keys":[` + keyJSON(t, h.Key()) + `]}}}`,
		"other unprocessed keys":          unprocessed("", keyJSON(t, keyring().Key())),
		"unprocessed keys that are empty": unprocessed("", `{}`),
		"an empty object":                 `{}`,
		"no tables":                       `{"Responses":{},"UnprocessedKeys":{}}`,
		"another table":                   `{"Responses":{"other":[]},"UnprocessedKeys":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s, server, pauses := newCanned(t, ok(body))
			rows, err := s.Read(t.Context(), h.Key())
			if !errors.Is(err, store.ErrUnavailable) || rows != nil {
				t.Errorf("got %v, %v, want ErrUnavailable", rows, err)
			}
			if len(server.received()) != 5 || *pauses != 4 {
				t.Errorf("got %d requests, %d pauses, want 5 and 4", len(server.received()), *pauses)
			}
		})
	}
}

func TestRetriesEndWithTheContext(t *testing.T) {
	h := hot()
	s, server, _ := newCanned(t, ok(unprocessed("", keyJSON(t, h.Key()))))
	ctx, cancel := context.WithCancel(t.Context())
	s.SetWait(func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() })
	_, err := s.Read(ctx, h.Key())
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want ErrUnavailable and context.Canceled", err)
	}
	if len(server.received()) != 1 {
		t.Errorf("got %d requests, want 1", len(server.received()))
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		different := map[time.Duration]bool{}
		for range 20 {
			start := time.Now()
			if err := dynamo.Wait(t.Context(), time.Second); err != nil {
				t.Fatal(err)
			}
			took := time.Since(start)
			if took > time.Second {
				t.Errorf("waited %v, want at most 1s", took)
			}
			different[took] = true
		}
		if len(different) < 2 {
			t.Error("20 waits took the same time, want random times")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		if err := dynamo.Wait(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want context.DeadlineExceeded", err)
		}
	})
}

func TestUnknownRows(t *testing.T) {
	for name, item := range map[string]string{
		"a newer format":        `{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"N":"2"},"rev":{"N":"1"}}`,
		"a format of 1.5":       `{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"N":"1.5"},"rev":{"N":"1"}}`,
		"a format of 2⁶⁴+1":     `{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"N":"18446744073709551617"},"rev":{"N":"1"}}`,
		"a format that is text": `{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"S":"1"},"rev":{"N":"1"}}`,
		"another kind":          `{"pk":{"S":"z#1"},"sk":{"S":"z"},"format":{"N":"1"},"rev":{"N":"1"}}`,
		"a list":                `{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"N":"1"},"rev":{"N":"1"},"wrapped":{"L":[]}}`,
		"a fraction":            `{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"N":"1"},"rev":{"N":"1.5"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _ := newCanned(t, ok(found(item)))
			if _, err := s.Read(t.Context(), store.KeyringKey); !errors.Is(err, store.ErrFormat) {
				t.Errorf("read: got %v, want ErrFormat", err)
			}
			s, _, _ = newCanned(t, ok(`{"Items":[`+item+`],"Count":1}`))
			if _, _, err := s.List(t.Context(), "k#keyring", ""); !errors.Is(err, store.ErrFormat) {
				t.Errorf("list: got %v, want ErrFormat", err)
			}
			s, _, _ = newCanned(t, response{400, `{"__type":"x#ConditionalCheckFailedException","Item":` + item + `}`})
			if err := s.Write(t.Context(), store.Put(keyring(), 1, "w")); !errors.Is(err, store.ErrFormat) {
				t.Errorf("write: got %v, want ErrFormat", err)
			}
		})
	}
}
