package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// SecretSource gives the client secrets of the Asana app: the current one, and
// the next one where one is about to replace it.
type SecretSource interface {
	ClientSecrets(ctx context.Context) ([]secret.String, error)
}

// Secrets keeps the client secrets for five minutes and knows which of them
// Asana takes. Safe for concurrent use.
type Secrets struct {
	source SecretSource
	clock  Clock

	mu      sync.Mutex
	known   []secret.String // the one that worked last comes first
	fetched time.Time
}

// NewSecrets returns the secrets of a source. Nothing is fetched yet. A nil
// clock is the machine's.
func NewSecrets(source SecretSource, clock Clock) *Secrets {
	if clock == nil {
		clock = SystemClock{}
	}
	return &Secrets{source: source, clock: clock}
}

// Ready has the secrets at hand, or fails with TryAgain. A source that is away
// costs nothing while an older value is known: Asana is the judge of it.
func (s *Secrets) Ready(ctx context.Context) error {
	known, age := s.current()
	if len(known) > 0 && age < secretTTL {
		return nil
	}
	if err := s.fetch(ctx); err != nil && len(known) == 0 {
		return tryAgain(0, err)
	}
	return nil
}

func (s *Secrets) current() ([]secret.String, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known, s.clock.Now().Sub(s.fetched)
}

func (s *Secrets) fetch(ctx context.Context) error {
	values, err := s.source.ClientSecrets(ctx)
	if err != nil {
		return fmt.Errorf("fetching the client secret: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) > 0 {
		values = preferring(values, s.known[0])
	}
	s.known, s.fetched = values, s.clock.Now()
	return nil
}

func (s *Secrets) worked(value secret.String) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = preferring(s.known, value)
}

// preferring returns values with the one that equals first in front.
func preferring(values []secret.String, first secret.String) []secret.String {
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

// errSecretRejected says that Asana took none of our client secrets.
var errSecretRejected = errors.New("asana takes none of the client secrets")

// send calls request with the client secret, and once more with each other one
// where Asana refuses the client. Ready has been called.
func (s *Secrets) send(ctx context.Context, request func(secret.String) error) error {
	var tried []secret.String
	next := func() (secret.String, bool) {
		known, _ := s.current()
		for _, v := range known {
			if !contains(tried, v) {
				return v, true
			}
		}
		return secret.String{}, false
	}
	var refusal error
	for again := true; ; {
		value, ok := next()
		if !ok && again {
			again = false
			if _, age := s.current(); age >= secretAgain {
				if err := s.fetch(ctx); err != nil {
					refusal = errors.Join(refusal, err)
				}
			}
			continue
		}
		if !ok {
			return errors.Join(errSecretRejected, refusal)
		}
		err := request(value)
		if !clientRefused(err) {
			s.worked(value)
			return err
		}
		tried, refusal = append(tried, value), err
	}
}

func contains(values []secret.String, v secret.String) bool {
	for _, w := range values {
		if w.Equal(v) {
			return true
		}
	}
	return false
}

// clientRefused tells the operator's fault from the customer's.
func clientRefused(err error) bool {
	var e *asana.Error
	return errors.As(err, &e) && (e.Code == asana.InvalidClient || e.Code == asana.UnauthorizedClient)
}
