// Package keyring keeps the unwrapped data keys of an installation in memory, and creates
// the first one.
//
// The table has one row with all data keys, wrapped together by a KMS key. A [Keyring] reads
// that row, asks KMS to unwrap it, and keeps the result for Config.TTL. If KMS or the table
// is unavailable, it uses the kept keys for up to an hour longer. If KMS denies the request,
// it drops the kept keys at once.
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
	extraTTL   = time.Hour        // how long kept keys are used beyond their TTL after a failure
	retryAfter = 10 * time.Second // the least time between two attempts after a failure
)

// Config configures a [Keyring].
type Config struct {
	Store        store.Store      // has the keyring's row; required
	Wrapper      seal.Wrapper     // wraps and unwraps the keyring: KMS, or a local key; required
	Installation string           // its name, to which every sealed field is bound; required
	TTL          time.Duration    // how long an unwrapped keyring is kept; 0 unwraps at each use
	Now          func() time.Time // the wall clock; nil: time.Now
	Rand         io.Reader        // nil: crypto/rand.Reader
	Log          *slog.Logger     // nil: nothing is logged
}

// Keyring returns the data keys of one installation. It is safe for concurrent use.
type Keyring struct {
	store        store.Store
	wrapper      seal.Wrapper
	installation string
	ttl          time.Duration
	now          func() time.Time
	rand         io.Reader
	log          *slog.Logger

	lock    chan struct{} // a mutex that a context can stop waiting for; guards what follows
	ring    *seal.Ring
	fetched time.Time
	reread  time.Time // when the table was last read because a key was unknown
	retry   time.Time // after a failure: when table and KMS may be asked again
}

// New returns a Keyring. It fetches nothing before the first use. The error reports every
// missing field.
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

// UnavailableError reports that the keyring is unavailable because the table or KMS could
// not be reached. RetryAfter is how long neither is asked again. It wraps
// [seal.ErrUnavailable].
type UnavailableError struct{ RetryAfter time.Duration }

// Error implements error.
func (*UnavailableError) Error() string {
	return "keyring: a key is unknown, and KMS cannot be reached"
}

// Unwrap returns [seal.ErrUnavailable].
func (*UnavailableError) Unwrap() error { return seal.ErrUnavailable }

// Ring returns the data keys: the kept ones if they are younger than the TTL, otherwise
// those of the table. If the table has none, Ring creates the first one. If the table or
// KMS is unavailable, it returns the kept ones for up to an hour longer.
//
// Errors: those of the store and of the wrapper, or the context's.
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
		k.log.WarnContext(ctx, "keyring kept beyond its time", slog.Any("err", err))
		return k.ring, nil
	}
	return ring, err
}

// Open opens a sealed field. If ring does not have the field's key, Open reads the table
// again, because the key may be newer than ring.
//
// Errors: [seal.ErrOpen] if the field does not open, and those of [Keyring.Ring].
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

// newer returns a ring that may have a key that the caller's ring does not have. It reads
// the table at most every ten seconds, so that forged key ids cannot cause more reads.
// After a failure it returns an error and not the kept ring, because the kept ring cannot
// show that a key does not exist.
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

func (k *Keyring) enter(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case k.lock <- struct{}{}:
		return nil
	}
}

func (k *Keyring) leave() { <-k.lock }

// refetch replaces the kept ring with the table's. If KMS denies the request, it drops the
// kept ring. After any other error, also of the table, it sets retry.
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

// mayServe reports whether the kept ring may be used although it may be older than the TTL.
func (k *Keyring) mayServe(now time.Time) bool {
	return k.ring != nil && k.ttl > 0 && now.Sub(k.fetched) < k.ttl+extraTTL
}

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
		return nil, errors.New("the keyring's row is gone")
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
		return nil, fmt.Errorf("reading the keyring: %w", err)
	}
	return ring, nil
}

// create creates the installation's first key. If two processes do so at once, the one
// whose write fails uses the other's keyring.
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
		return nil, fmt.Errorf("drawing randomness: %w", err)
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
	k.log.WarnContext(ctx, "first keyring made: fields that were sealed before, if any, no longer open")
	return ring, nil
}
