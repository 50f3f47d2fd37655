package seal_test

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// golden returns the contents of a file in testdata, decoded from hex. The first release
// wrote these files. Do not change them: a release that cannot open them cannot open the
// stored tokens of earlier releases either.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenOpens(t *testing.T) {
	r, err := seal.ParseRing(installation, golden(t, "ring-1.hex"))
	if err != nil {
		t.Fatal(err)
	}
	mustOpen(t, r, label, golden(t, "field-1.hex"), text)
}

func TestGoldenIsWritten(t *testing.T) {
	random := counter()
	r, err := seal.NewRing(random, installation, now)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = r.Rotate(random, now.Add(90*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	s, err := r.Seal(random, label, secret.New(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"ring-1.hex": r.Bytes(), "field-1.hex": s} {
		if want := golden(t, name); string(got) != string(want) {
			t.Errorf("%s: got\n%x, want\n%x", name, got, want)
		}
	}
}
