package clientsecret_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// app simulates an Asana app and the source of its client secrets.
type app struct {
	t       *testing.T
	source  *authtest.SecretsManager
	secrets *clientsecret.Secrets
	now     time.Time
	accepts string   // the only client secret that Asana accepts
	tried   []string // the client secrets that the last call of try used
}

// newApp returns an app whose source returns values as its client secrets. Asana accepts
// only the first of them.
func newApp(t *testing.T, values ...string) *app {
	t.Helper()
	a := &app{t: t, source: &authtest.SecretsManager{}, now: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), accepts: values[0]}
	a.source.Set(nil, values...)
	var err error
	if a.secrets, err = clientsecret.New(clientsecret.Config{Source: a.source, Now: func() time.Time { return a.now }}); err != nil {
		t.Fatal(err)
	}
	return a
}

var (
	errSource  = errors.New("the source is unavailable")
	errInvalid = errors.New("invalid_client")
)

func isInvalid(err error) bool { return errors.Is(err, errInvalid) }

func (a *app) ready() {
	a.t.Helper()
	if err := a.secrets.Ready(a.t.Context()); err != nil {
		a.t.Fatalf("Ready() = %v", err)
	}
}

func (a *app) try() error {
	a.tried = nil
	return a.secrets.Try(a.t.Context(), isInvalid, func(s secret.String) error {
		a.tried = append(a.tried, s.Reveal())
		if s.Reveal() != a.accepts {
			return errInvalid
		}
		return nil
	})
}

// wantTry fails the test unless Try uses these secrets in this order and succeeds with the
// last one.
func (a *app) wantTry(secrets ...string) {
	a.t.Helper()
	if err := a.try(); err != nil || !slices.Equal(a.tried, secrets) {
		a.t.Errorf("Try() = %v after %q, want no error after %q", err, a.tried, secrets)
	}
}

// wantRejected fails the test unless Try uses these secrets in this order and all of them
// are rejected.
func (a *app) wantRejected(secrets ...string) {
	a.t.Helper()
	err := a.try()
	if !errors.Is(err, clientsecret.ErrRejected) || !errors.Is(err, errInvalid) || !slices.Equal(a.tried, secrets) {
		a.t.Errorf("Try() = %v after %q, want a rejection after %q", err, a.tried, secrets)
	}
}

func (a *app) wantFetches(n int) {
	a.t.Helper()
	authtest.WantCount(a.t, "fetches", a.source.Calls(), n)
}

func TestNewNeedsASource(t *testing.T) {
	t.Parallel()
	s, err := clientsecret.New(clientsecret.Config{})
	if s != nil || err == nil || !strings.Contains(err.Error(), "Source is missing") {
		t.Errorf("New() = %v, %v, want the error that Source is missing", s, err)
	}
}

func TestNewFetchesNothing(t *testing.T) {
	t.Parallel()
	newApp(t, "current").wantFetches(0)
}

func TestSecretsAreCachedForFiveMinutes(t *testing.T) {
	t.Parallel()
	a := newApp(t, "current")
	a.ready()
	a.wantTry("current")
	a.now = a.now.Add(5*time.Minute - time.Nanosecond)
	a.ready()
	a.wantFetches(1)
	a.now = a.now.Add(time.Nanosecond)
	a.ready()
	a.ready()
	a.wantFetches(2)
}

// If Config.Now is nil, the system clock determines when the cached secrets expire.
func TestSecretsExpireByTheSystemClock(t *testing.T) {
	t.Parallel()
	authtest.Bubble(t, func(t *testing.T) {
		source := &authtest.SecretsManager{}
		source.Set(nil, "current")
		s, err := clientsecret.New(clientsecret.Config{Source: source})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		authtest.WantCount(t, "fetches", source.Calls(), 1)
		time.Sleep(5 * time.Minute)
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		authtest.WantCount(t, "fetches after five minutes", source.Calls(), 2)
	})
}

func TestReadyWithoutCachedSecrets(t *testing.T) {
	t.Parallel()
	a := newApp(t, "current")
	a.source.Set(errSource)
	if err := a.secrets.Ready(t.Context()); !errors.Is(err, errSource) {
		t.Errorf("Ready() = %v, want the source's error", err)
	}
	a.source.Set(nil, "current")
	a.ready()
	a.wantTry("current")
}

func TestCachedSecretIsUsedWhileTheSourceIsUnavailable(t *testing.T) {
	t.Parallel()
	a := newApp(t, "current")
	a.ready()
	a.source.Set(errSource)
	a.now = a.now.Add(time.Hour)
	a.ready()
	a.wantTry("current")
	a.wantFetches(2)
}

func TestTheContextReachesTheSource(t *testing.T) {
	t.Parallel()
	s, err := clientsecret.New(clientsecret.Config{Source: contextSource{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Ready(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Ready() = %v, want the context's error", err)
	}
}

type contextSource struct{}

func (contextSource) ClientSecrets(ctx context.Context) ([]secret.String, error) {
	return nil, ctx.Err()
}

// Try must begin with the secret that Asana accepted most recently, even after Ready
// fetched the secrets again.
func TestAcceptedSecretIsTriedFirst(t *testing.T) {
	t.Parallel()
	a := newApp(t, "current", "next")
	a.ready()
	a.wantTry("current")
	a.accepts = "next"
	a.wantTry("current", "next")
	a.wantTry("next")
	a.now = a.now.Add(5 * time.Minute)
	a.ready()
	a.wantTry("next")
	a.wantFetches(2)
}

func TestRejectionFetchesTheSecretsAgain(t *testing.T) {
	t.Parallel()
	a := newApp(t, "current")
	a.ready()
	a.accepts = "new"
	a.source.Set(nil, "new")
	a.now = a.now.Add(30*time.Second - time.Nanosecond)
	a.wantRejected("current") // the secrets are younger than 30 seconds
	a.wantFetches(1)
	a.now = a.now.Add(time.Nanosecond)
	a.wantTry("current", "new")
	a.wantTry("new")
	a.wantFetches(2)
}

// Try must use each secret only once, even if it fetches the same secret again.
func TestEverySecretIsRejected(t *testing.T) {
	t.Parallel()
	a := newApp(t, "current", "next")
	a.ready()
	a.accepts = ""
	a.now = a.now.Add(time.Minute)
	a.wantRejected("current", "next")
	a.wantRejected("current", "next")
	a.wantFetches(2)
	a.now = a.now.Add(30 * time.Second)
	a.source.Set(nil, "next", "another")
	a.wantRejected("current", "next", "another")
	a.wantFetches(3)
}

func TestARejectionWhileTheSourceIsUnavailable(t *testing.T) {
	t.Parallel()
	a := newApp(t, "current")
	a.ready()
	a.accepts = ""
	a.source.Set(errSource)
	a.now = a.now.Add(time.Minute)
	err := a.try()
	for _, want := range []error{clientsecret.ErrRejected, errInvalid, errSource} {
		if !errors.Is(err, want) {
			t.Errorf("Try() = %v, want an error that wraps %v", err, want)
		}
	}
	// The failed fetch did not change the age of the cached secrets, which is more than
	// 30 seconds, so the next call fetches again.
	a.accepts = "new"
	a.source.Set(nil, "new")
	a.wantTry("current", "new")
}

// If an error is not a rejection, Try returns it unchanged and tries no other secret.
func TestErrorThatIsNotARejection(t *testing.T) {
	t.Parallel()
	a := newApp(t, "current", "next")
	a.ready()
	other, calls := errors.New("Asana is unavailable"), 0
	err := a.secrets.Try(t.Context(), isInvalid, func(secret.String) error { calls++; return other })
	if err != other {
		t.Errorf("Try() = %v, want %v", err, other)
	}
	authtest.WantCount(t, "requests", calls, 1)
	a.wantFetches(1)
}
