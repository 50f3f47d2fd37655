// Package keyring caches the data keys of an installation in memory, and creates the first
// data key.
//
// One row of the table contains all data keys of an installation, wrapped (encrypted)
// with a KMS key. A [Keyring] reads the row, unwraps the data keys with KMS, and caches
// them for Config.TTL. If KMS or the table is unavailable, the Keyring uses the cached
// keys for up to one more hour. If KMS denies the request, the Keyring discards the
// cached keys at once. This package does not rotate keys.
package keyring

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

const (
	extraTTL   = time.Hour        // how long cached keys are used after their TTL if they cannot be fetched
	retryAfter = 10 * time.Second // the minimum time between two attempts after a failure
)

// Config connects a [Keyring] to its installation, its table and its KMS key.
type Config struct {
	// Store holds the keyring's row. Required.
	Store store.Store
	// Wrapper wraps and unwraps the keyring, with KMS or a local key. Required.
	Wrapper seal.Wrapper
	// Installation is the name of the installation. Every sealed field is bound to this
	// name. Required.
	Installation string
	// TTL is how long a Keyring caches the unwrapped keys. If TTL is 0, [Keyring.Ring]
	// reads the table each time.
	TTL time.Duration
	// Now returns the wall clock time. If Now is nil, New uses time.Now and removes the
	// monotonic clock reading.
	Now func() time.Time
	// Rand is the random source for new keys. Nil means crypto/rand.Reader.
	Rand io.Reader
	// Log receives warnings and the alarm kms_denied. Nil discards them.
	Log *slog.Logger
}

// Keyring caches the data keys of one installation, and is safe for concurrent use.
type Keyring struct {
	store        store.Store
	wrapper      seal.Wrapper
	installation string
	ttl          time.Duration
	now          func() time.Time
	rand         io.Reader
	log          *slog.Logger

	lock    chan struct{} // guards the fields below; a channel, so that a caller can stop waiting
	ring    *seal.Ring
	fetched time.Time
	reread  time.Time // when the table was last read because a key was unknown
	retry   time.Time // after a failure, the earliest time of the next attempt
}

// New returns a Keyring without making a request. The error names every missing or
// invalid field.
func New(c Config) (*Keyring, error) {
	var errs []error
	if c.Store == nil {
		errs = append(errs, errors.New("keyring: Store is missing"))
	}
	if c.Wrapper == nil {
		errs = append(errs, errors.New("keyring: Wrapper is missing"))
	}
	if c.Installation == "" {
		errs = append(errs, errors.New("keyring: Installation is missing"))
	}
	if c.TTL < 0 {
		errs = append(errs, errors.New("keyring: TTL is negative"))
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	k := &Keyring{
		store: c.Store, wrapper: c.Wrapper, installation: c.Installation, ttl: c.TTL,
		now: c.Now, rand: c.Rand, log: c.Log, lock: make(chan struct{}, 1),
	}
	if k.now == nil {
		k.now = func() time.Time { return time.Now().Round(0) }
	}
	if k.rand == nil {
		k.rand = rand.Reader
	}
	if k.log == nil {
		k.log = slog.New(slog.DiscardHandler)
	}
	return k, nil
}

// UnavailableError means that [Keyring.Open] could not find out whether a field can be
// decrypted. The ring does not contain the field's key, and Open did not read the keyring
// again, because the table or KMS failed less than ten seconds ago. RetryAfter is how
// long to wait before calling Open again. The error wraps [seal.ErrUnavailable].
type UnavailableError struct{ RetryAfter time.Duration }

// Error returns the error text, which is always the same.
func (*UnavailableError) Error() string {
	return "keyring: a key is unknown, and the keyring cannot be read now"
}

// Unwrap returns [seal.ErrUnavailable].
func (*UnavailableError) Unwrap() error { return seal.ErrUnavailable }

// Ring returns the data keys. If the cached keys are younger than the TTL, Ring returns
// them. If the cached keys are older, Ring reads the keyring from the table, unwraps it
// with KMS, and caches it. If the table has no keyring and this Keyring has never cached
// one, Ring creates the first keyring. If the table or KMS is unavailable, Ring returns
// the cached keys for one more hour after the TTL.
//
// The error wraps [seal.ErrDenied] if KMS denies the request. If the table or KMS is
// unavailable and no cached keys can be returned, the error wraps [store.ErrUnavailable]
// or [seal.ErrUnavailable]. If ctx ends while Ring waits until another caller has fetched
// the keyring, Ring returns the context's error.
func (k *Keyring) Ring(ctx context.Context) (*seal.Ring, error) {
	if err := k.enter(ctx); err != nil {
		return nil, err
	}
	defer k.leave()
	now := k.now()
	if k.ring != nil && k.ttl > 0 && now.Sub(k.fetched) < k.ttl {
		return k.ring, nil
	}
	if k.mayServe(now) && now.Before(k.retry) {
		return k.ring, nil
	}
	ring, err := k.refetch(ctx, now)
	if err != nil && k.mayServe(now) {
		k.log.WarnContext(ctx, "cached keyring used beyond its TTL", slog.Any("err", err))
		return k.ring, nil
	}
	return ring, err
}

// Open decrypts a sealed field with ring. If ring does not contain the field's key, Open
// reads the keyring again, because the key may be newer than ring. Open reads the keyring
// at most once every ten seconds.
//
// Open returns [seal.ErrOpen] if the field cannot be decrypted. Open can also return an
// [*UnavailableError] or one of the errors that [Keyring.Ring] returns.
func (k *Keyring) Open(ctx context.Context, ring *seal.Ring, l seal.Label, s secret.Sealed) (secret.String, error) {
	text, err := ring.Open(l, s)
	if !errors.Is(err, seal.ErrUnknownKey) {
		return text, err
	}
	if ring, err = k.newer(ctx); err != nil {
		return secret.String{}, err
	}
	return ring.Open(l, s)
}

// newer reads the keyring again, for a caller whose ring does not contain a field's key.
// newer reads the table at most once every ten seconds, because an attacker can forge key
// IDs. If newer successfully read the table less than ten seconds ago, it returns the
// cached ring. If the table cannot be read, newer returns an error and not the cached
// ring, because the table may contain a newer ring with the missing key.
func (k *Keyring) newer(ctx context.Context) (*seal.Ring, error) {
	if err := k.enter(ctx); err != nil {
		return nil, err
	}
	defer k.leave()
	now := k.now()
	switch {
	case k.ring != nil && now.Sub(k.reread) < retryAfter:
		return k.ring, nil
	case now.Before(k.retry):
		return nil, &UnavailableError{RetryAfter: k.retry.Sub(now)}
	}
	ring, err := k.refetch(ctx, now)
	if err == nil {
		k.reread = now
	}
	return ring, err
}

// enter locks k, or returns the context's error if the context ends first.
func (k *Keyring) enter(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case k.lock <- struct{}{}:
		return nil
	}
}

func (k *Keyring) leave() { <-k.lock }

// refetch replaces the cached ring with the ring in the table. If KMS denies the request,
// refetch discards the cached ring. After any other error, refetch sets k.retry to delay
// the next attempt.
func (k *Keyring) refetch(ctx context.Context, now time.Time) (*seal.Ring, error) {
	ring, err := k.fetch(ctx)
	switch {
	case err == nil:
		k.ring, k.fetched, k.retry = ring, now, time.Time{}
		return ring, nil
	case errors.Is(err, seal.ErrDenied):
		k.ring = nil
		k.log.LogAttrs(ctx, slog.LevelError, "alarm", slog.String("alarm", "kms_denied"), slog.Any("err", err))
		return nil, err
	}
	k.retry = now.Add(retryAfter)
	return nil, err
}

// mayServe reports whether the cached ring may be used if a newer ring cannot be fetched.
func (k *Keyring) mayServe(now time.Time) bool {
	return k.ring != nil && k.ttl > 0 && now.Sub(k.fetched) < k.ttl+extraTTL
}

// fetch reads the ring from the table. If the table has no ring and none is cached, fetch
// creates the first ring.
func (k *Keyring) fetch(ctx context.Context) (*seal.Ring, error) {
	rows, err := k.store.Read(ctx, store.KeyringKey)
	if err != nil {
		return nil, fmt.Errorf("reading the keyring: %w", err)
	}
	row, _ := rows[store.KeyringKey].(*store.Keyring)
	switch {
	case row != nil:
		return k.unwrap(ctx, row)
	case k.ring != nil:
		return nil, errors.New("reading the keyring: the row no longer exists")
	}
	return k.create(ctx)
}

func (k *Keyring) unwrap(ctx context.Context, row *store.Keyring) (*seal.Ring, error) {
	plain, err := k.wrapper.Unwrap(ctx, row.Wrapped, row.KMSKey, seal.Context(k.installation))
	if err != nil {
		return nil, fmt.Errorf("unwrapping the keyring: %w", err)
	}
	ring, err := seal.ParseRing(k.installation, plain)
	if err != nil {
		return nil, fmt.Errorf("decoding the keyring: %w", err)
	}
	return ring, nil
}

// create creates the installation's first keyring. If two processes create a keyring at
// the same time, the table rejects one of the two writes. The process whose write was
// rejected uses the keyring of the other process.
func (k *Keyring) create(ctx context.Context) (*seal.Ring, error) {
	ring, err := seal.NewRing(k.rand, k.installation, k.now())
	if err != nil {
		return nil, err
	}
	wrapped, name, err := k.wrapper.Wrap(ctx, ring.Bytes(), seal.Context(k.installation))
	if err != nil {
		return nil, fmt.Errorf("wrapping the first keyring: %w", err)
	}
	var writer [8]byte
	if _, err := io.ReadFull(k.rand, writer[:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	row := &store.Keyring{Wrapped: wrapped, KMSKey: name}
	err = k.store.Write(ctx, store.Put(row, store.Absent, hex.EncodeToString(writer[:])))
	var conflict *store.Conflict
	if errors.As(err, &conflict) {
		if there, ok := conflict.Rows[store.KeyringKey].(*store.Keyring); ok {
			return k.unwrap(ctx, there)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("saving the first keyring: %w", err)
	}
	k.log.WarnContext(ctx, "first keyring created, which is normal for a new deployment; if connections existed before, restore the table from a backup")
	return ring, nil
}
