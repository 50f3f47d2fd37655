// Package clientsecret caches the client secrets of the Asana app in memory, and remembers
// which of them Asana accepts.
//
// During a rotation an app has two client secrets: the current one and the next one. A
// [Secrets] fetches both from a [Source] on first use and caches them for five minutes.
// If Asana rejects one client secret, the Secrets tries the other one. Call
// [Secrets.Ready] before a request to Asana, and make the request in the function that
// you pass to [Secrets.Try]. Package asana/secretsmanager implements Source. This package
// makes no request to Asana and does not rotate secrets.
package clientsecret

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	ttl          = 5 * time.Minute  // how long secrets are cached before they are fetched again
	refetchAfter = 30 * time.Second // the minimum age of secrets that are fetched again after a rejection
)

// Source fetches the client secrets from a service such as AWS Secrets Manager. A Source
// must be safe for concurrent use.
type Source interface {
	// ClientSecrets returns the current client secret, followed by the next one if the
	// app has two. ClientSecrets need not cache the secrets. An error must not contain a
	// secret.
	ClientSecrets(ctx context.Context) ([]secret.String, error)
}

// Config names the source of the [Secrets] and the clock that determines their age.
type Config struct {
	Source Source           // required
	Now    func() time.Time // returns the wall clock time; nil means time.Now without its monotonic reading
}

// Secrets caches the client secrets of one app, and is safe for concurrent use.
type Secrets struct {
	source Source
	now    func() time.Time

	mu      sync.Mutex
	known   []secret.String // the secret that Asana accepted most recently comes first
	fetched time.Time
}

// New returns a Secrets without fetching the client secrets. New returns an error if
// Source is missing.
func New(c Config) (*Secrets, error) {
	if c.Source == nil {
		return nil, errors.New("clientsecret: Source is missing")
	}
	if c.Now == nil {
		c.Now = func() time.Time { return time.Now().Round(0) }
	}
	return &Secrets{source: c.Source, now: c.Now}, nil
}

// Ready ensures that at least one secret is cached. Ready fetches the secrets if none are
// cached or if the cached secrets are at least five minutes old. If the fetch fails but
// secrets are cached, Ready keeps them and returns nil, because Asana may still accept
// them.
//
// If the fetch fails and no secret is cached, the error wraps the source's error.
func (s *Secrets) Ready(ctx context.Context) error {
	known, age := s.current()
	if len(known) > 0 && age < ttl {
		return nil
	}
	if err := s.fetch(ctx); err != nil && len(known) == 0 {
		return err
	}
	return nil
}

// ErrRejected means that Asana rejected every client secret, so an operator must correct
// the stored secret.
var ErrRejected = errors.New("clientsecret: Asana rejected every client secret")

// Try calls request with the client secret that Asana accepted most recently. rejected is
// a function that reports whether an error from request means that Asana rejected the
// client secret. After a rejection, Try calls request once with every other cached secret.
// If Asana rejects all of them and they are at least 30 seconds old, Try fetches the
// secrets again and calls request with each secret that it has not tried. Call
// [Secrets.Ready] before Try.
//
// If request returns an error that is not a rejection, Try returns that error. If Asana
// rejects every secret, the error wraps [ErrRejected] and the last rejection. If the
// fetch failed, the error also wraps the source's error.
func (s *Secrets) Try(ctx context.Context, rejected func(error) bool, request func(secret.String) error) error {
	var tried []secret.String
	var rejection error
	for mayFetch := true; ; {
		value, ok := s.untried(tried)
		switch {
		case ok:
			err := request(value)
			if !rejected(err) {
				s.prefer(value)
				return err
			}
			tried, rejection = append(tried, value), err
		case mayFetch:
			mayFetch = false
			if _, age := s.current(); age >= refetchAfter {
				if err := s.fetch(ctx); err != nil {
					rejection = errors.Join(rejection, err)
				}
			}
		default:
			return errors.Join(ErrRejected, rejection)
		}
	}
}

func (s *Secrets) current() ([]secret.String, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known, s.now().Sub(s.fetched)
}

// fetch replaces the cached secrets with the source's secrets. The secret that Asana
// accepted most recently stays first.
func (s *Secrets) fetch(ctx context.Context) error {
	values, err := s.source.ClientSecrets(ctx)
	if err != nil {
		return fmt.Errorf("fetching the client secret: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) > 0 {
		values = withFirst(values, s.known[0])
	}
	s.known, s.fetched = values, s.now()
	return nil
}

func (s *Secrets) untried(tried []secret.String) (secret.String, bool) {
	known, _ := s.current()
	for _, v := range known {
		if !slices.ContainsFunc(tried, v.Equal) {
			return v, true
		}
	}
	return secret.String{}, false
}

// prefer moves value to the front of the cached secrets.
func (s *Secrets) prefer(value secret.String) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = withFirst(s.known, value)
}

// withFirst returns a copy of values. If values contains first, first is the first
// element of the copy.
func withFirst(values []secret.String, first secret.String) []secret.String {
	ordered := make([]secret.String, 0, len(values))
	for _, v := range values {
		if v.Equal(first) {
			ordered = append([]secret.String{v}, ordered...)
		} else {
			ordered = append(ordered, v)
		}
	}
	return ordered
}
