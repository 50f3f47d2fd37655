package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	installation = "table-of-tests"
	text         = "a text of some length, as tokens have it"
)

var (
	now   = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	label = seal.Label{
		Row:   "c#aaaa/bbbb#hot",
		Owner: strings.Repeat("\x5a", 32),
		Field: "refresh_token",
		Facts: []string{"con_1", "epoch"},
	}
)

func newRing(t testing.TB) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(rand.Reader, installation, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sealed(t testing.TB, r *seal.Ring, l seal.Label, plain string) secret.Sealed {
	t.Helper()
	s, err := r.Seal(rand.Reader, l, secret.New(plain))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustOpen(t testing.TB, r *seal.Ring, l seal.Label, s secret.Sealed, want string) {
	t.Helper()
	got, err := r.Open(l, s)
	if err != nil || got.Reveal() != want {
		t.Errorf("Open(%+v) = %q, %v, want %q", l, got.Reveal(), err, want)
	}
}

// mustNotOpen fails the test unless Open returns ErrOpen. An error that wraps ErrOpen
// also fails the test, because its text could reveal why the field does not open.
func mustNotOpen(t testing.TB, r *seal.Ring, l seal.Label, s secret.Sealed, why string) {
	t.Helper()
	if got, err := r.Open(l, s); err != seal.ErrOpen || !got.IsZero() {
		t.Errorf("%s: Open = %q, %v, want no text and ErrOpen", why, got.Reveal(), err)
	}
}

func TestRoundTrip(t *testing.T) {
	r := newRing(t)
	for _, plain := range []string{"x", text, strings.Repeat("4k", 2048), "\x00\xff"} {
		s := sealed(t, r, label, plain)
		mustOpen(t, r, label, s, plain)
		if want := 1 + 4 + 12 + len(plain) + 16; len(s) != want {
			t.Errorf("Seal of %d bytes = %d bytes, want %d", len(plain), len(s), want)
		}
		if bytes.Contains(s, []byte(plain)) && len(plain) > 2 {
			t.Errorf("Seal of %d bytes contains them in plain text", len(plain))
		}
	}
}

func TestTwoSealsDiffer(t *testing.T) {
	r := newRing(t)
	one, two := sealed(t, r, label, text), sealed(t, r, label, text)
	if bytes.Equal(one[5:17], two[5:17]) {
		t.Error("Seal used the same nonce twice")
	}
	if bytes.Equal(one[17:], two[17:]) {
		t.Error("Seal returned the same ciphertext twice")
	}
}

func TestOpenUnderOtherLabel(t *testing.T) {
	r := newRing(t)
	s := sealed(t, r, label, text)
	for why, change := range map[string]func(*seal.Label){
		"other row":                       func(l *seal.Label) { l.Row = "c#aaaa/cccc#hot" },
		"no row":                          func(l *seal.Label) { l.Row = "" },
		"other owner":                     func(l *seal.Label) { l.Owner = strings.Repeat("\x5b", 32) },
		"no owner":                        func(l *seal.Label) { l.Owner = "" },
		"other field":                     func(l *seal.Label) { l.Field = "access_token" },
		"no field":                        func(l *seal.Label) { l.Field = "" },
		"other fact":                      func(l *seal.Label) { l.Facts = []string{"con_1", "epoch2"} },
		"facts in another order":          func(l *seal.Label) { l.Facts = []string{"epoch", "con_1"} },
		"missing fact":                    func(l *seal.Label) { l.Facts = l.Facts[:1] },
		"extra empty fact":                func(l *seal.Label) { l.Facts = append(slices.Clone(l.Facts), "") },
		"facts split elsewhere":           func(l *seal.Label) { l.Facts = []string{"con_1e", "poch"} },
		"owner and field split elsewhere": func(l *seal.Label) { l.Owner, l.Field = l.Owner[:31], l.Owner[31:]+l.Field },
		"fact moved into row":             func(l *seal.Label) { l.Row, l.Facts = l.Row+"con_1", l.Facts[1:] },
	} {
		other := label
		change(&other)
		mustNotOpen(t, r, other, s, why)
	}
	mustOpen(t, r, label, s, text)
}

func TestOpenInOtherInstallation(t *testing.T) {
	r := newRing(t)
	other, err := seal.ParseRing(installation+"-staging", r.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	mustNotOpen(t, other, label, sealed(t, r, label, text), "other installation")
}

func TestOpenSwappedFields(t *testing.T) {
	r := newRing(t)
	access, refresh := label, label
	access.Field = "access_token"
	a, b := sealed(t, r, access, "access"), sealed(t, r, refresh, "refresh")
	mustNotOpen(t, r, access, b, "refresh token as access token")
	mustNotOpen(t, r, refresh, a, "access token as refresh token")
}

func TestOpenTamperedField(t *testing.T) {
	r := newRing(t)
	s := sealed(t, r, label, text)
	for i := range s {
		for _, flip := range []byte{1, 0x80} {
			bad := bytes.Clone(s)
			bad[i] ^= flip
			if _, err := r.Open(label, bad); !errors.Is(err, seal.ErrOpen) {
				t.Errorf("byte %d flipped by %#x: Open = %v, want ErrOpen", i, flip, err)
			}
		}
		mustNotOpen(t, r, label, s[:i], "truncated")
	}
	mustNotOpen(t, r, label, append(bytes.Clone(s), 0), "extra byte")
}

func TestEmptyTextAndEmptyField(t *testing.T) {
	r := newRing(t)
	if s, err := r.Seal(rand.Reader, label, secret.String{}); err == nil || s != nil {
		t.Errorf("Seal of an empty text = %v, %v, want an error", s, err)
	}
	mustNotOpen(t, r, label, nil, "nil")
	mustNotOpen(t, r, label, secret.Sealed{}, "empty")
}

func TestSealRequiresRowAndField(t *testing.T) {
	r := newRing(t)
	for _, l := range []seal.Label{{}, {Row: "r"}, {Field: "f"}} {
		if s, err := r.Seal(rand.Reader, l, secret.New(text)); err == nil || s != nil {
			t.Errorf("Seal with label %+v = %v, %v, want an error", l, s, err)
		}
	}
}

func TestFailingRandomSource(t *testing.T) {
	broken := errors.New("no entropy")
	for name, random := range map[string]io.Reader{
		"immediately": iotest.ErrReader(broken),
		"halfway":     io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(broken)),
	} {
		if s, err := newRing(t).Seal(random, label, secret.New(text)); !errors.Is(err, broken) || s != nil {
			t.Errorf("%s: Seal = %v, %v, want the random source's error", name, s, err)
		}
		if r, err := seal.NewRing(random, installation, now); !errors.Is(err, broken) || r != nil {
			t.Errorf("%s: NewRing = %v, %v, want the random source's error", name, r, err)
		}
	}
}

func TestKeyOf(t *testing.T) {
	r := newRing(t)
	s := sealed(t, r, label, "x")
	if id, ok := seal.KeyOf(s); !ok || id != r.Primary() {
		t.Errorf("KeyOf = %d, %v, want %d, true", id, ok, r.Primary())
	}
	other := bytes.Clone(s)
	other[0] = 0
	for why, bad := range map[string]secret.Sealed{"nil": nil, "short": s[:len(s)-1], "other format": other} {
		if id, ok := seal.KeyOf(bad); ok || id != 0 {
			t.Errorf("%s: KeyOf = %d, %v, want 0, false", why, id, ok)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	r := newRing(t)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				mustOpen(t, r, label, sealed(t, r, label, text), text)
			}
		})
	}
	all.Wait()
}

func BenchmarkOpen(b *testing.B) {
	r := newRing(b)
	s := sealed(b, r, label, text)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Open(label, s); err != nil {
			b.Fatal(err)
		}
	}
}
