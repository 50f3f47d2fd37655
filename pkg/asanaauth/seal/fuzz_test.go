package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
)

// FuzzOpen checks that Open accepts only the golden field and that it does not panic.
func FuzzOpen(f *testing.F) {
	r, err := seal.ParseRing(installation, golden(f, "ring-1.hex"))
	if err != nil {
		f.Fatal(err)
	}
	good := golden(f, "field-1.hex")
	for _, seed := range [][]byte{nil, good, good[:5], good[:17], good[:33], append(bytes.Clone(good), 1), make([]byte, 34)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		got, err := r.Open(label, s)
		if bytes.Equal(s, good) != (err == nil) {
			t.Errorf("Open(%x) = %v, want success only for the golden field", s, err)
		}
		if err != nil && (!errors.Is(err, seal.ErrOpen) || !got.IsZero()) {
			t.Errorf("Open(%x) = %q, %v, want no text and ErrOpen", s, got.Reveal(), err)
		}
	})
}

// FuzzParseRing checks that every ring that ParseRing accepts encodes to the same bytes
// and can seal and open a field.
func FuzzParseRing(f *testing.F) {
	good := golden(f, "ring-1.hex")
	for _, seed := range [][]byte{nil, good, good[:6], good[:58], append(bytes.Clone(good), 1), make([]byte, 58)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := seal.ParseRing(installation, b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Bytes(), b) {
			t.Errorf("Bytes after ParseRing(%x) = %x, want the same bytes", b, r.Bytes())
		}
		mustOpen(t, r, label, sealed(t, r, label, text), text)
	})
}
