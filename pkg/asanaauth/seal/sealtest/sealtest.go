// Package sealtest tests implementations of [seal.Wrapper].
//
// [Run] runs a suite of tests that every implementation must pass, including
// implementations outside this module. [Faulty] is a Wrapper that counts its calls and
// can be made to fail. Use it to test code that calls a Wrapper. Import this package only
// in tests, because it imports testing.
package sealtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
)

const installation = "installation-of-tests"

// Run runs the suite, each test as a subtest of t. Run calls newWrapper once for each
// subtest. newWrapper must return a wrapper that is ready for use, or call t.Fatal.
// newWrapper may return the same wrapper each time.
func Run(t *testing.T, newWrapper func(t *testing.T) seal.Wrapper) {
	for name, test := range map[string]func(*testing.T, seal.Wrapper){
		"round trip":         roundTrip,
		"two wraps differ":   twoWrapsDiffer,
		"other context":      otherContext,
		"each byte tampered": tampered,
		"truncated":          truncated,
		"unknown key name":   foreignKey,
		"ended context":      ended,
		"concurrent use":     concurrent,
	} {
		t.Run(name, func(t *testing.T) { test(t, newWrapper(t)) })
	}
}

func wrap(t *testing.T, w seal.Wrapper, plain []byte) (wrapped []byte, key string) {
	t.Helper()
	wrapped, key, err := w.Wrap(t.Context(), plain, seal.Context(installation))
	if err != nil {
		t.Fatalf("Wrap: %v", err)
	}
	if key == "" {
		t.Fatal("Wrap returned an empty key name")
	}
	return wrapped, key
}

func wantDenied(t *testing.T, w seal.Wrapper, wrapped []byte, key string, encctx map[string]string, why string) {
	t.Helper()
	plain, err := w.Unwrap(t.Context(), wrapped, key, encctx)
	if !errors.Is(err, seal.ErrDenied) || errors.Is(err, seal.ErrUnavailable) || plain != nil {
		t.Errorf("%s: Unwrap = %d bytes, %v, want none and ErrDenied", why, len(plain), err)
	}
}

func roundTrip(t *testing.T, w seal.Wrapper) {
	for _, size := range []int{1, 58, 3334, 4096} {
		plain := bytes.Repeat([]byte("k"), size)
		wrapped, key := wrap(t, w, plain)
		if size > 1 && bytes.Contains(wrapped, plain) {
			t.Errorf("the wrapped form of %d bytes contains them in plain text", size)
		}
		got, err := w.Unwrap(t.Context(), wrapped, key, seal.Context(installation))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("Unwrap of %d bytes = %d bytes, %v, want the same bytes", size, len(got), err)
		}
	}
}

func twoWrapsDiffer(t *testing.T, w seal.Wrapper) {
	one, _ := wrap(t, w, []byte("the same"))
	two, _ := wrap(t, w, []byte("the same"))
	if bytes.Equal(one, two) {
		t.Error("Wrap returned the same bytes twice")
	}
}

func otherContext(t *testing.T, w seal.Wrapper) {
	wrapped, key := wrap(t, w, []byte("plain"))
	purpose, more, less := seal.Context(installation), seal.Context(installation), seal.Context(installation)
	purpose["purpose"] = "other purpose"
	more["more"] = "value"
	delete(less, "purpose")
	swapped := map[string]string{"purpose": installation, "installation": seal.Context("")["purpose"]}
	for why, encctx := range map[string]map[string]string{
		"other installation": seal.Context("other"),
		"other purpose":      purpose,
		"extra pair":         more,
		"missing pair":       less,
		"swapped values":     swapped,
		"no context":         nil,
	} {
		wantDenied(t, w, wrapped, key, encctx, why)
	}
}

func tampered(t *testing.T, w seal.Wrapper) {
	wrapped, key := wrap(t, w, []byte("plain"))
	for i := range wrapped {
		bad := bytes.Clone(wrapped)
		bad[i] ^= 1
		wantDenied(t, w, bad, key, seal.Context(installation), fmt.Sprintf("byte %d of %d flipped", i, len(wrapped)))
	}
}

func truncated(t *testing.T, w seal.Wrapper) {
	wrapped, key := wrap(t, w, []byte("plain"))
	for _, n := range []int{0, 1, len(wrapped) / 2, len(wrapped) - 1} {
		wantDenied(t, w, wrapped[:n], key, seal.Context(installation), fmt.Sprintf("%d bytes of %d", n, len(wrapped)))
	}
	wantDenied(t, w, nil, key, seal.Context(installation), "nil")
}

func foreignKey(t *testing.T, w seal.Wrapper) {
	wrapped, key := wrap(t, w, []byte("plain"))
	foreign := "arn:aws:kms:eu-central-1:999999999999:key/99999999-9999-9999-9999-999999999999"
	for _, name := range []string{"", foreign, key + "0", key[:len(key)-1], "x" + key} {
		wantDenied(t, w, wrapped, name, seal.Context(installation), "key "+name)
	}
}

func ended(t *testing.T, w seal.Wrapper) {
	wrapped, key := wrap(t, w, []byte("plain"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, wrapErr := w.Wrap(ctx, []byte("plain"), seal.Context(installation))
	plain, unwrapErr := w.Unwrap(ctx, wrapped, key, seal.Context(installation))
	if plain != nil {
		t.Error("Unwrap returned a plaintext although the context has ended")
	}
	for op, err := range map[string]error{OpWrap: wrapErr, OpUnwrap: unwrapErr} {
		if !errors.Is(err, context.Canceled) || !errors.Is(err, seal.ErrUnavailable) || errors.Is(err, seal.ErrDenied) {
			t.Errorf("%s = %v, want ErrUnavailable and the context's error", op, err)
		}
	}
}

func concurrent(t *testing.T, w seal.Wrapper) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			plain, encctx := fmt.Appendf(nil, "plain %d", i), seal.Context(fmt.Sprint(i))
			before := maps.Clone(encctx)
			wrapped, key, err := w.Wrap(t.Context(), plain, encctx)
			if err != nil {
				t.Errorf("Wrap: %v", err)
				return
			}
			got, err := w.Unwrap(t.Context(), wrapped, key, encctx)
			if err != nil || !bytes.Equal(got, plain) || !maps.Equal(before, encctx) {
				t.Errorf("Unwrap = %q, %v in %v, want %q", got, err, encctx, plain)
			}
		})
	}
	all.Wait()
}
