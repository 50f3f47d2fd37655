package store_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

func TestDecodeRefuses(t *testing.T) {
	long := make([]byte, 33)
	for _, test := range []struct {
		name, row, attribute string
		value                any // nil removes the attribute
	}{
		{"a newer format", "hot-1", "format", int64(2)},
		{"no format", "hot-1", "format", nil},
		{"a format that is text", "hot-1", "format", "1"},
		{"a format that is a fraction", "hot-1", "format", 1.5},
		{"no rev", "hot-1", "rev", nil},
		{"a negative rev", "hot-1", "rev", int64(-1)},
		{"a rev that is text", "hot-1", "rev", "7"},
		{"an unknown prefix", "hot-1", "pk", "z#1"},
		{"a prefix without a separator", "keyring-1", "pk", "k"},
		{"no partition key", "hot-1", "pk", nil},
		{"a partition key of another type", "hot-1", "pk", []byte("c#1")},
		{"no sort key", "hot-1", "sk", nil},
		{"an unknown kind of connection row", "hot-1", "sk", "abc#warm"},
		{"a sort key of another row", "hot-1", "sk", "abcdefghijklmnop#hot"},
		{"a sort key of another kind", "attempt-1", "sk", "session"},
		{"a keyring under another key", "keyring-1", "pk", "k#other"},
		{"another connection", "cold-1", "connection", store.ConnectionID(store.HashOf("x"), "1", "oauth")},
		{"a malformed connection", "cold-1", "connection", "con_1"},
		{"another user", "user-pointer-1", "user", long[:32]},
		{"no state", "attempt-1", "state", nil},
		{"an attempt's link that is text", "attempt-1", "link", "link"},
		{"another link", "link-1", "token", long[:32]},
		{"no token", "link-1", "token", nil},
		{"a newer link", "link-1", "format", int64(2)},
		{"a link under another kind's sort key", "link-1", "sk", "attempt"},
		{"a link's hash that is too short", "link-1", "person", long[:31]},
		{"a held field that is text", "link-1", "held", "text"},
		{"another session code", "session-code-1", "code", long[:32]},
		{"a newer session code", "session-code-1", "format", int64(2)},
		{"a session code under another kind's sort key", "session-code-1", "sk", "session"},
		{"another workspace", "reader-1", "workspace", long[:32]},
		{"a newer reader", "reader-1", "format", int64(2)},
		{"a reader under another kind's sort key", "reader-1", "sk", "keyring"},
		{"an import's hash that is too long", "cold-1", "imported", long},
		{"a hash that is too long", "session-1", "cookie", long},
		{"a hash that is empty", "attempt-1", "browser", []byte{}},
		{"a text that is a number", "hot-1", "gid", int64(12)},
		{"a number that is text", "hot-1", "grant", "3"},
		{"a time that is text", "hot-1", "expires", "2026-01-01T00:00:00Z"},
		{"a flag that is a number", "hot-1", "rotates", int64(1)},
		{"a sealed field that is text", "hot-1", "access", "text"},
		{"a negative duration", "session-1", "idle_ttl", int64(-1)},
		{"a duration that overflows", "session-1", "idle_ttl", int64(1) << 60},
	} {
		item := maps.Clone(store.Encode(samples()[test.row]))
		item[test.attribute] = test.value
		if test.value == nil {
			delete(item, test.attribute)
		}
		if row, err := store.Decode(item); !errors.Is(err, store.ErrFormat) || row != nil {
			t.Errorf("%s: got %v, %v, want ErrFormat", test.name, row, err)
		}
	}
}

func TestDecodeJSONRefuses(t *testing.T) {
	for _, data := range []string{
		``, `null`, `[]`, `{}`, `{"pk":null}`, `{"pk":"c#1"}`, `{"pk":{}}`, `{"pk":{"NULL":true}}`,
		`{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"N":"1"},"rev":{"N":"one"}}`,
		`{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"N":"1.5"},"rev":{"N":"1"}}`,
		`{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"N":"1.0"},"rev":{"N":"1"}}`,
		`{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"N":"1e0"},"rev":{"N":"1"}}`,
		`{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"N":"18446744073709551617"},"rev":{"N":"1"}}`,
		`{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"S":"1"},"rev":{"N":"1"}}`,
		`{"pk":{"S":"k#keyring"},"sk":{"S":"keyring"},"format":{"N":"1"},"rev":{"N":"1"},"wrapped":{"B":"*"}}`,
	} {
		if _, err := store.DecodeJSON([]byte(data)); !errors.Is(err, store.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", data, err)
		}
	}
}

func TestItemRefusesOtherTypes(t *testing.T) {
	if _, err := (store.Item{"pk": 1.5}).MarshalJSON(); !errors.Is(err, store.ErrFormat) {
		t.Errorf("got %v, want ErrFormat", err)
	}
}

func FuzzDecodeJSON(f *testing.F) {
	files, _ := filepath.Glob("testdata/rows/*.json")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		row, err := store.DecodeJSON(data)
		if err != nil {
			if !errors.Is(err, store.ErrFormat) {
				t.Fatalf("got %v, want ErrFormat", err)
			}
			return
		}
		written, err := store.EncodeJSON(row)
		if err != nil {
			t.Fatal(err)
		}
		again, err := store.DecodeJSON(written)
		if err != nil {
			t.Fatalf("the encoded row cannot be decoded: %v\n%s", err, written)
		}
		rewritten, err := store.EncodeJSON(again)
		if diff := cmp.Diff(string(written), string(rewritten)); diff != "" || err != nil {
			t.Fatalf("%v, row (-first +second):\n%s", err, diff)
		}
	})
}
