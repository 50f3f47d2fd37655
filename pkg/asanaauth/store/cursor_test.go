package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

func TestCursorRoundTrip(t *testing.T) {
	key := store.Key{PK: "c#abc", SK: "def#hot"}
	cursor := store.After(key)
	if got, err := store.ParseCursor(cursor); got != key || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, key)
	}
	if got, err := store.ParseListCursor("c#abc", cursor); got != key || err != nil {
		t.Errorf("in its partition: got %v, %v, want %v", got, err, key)
	}
}

func TestEmptyCursor(t *testing.T) {
	if got, err := store.ParseCursor(""); got != (store.Key{}) || err != nil {
		t.Errorf("got %v, %v, want the zero key", got, err)
	}
	if got, err := store.ParseListCursor("c#abc", ""); got != (store.Key{PK: "c#abc"}) || err != nil {
		t.Errorf("in a partition: got %v, %v, want a key with an empty SK", got, err)
	}
}

// TestCursorLimits checks that ParseCursor accepts exactly the keys that DynamoDB accepts.
func TestCursorLimits(t *testing.T) {
	pk, sk := strings.Repeat("p", 2048), strings.Repeat("s", 1024)
	for _, test := range []struct {
		name, pk, sk string
		ok           bool
	}{
		{"the longest keys", pk, sk, true},
		{"a partition key that is too long", pk + "p", sk, false},
		{"a sort key that is too long", pk, sk + "s", false},
		{"a partition key that is not UTF-8", "c#\xff", "a", false},
		{"a sort key that is not UTF-8", "c#a", "\xff", false},
	} {
		_, err := store.ParseCursor(store.After(store.Key{PK: test.pk, SK: test.sk}))
		if test.ok && err != nil || !test.ok && !errors.Is(err, store.ErrCursor) {
			t.Errorf("%s: got %v, want ok %t", test.name, err, test.ok)
		}
	}
}

func TestMalformedCursor(t *testing.T) {
	for _, cursor := range []string{
		"!", "YQ", "YR", store.After(store.Key{}), store.After(store.Key{SK: "a"}),
		store.After(store.Key{PK: "a"}), store.After(store.Key{PK: "a", SK: "b\x00c"}),
	} {
		if key, err := store.ParseCursor(cursor); key != (store.Key{}) || !errors.Is(err, store.ErrCursor) {
			t.Errorf("%q: got %v, %v, want ErrCursor", cursor, key, err)
		}
		if key, err := store.ParseListCursor("a", cursor); key != (store.Key{}) || !errors.Is(err, store.ErrCursor) {
			t.Errorf("%q in a partition: got %v, %v, want ErrCursor", cursor, key, err)
		}
	}
	other := store.After(store.Key{PK: "c#abc", SK: "def#hot"})
	if key, err := store.ParseListCursor("c#other", other); key != (store.Key{}) || !errors.Is(err, store.ErrCursor) {
		t.Errorf("a cursor of another partition: got %v, %v, want ErrCursor", key, err)
	}
}
