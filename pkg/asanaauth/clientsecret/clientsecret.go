// Package clientsecret keeps the client secrets of the Asana app in memory, and remembers
// which of them Asana accepts.
//
// During a rotation there are two: the current one and the next one. A [Secrets] fetches
// them on first use, keeps them for five minutes, and tries the other one if Asana rejects
// the first.
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
	ttl          = 5 * time.Minute  // how long secrets are kept before they are fetched again
	refetchAfter = 30 * time.Second // the least age at which a rejection causes a fetch
)

// Source returns the client secrets of the Asana app: the current one and, if it exists,
// the next one. It must be safe for concurrent use.
type Source interface {
	ClientSecrets(ctx context.Context) ([]secret.String, error)
}

// Config configures [Secrets].
type Config struct {
	Source Source           // required
	Now    func() time.Time // the wall clock; nil: time.Now
}

// Secrets keeps client secrets. It is safe for concurrent use.
type Secrets struct {
	source Source
	now    func() time.Time

	mu      sync.Mutex
	known   []secret.String // the one that Asana accepted last comes first
	fetched time.Time
}

// New returns Secrets. It fetches nothing before the first use. It returns an error if
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

// Ready makes sure that at least one secret is in memory. It fetches the secrets if they
// are older than five minutes. If the source is unavailable, older secrets are kept: Asana
// decides whether they are still valid.
//
// Errors: the source's, if no secret is in memory.
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

// ErrRejected reports that Asana rejected every client secret.
var ErrRejected = errors.New("asana rejects every client secret")

// Try calls request with the client secret that Asana accepted last. rejected reports
// whether an error of request means that Asana rejected the client. If it does, Try calls
// request with each other secret, once each. If Asana rejects them all, Try fetches the
// secrets again, unless they are younger than 30 seconds, and tries the new ones. Call
// Ready first.
//
// Errors: that of request, or one that wraps [ErrRejected] and the last rejection.
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

// prefer moves a value that Asana did not reject to the front.
func (s *Secrets) prefer(value secret.String) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = withFirst(s.known, value)
}

// withFirst returns values, with the value that equals first in front.
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
