package cursor_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/internal/cursor"
)

func TestRoundTrip(t *testing.T) {
	made := cursor.Encode("c#abc", "def#hot")
	if pk, sk, err := cursor.Decode(made); pk != "c#abc" || sk != "def#hot" || err != nil {
		t.Errorf("got %q, %q, %v", pk, sk, err)
	}
	if sk, err := cursor.In("c#abc", made); sk != "def#hot" || err != nil {
		t.Errorf("in its partition: got %q, %v", sk, err)
	}
	if sk, err := cursor.In("c#abc", ""); sk != "" || err != nil {
		t.Errorf("at the beginning: got %q, %v", sk, err)
	}
}

// TestLimits: what a table may hold goes through, and nothing beyond.
func TestLimits(t *testing.T) {
	pk, sk := strings.Repeat("p", 2048), strings.Repeat("s", 1024)
	for _, test := range []struct {
		name, pk, sk string
		ok           bool
	}{
		{"the longest keys", pk, sk, true},
		{"a partition key that is too long", pk + "p", sk, false},
		{"a sort key that is too long", pk, sk + "s", false},
		{"a partition key that is no UTF-8", "c#\xff", "a", false},
		{"a sort key that is no UTF-8", "c#a", "\xff", false},
	} {
		_, _, err := cursor.Decode(cursor.Encode(test.pk, test.sk))
		if test.ok && err != nil || !test.ok && !errors.Is(err, cursor.ErrMalformed) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	for _, c := range []string{"", "!", "YQ", "YR", cursor.Encode("", "a"), cursor.Encode("a", ""), cursor.Encode("a", "b\x00c")} {
		if _, _, err := cursor.Decode(c); !errors.Is(err, cursor.ErrMalformed) {
			t.Errorf("%q: got %v", c, err)
		}
	}
	if _, err := cursor.In("c#other", cursor.Encode("c#abc", "def#hot")); !errors.Is(err, cursor.ErrMalformed) {
		t.Errorf("a cursor of another partition: got %v", err)
	}
}
