package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"crypto/rand"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// KeysConfig says where the data keys come from.
type KeysConfig struct {
	Store        store.Store   // has the keyring's row
	Wrapper      seal.Wrapper  // opens it: KMS, or a local key
	Installation string        // goes into every seal; required
	TTL          time.Duration // an unwrapped keyring is kept; 0 unwraps every time
	Clock        Clock         // nil: SystemClock
	Rand         io.Reader     // nil: crypto/rand.Reader
	Log          *slog.Logger  // nil: nothing is logged
}

// Keys keeps the unwrapped keyring of an installation, and makes the first
// one. Safe for concurrent use.
type Keys struct {
	parts        Parts
	wrapper      seal.Wrapper
	installation string
	ttl          time.Duration

	fetching chan struct{} // holds the one permission to fetch, and what follows
	ring     *seal.Ring
	fetched  time.Time // by the wall clock
	reread   time.Time // last, for a key that was not known
	retry    time.Time // KMS is away, and is not asked before this
}

// NewKeys returns the keys of c. Nothing is fetched yet.
func NewKeys(c KeysConfig) *Keys {
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	p := Parts{Store: c.Store, Clock: c.Clock, Rand: c.Rand, Log: c.Log}.withDefaults()
	k := &Keys{parts: p, wrapper: c.Wrapper, installation: c.Installation, ttl: c.TTL, fetching: make(chan struct{}, 1)}
	k.fetching <- struct{}{}
	return k
}

// Ring returns the keyring: the kept one while it is young, else the table's,
// unwrapped. Where KMS is unreachable a kept one serves up to an hour longer;
// where KMS refuses, it is dropped at once. Fails with TryAgain.
func (k *Keys) Ring(ctx context.Context) (*seal.Ring, error) {
	if err := k.enter(ctx); err != nil {
		return nil, err
	}
	defer k.leave()
	now := k.parts.now()
	if k.ring != nil && k.ttl > 0 && now.Sub(k.fetched) < k.ttl {
		return k.ring, nil
	}
	if k.mayServe(now) && now.Before(k.retry) {
		return k.ring, nil
	}
	ring, err := k.refetch(ctx, now)
	if err != nil && k.mayServe(now) {
		k.parts.Log.WarnContext(ctx, "keyring kept beyond its time", slog.Any("err", err))
		return k.ring, nil
	}
	return ring, err
}

// newer returns a ring that may have a key which the caller's has not: whoever
// invents key ids has the table's ring read every ten seconds at most. No kept
// one serves here: while KMS is away nobody can say that a key does not exist.
func (k *Keys) newer(ctx context.Context) (*seal.Ring, error) {
	if err := k.enter(ctx); err != nil {
		return nil, err
	}
	defer k.leave()
	now := k.parts.now()
	switch {
	case k.ring != nil && now.Sub(k.reread) < keysRetry:
		return k.ring, nil
	case now.Before(k.retry):
		return nil, tryAgain(k.retry.Sub(now), errors.New("a key is not known, and the keyring cannot be read"))
	}
	ring, err := k.refetch(ctx, now)
	if err == nil {
		k.reread = now
	}
	return ring, err
}

func (k *Keys) enter(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return tryAgain(0, ctx.Err())
	case <-k.fetching:
		return nil
	}
}

func (k *Keys) leave() { k.fetching <- struct{}{} }

// refetch keeps the table's ring in place of the one that is kept, which it
// drops where KMS refuses.
func (k *Keys) refetch(ctx context.Context, now time.Time) (*seal.Ring, error) {
	ring, err := k.fetch(ctx)
	switch {
	case err == nil:
		k.ring, k.fetched, k.retry = ring, now, time.Time{}
		return ring, nil
	case errors.Is(err, seal.ErrDenied):
		k.ring = nil
		k.parts.alarm(ctx, alarmKMSDenied, "", err)
		return nil, tryAgain(0, err)
	}
	k.retry = now.Add(keysRetry)
	return nil, fromParts(err)
}

// mayServe reports whether the kept ring may serve although it is old.
func (k *Keys) mayServe(now time.Time) bool {
	return k.ring != nil && k.ttl > 0 && now.Sub(k.fetched) < k.ttl+keysBeyondTTL
}

func (k *Keys) fetch(ctx context.Context) (*seal.Ring, error) {
	row, err := k.row(ctx)
	if err != nil {
		return nil, err
	}
	if row == nil && k.ring != nil {
		return nil, errors.New("the keyring's row is gone")
	}
	if row == nil {
		return k.create(ctx)
	}
	return k.unwrap(ctx, row)
}

func (k *Keys) row(ctx context.Context) (*store.Keyring, error) {
	rows, err := k.parts.Store.Read(ctx, store.KeyringKey)
	if err != nil {
		return nil, fmt.Errorf("reading the keyring: %w", err)
	}
	row, _ := rows[store.KeyringKey].(*store.Keyring)
	return row, nil
}

func (k *Keys) unwrap(ctx context.Context, row *store.Keyring) (*seal.Ring, error) {
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

// create makes the installation's first key. Two that do so at once end with
// one: the loser of the write takes the winner's.
func (k *Keys) create(ctx context.Context) (*seal.Ring, error) {
	now := k.parts.now()
	ring, err := seal.NewRing(k.parts.Rand, k.installation, now)
	if err != nil {
		return nil, err
	}
	wrapped, name, err := k.wrapper.Wrap(ctx, ring.Bytes(), seal.Context(k.installation))
	if err != nil {
		return nil, fmt.Errorf("wrapping the first keyring: %w", err)
	}
	writer, err := k.parts.drawName()
	if err != nil {
		return nil, err
	}
	row := &store.Keyring{Wrapped: wrapped, KMSKey: name, Created: now}
	err = k.parts.Store.Write(ctx, store.Put(row, store.Absent, writer))
	var conflict *store.Conflict
	if errors.As(err, &conflict) {
		if there, ok := conflict.Rows[store.KeyringKey].(*store.Keyring); ok {
			return k.unwrap(ctx, there)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("saving the first keyring: %w", err)
	}
	k.parts.Log.WarnContext(ctx, "first keyring made: what was sealed before, if anything was, opens no more")
	return ring, nil
}

// open opens a sealed field. A key that the ring does not have may be younger
// than the ring, which is then read again.
func (k *Keys) open(ctx context.Context, ring *seal.Ring, l seal.Label, s secret.Sealed) (secret.String, error) {
	text, err := ring.Open(l, s)
	if !errors.Is(err, seal.ErrUnknownKey) {
		return text, err
	}
	if ring, err = k.newer(ctx); err != nil {
		return secret.String{}, err
	}
	return ring.Open(l, s)
}
