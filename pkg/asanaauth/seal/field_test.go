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

// mustNotOpen wants ErrOpen itself and nothing else: one answer for all.
func mustNotOpen(t testing.TB, r *seal.Ring, l seal.Label, s secret.Sealed, why string) {
	t.Helper()
	if got, err := r.Open(l, s); err != seal.ErrOpen || !got.IsZero() {
		t.Errorf("%s: Open = %q, %v, want nothing and ErrOpen", why, got.Reveal(), err)
	}
}

func TestRoundTrip(t *testing.T) {
	r := newRing(t)
	for _, plain := range []string{"x", text, strings.Repeat("4k", 2048), "\x00\xff"} {
		s := sealed(t, r, label, plain)
		mustOpen(t, r, label, s, plain)
		if want := 1 + 4 + 12 + len(plain) + 16; len(s) != want {
			t.Errorf("%d bytes are sealed as %d, want %d", len(plain), len(s), want)
		}
		if bytes.Contains(s, []byte(plain)) && len(plain) > 2 {
			t.Errorf("%d bytes are to be read in what sealed them", len(plain))
		}
	}
}

func TestTwoSealsDiffer(t *testing.T) {
	r := newRing(t)
	one, two := sealed(t, r, label, text), sealed(t, r, label, text)
	if bytes.Equal(one[5:17], two[5:17]) {
		t.Error("two seals have the same nonce")
	}
	if bytes.Equal(one[17:], two[17:]) {
		t.Error("two seals have the same ciphertext")
	}
}

func TestAnotherLabelDoesNotOpen(t *testing.T) {
	r := newRing(t)
	s := sealed(t, r, label, text)
	for why, change := range map[string]func(*seal.Label){
		"another row":                func(l *seal.Label) { l.Row = "c#aaaa/cccc#hot" },
		"no row":                     func(l *seal.Label) { l.Row = "" },
		"another owner":              func(l *seal.Label) { l.Owner = strings.Repeat("\x5b", 32) },
		"no owner":                   func(l *seal.Label) { l.Owner = "" },
		"another field":              func(l *seal.Label) { l.Field = "access_token" },
		"no field":                   func(l *seal.Label) { l.Field = "" },
		"another fact":               func(l *seal.Label) { l.Facts = []string{"con_1", "epoch2"} },
		"facts in another order":     func(l *seal.Label) { l.Facts = []string{"epoch", "con_1"} },
		"a fact less":                func(l *seal.Label) { l.Facts = l.Facts[:1] },
		"an empty fact more":         func(l *seal.Label) { l.Facts = append(slices.Clone(l.Facts), "") },
		"facts cut elsewhere":        func(l *seal.Label) { l.Facts = []string{"con_1e", "poch"} },
		"owner and field cut anew":   func(l *seal.Label) { l.Owner, l.Field = l.Owner[:31], l.Owner[31:]+l.Field },
		"a row that takes a fact in": func(l *seal.Label) { l.Row, l.Facts = l.Row+"con_1", l.Facts[1:] },
	} {
		other := label
		change(&other)
		mustNotOpen(t, r, other, s, why)
	}
	mustOpen(t, r, label, s, text)
}

func TestAnotherInstallationDoesNotOpen(t *testing.T) {
	r := newRing(t)
	other, err := seal.ParseRing(installation+"-staging", r.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	mustNotOpen(t, other, label, sealed(t, r, label, text), "another installation")
}

func TestSwappedFieldsDoNotOpen(t *testing.T) {
	r := newRing(t)
	access, refresh := label, label
	access.Field = "access_token"
	a, b := sealed(t, r, access, "access"), sealed(t, r, refresh, "refresh")
	mustNotOpen(t, r, access, b, "the refresh token in the access token's place")
	mustNotOpen(t, r, refresh, a, "the access token in the refresh token's place")
}

func TestTamperedDoesNotOpen(t *testing.T) {
	r := newRing(t)
	s := sealed(t, r, label, text)
	for i := range s {
		for _, flip := range []byte{1, 0x80} {
			bad := bytes.Clone(s)
			bad[i] ^= flip
			if _, err := r.Open(label, bad); !errors.Is(err, seal.ErrOpen) {
				t.Errorf("byte %d flipped by %#x: %v, want ErrOpen", i, flip, err)
			}
		}
		mustNotOpen(t, r, label, s[:i], "truncated")
	}
	mustNotOpen(t, r, label, append(bytes.Clone(s), 0), "a byte more")
}

func TestAbsentIsNeitherSealedNorOpened(t *testing.T) {
	r := newRing(t)
	if s, err := r.Seal(rand.Reader, label, secret.String{}); err == nil || s != nil {
		t.Errorf("Seal of nothing = %v, %v, want an error", s, err)
	}
	mustNotOpen(t, r, label, nil, "nil")
	mustNotOpen(t, r, label, secret.Sealed{}, "empty")
}

func TestSealWantsALabel(t *testing.T) {
	r := newRing(t)
	for _, l := range []seal.Label{{}, {Row: "r"}, {Field: "f"}} {
		if s, err := r.Seal(rand.Reader, l, secret.New(text)); err == nil || s != nil {
			t.Errorf("Seal for %+v = %v, %v, want an error", l, s, err)
		}
	}
}

func TestRandomThatFails(t *testing.T) {
	broken := errors.New("no entropy")
	for name, random := range map[string]io.Reader{
		"at once": iotest.ErrReader(broken),
		"halfway": io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(broken)),
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
		t.Errorf("KeyOf = %d, %v, want the primary %d", id, ok, r.Primary())
	}
	other := bytes.Clone(s)
	other[0] = 0
	for why, bad := range map[string]secret.Sealed{"nil": nil, "short": s[:len(s)-1], "another format": other} {
		if id, ok := seal.KeyOf(bad); ok || id != 0 {
			t.Errorf("KeyOf of %s = %d, %v, want none", why, id, ok)
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
