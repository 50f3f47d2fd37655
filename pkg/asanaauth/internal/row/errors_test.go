package row_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

func TestErrorOf(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		kind asanaauth.ErrorKind
	}{
		"no error":          {nil, ""},
		"unavailable table": {store.ErrUnavailable, asanaauth.TryAgain},
		"conflict":          {&store.Conflict{}, asanaauth.TryAgain},
		"unavailable KMS":   {seal.ErrUnavailable, asanaauth.TryAgain},
		"denied by KMS":     {seal.ErrDenied, asanaauth.TryAgain},
		"deadline":          {context.DeadlineExceeded, asanaauth.TryAgain},
		"canceled":          {context.Canceled, asanaauth.TryAgain},
		"no keyring":        {&keyring.UnavailableError{}, asanaauth.TryAgain},
		"unknown format":    {store.ErrFormat, asanaauth.Internal},
		"does not open":     {seal.ErrOpen, asanaauth.Internal},
		"any other":         {errors.New("any other"), asanaauth.Internal},
		"a kind":            {&asanaauth.Error{Kind: asanaauth.NotFound}, asanaauth.NotFound},
		"a kind, wrapping another error": {
			&asanaauth.Error{Kind: asanaauth.Misconfigured, Err: store.ErrUnavailable}, asanaauth.Misconfigured,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.err
			if err != nil {
				err = fmt.Errorf("doing something: %w", err)
			}
			got := row.ErrorOf(err)
			if kind := asanaauth.KindOf(got); kind != c.kind {
				t.Errorf("got %q, want %q", kind, c.kind)
			}
			if !errors.Is(got, c.err) {
				t.Errorf("%v does not wrap %v", got, c.err)
			}
			var e *asanaauth.Error
			if errors.As(got, &e) && (e.RetryAfter >= time.Second) != (c.kind == asanaauth.TryAgain) {
				t.Errorf("%s with RetryAfter %v", e.Kind, e.RetryAfter)
			}
		})
	}
}

func TestErrorOfKeepsRetryAfter(t *testing.T) {
	var e *asanaauth.Error
	if !errors.As(row.ErrorOf(&keyring.UnavailableError{RetryAfter: 7 * time.Second}), &e) || e.RetryAfter != 7*time.Second {
		t.Errorf("got %+v, want 7s", e)
	}
	if got := row.TryAgain(time.Millisecond, nil).RetryAfter; got != time.Second {
		t.Errorf("RetryAfter = %v, want at least 1s", got)
	}
}

// The Detail of CodeExpired must be the same for every cause, so that a caller cannot
// find out whether a code exists.
func TestCodeExpiredHasOneSentence(t *testing.T) {
	var a, b *asanaauth.Error
	if !errors.As(row.CodeExpired(errors.New("unknown")), &a) || !errors.As(row.CodeExpired(errors.New("spent")), &b) {
		t.Fatal("got an error without a kind")
	}
	if a.Kind != asanaauth.LinkExpired || a.Detail == "" || a.Detail != b.Detail {
		t.Errorf("got %s %q and %q", a.Kind, a.Detail, b.Detail)
	}
}
