package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
)

func rotated(t testing.TB, r *seal.Ring, n int) *seal.Ring {
	t.Helper()
	for range n {
		var err error
		if r, err = r.Rotate(rand.Reader, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestRingBytesRoundTrip(t *testing.T) {
	for _, more := range []int{0, 1, 63} {
		r := rotated(t, newRing(t), more)
		parsed, err := seal.ParseRing(installation, r.Bytes())
		if err != nil {
			t.Fatalf("%d keys: %v", more+1, err)
		}
		if !bytes.Equal(parsed.Bytes(), r.Bytes()) || parsed.Primary() != r.Primary() {
			t.Errorf("%d keys: ParseRing returned a different ring", more+1)
		}
		mustOpen(t, parsed, label, sealed(t, r, label, text), text)
		mustOpen(t, r, label, sealed(t, parsed, label, text), text)
	}
}

func TestRotateKeepsOldKeys(t *testing.T) {
	old := newRing(t)
	before, s := old.Bytes(), sealed(t, old, label, text)
	rotatedRing := rotated(t, old, 1)
	if rotatedRing.Primary() == old.Primary() {
		t.Fatal("Rotate did not make the new key primary")
	}
	mustOpen(t, rotatedRing, label, s, text)
	if !bytes.Equal(old.Bytes(), before) {
		t.Error("Rotate changed its receiver")
	}
	if id, _ := seal.KeyOf(sealed(t, rotatedRing, label, text)); id != rotatedRing.Primary() {
		t.Error("the rotated ring did not seal with its primary key")
	}
}

func TestOpenWithUnknownKey(t *testing.T) {
	old := newRing(t)
	s := sealed(t, rotated(t, old, 1), label, text)
	_, err := old.Open(label, s)
	if !errors.Is(err, seal.ErrUnknownKey) || !errors.Is(err, seal.ErrOpen) {
		t.Errorf("Open with an old ring = %v, want ErrUnknownKey, which wraps ErrOpen", err)
	}
	if errors.Is(seal.ErrOpen, seal.ErrUnknownKey) {
		t.Error("ErrOpen wraps ErrUnknownKey")
	}
}

func TestRingHasAtMost64Keys(t *testing.T) {
	full := rotated(t, newRing(t), 63)
	const encryptLimit = 4096 // the maximum number of bytes that KMS encrypts
	if n := len(full.Bytes()); n >= encryptLimit {
		t.Errorf("Bytes of 64 keys has %d bytes, want less than %d", n, encryptLimit)
	}
	if r, err := full.Rotate(rand.Reader, now); err == nil || r != nil {
		t.Errorf("Rotate of 64 keys = %v, %v, want an error", r, err)
	}
	b := full.Bytes()
	entry := bytes.Clone(b[len(b)-52:])
	entry[0], entry[12+7] = entry[0]^0x55, 1 // another ID, and no longer primary
	b[5] = 65
	if _, err := seal.ParseRing(installation, append(b, entry...)); err == nil {
		t.Error("ParseRing accepted 65 keys")
	}
}

func TestKeyIDsAreUniqueAndNotZero(t *testing.T) {
	used := bytes.Repeat([]byte{7}, 36)
	unused := bytes.Repeat([]byte{9}, 36)
	zero := make([]byte, 36)
	r, err := seal.NewRing(bytes.NewReader(append(zero, used...)), installation, now)
	if err != nil || r.Primary() != 0x07070707 {
		t.Fatalf("NewRing = %v, %v, want it to skip ID 0", r, err)
	}
	next, err := r.Rotate(bytes.NewReader(append(used, unused...)), now)
	if err != nil || next.Primary() != 0x09090909 {
		t.Errorf("Rotate = %v, %v, want it to skip a used ID", next, err)
	}
	if _, err := r.Rotate(repeating(7), now); err == nil {
		t.Error("Rotate succeeded with a random source that repeats one byte, want an error")
	}
}

type repeating byte

func (r repeating) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte{byte(r)}, len(p))), nil
}

func TestParseRingRejects(t *testing.T) {
	b := rotated(t, newRing(t), 2).Bytes()
	const first, second, third = 6, 6 + 52, 6 + 2*52 // offsets of the keys; the third is primary
	for why, change := range map[string]func([]byte) []byte{
		"empty":                   func([]byte) []byte { return nil },
		"other version":           func(b []byte) []byte { b[0] = 2; return b },
		"missing byte":            func(b []byte) []byte { return b[:len(b)-1] },
		"extra byte":              func(b []byte) []byte { return append(b, 0) },
		"no keys":                 func(b []byte) []byte { b[5] = 0; return b[:6] },
		"key count too large":     func(b []byte) []byte { b[5] = 4; return b },
		"unknown primary":         func(b []byte) []byte { b[1] ^= 1; return b },
		"older key as primary":    func(b []byte) []byte { copy(b[1:5], b[first:]); return b },
		"key id 0":                func(b []byte) []byte { clear(b[first : first+4]); return b },
		"repeated key id":         func(b []byte) []byte { copy(b[first:first+4], b[second:]); return b },
		"repeated primary id":     func(b []byte) []byte { copy(b[first:first+4], b[third:]); return b },
		"primary with stop time":  func(b []byte) []byte { b[third+19] = 1; return b },
		"two without stop time":   func(b []byte) []byte { clear(b[first+12 : first+20]); return b },
		"no creation time":        func(b []byte) []byte { clear(b[first+4 : first+12]); return b },
		"creation time too large": func(b []byte) []byte { b[first+4] = 1; return b },
		"stop time too large":     func(b []byte) []byte { b[first+12] = 1; return b },
	} {
		if r, err := seal.ParseRing(installation, change(bytes.Clone(b))); err == nil || r != nil {
			t.Errorf("%s: ParseRing = %v, %v, want an error", why, r, err)
		}
	}
}

func TestClockAtOrBeforeUnixTimeZero(t *testing.T) {
	for _, start := range []time.Time{{}, time.Unix(0, 0), time.Unix(-5, 0)} {
		r, err := seal.NewRing(rand.Reader, installation, start)
		if err != nil {
			t.Fatal(err)
		}
		if r, err = r.Rotate(rand.Reader, start); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.ParseRing(installation, r.Bytes()); err != nil {
			t.Errorf("ParseRing of a ring created at %v = %v, want no error", start, err)
		}
	}
}

func TestRingIsNotPrinted(t *testing.T) {
	r, err := seal.NewRing(repeating('K'), installation, now)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	holder := struct {
		Open   *seal.Ring
		closed seal.Ring
	}{r, *r}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{r, *r, holder, &holder, []*seal.Ring{r}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "ring", r, "value", *r, "holder", holder)
	for _, leak := range []string{"KKKKKKKK", "4b4b4b4b4b4b4b4b", "75 75 75 75", "0x4b, 0x4b"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the output contains the key as %q", leak)
		}
	}
	if got := fmt.Sprintf("%v %+v %#v", r, *r, r); got != "[keyring] [keyring] [keyring]" {
		t.Errorf("Sprintf of a ring = %s, want [keyring]", got)
	}
	if got := r.LogValue().String(); got != "[keyring]" {
		t.Errorf("LogValue = %s, want [keyring]", got)
	}
}

func TestContext(t *testing.T) {
	got := fmt.Sprint(seal.Context("i"))
	if want := "map[installation:i purpose:asanaauth keyring]"; got != want {
		t.Errorf("Context = %s, want %s", got, want)
	}
}

// counter returns a random source that yields the bytes 1, 2, 3, and so on.
func counter() io.Reader { return new(counting) }

type counting byte

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		*c++
		p[i] = byte(*c)
	}
	return len(p), nil
}
