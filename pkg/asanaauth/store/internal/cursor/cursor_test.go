package cursor_test

import (
	"errors"
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
