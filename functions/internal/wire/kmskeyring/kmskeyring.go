// Package kmskeyring constructs the keyring for functions that encrypt or decrypt sealed
// fields. The keyring is stored in the table, wrapped by AWS KMS. A function that may create
// a keyring uses [Maker], any other function uses [Opener].
package kmskeyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/kms"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// A process caches the keyring for five minutes by default, and for an hour at most. A
// process that loses access to the KMS key can decrypt sealed fields until its cache
// expires.
const (
	defaultTTL = 5 * time.Minute
	maxTTL     = time.Hour
)

// Maker returns the keyring for a function that may create it if it does not exist yet. It
// reads KMS_KEY_ID, KEY_CACHE_TTL, INSTALLATION and TABLE_NAME.
func Maker(r *env.Reader, cfg aws.Config, s store.Store, log *slog.Logger) *keyring.Keyring {
	return keys(r, s, log, wrapper(r, cfg))
}

// Opener is like Maker, for a function that has no permission to create a keyring. The Ring
// method of its result returns an error that wraps [seal.ErrUnavailable] if the keyring does
// not exist yet.
func Opener(r *env.Reader, cfg aws.Config, s store.Store, log *slog.Logger) *keyring.Keyring {
	return keys(r, s, log, unwrapper{wrapper(r, cfg)})
}

func wrapper(r *env.Reader, cfg aws.Config) *kms.Key {
	key, err := kms.New(kms.Config{Client: awskms.NewFromConfig(cfg), KeyIDs: r.KMSKeyIDs("KMS_KEY_ID")})
	if err != nil && r.Err() == nil {
		r.AddError("KMS_KEY_ID", err.Error())
	}
	return key
}

func keys(r *env.Reader, s store.Store, log *slog.Logger, w seal.Wrapper) *keyring.Keyring {
	installation := r.Optional("INSTALLATION", "")
	if installation == "" {
		installation = r.Optional("TABLE_NAME", "")
	}
	k, err := keyring.New(keyring.Config{
		Store:        s,
		Wrapper:      w,
		Installation: installation,
		TTL:          r.Duration("KEY_CACHE_TTL", defaultTTL, 0, maxTTL),
		Log:          log,
	})
	if err != nil && r.Err() == nil {
		r.AddError("KMS_KEY_ID", err.Error())
	}
	return k
}

// unwrapper is a seal.Wrapper that cannot wrap.
type unwrapper struct{ seal.Wrapper }

var errNoKeyring = fmt.Errorf("%w: the keyring does not exist yet, and this function cannot create it", seal.ErrUnavailable)

// Wrap implements [seal.Wrapper]. Its error wraps [seal.ErrUnavailable]. An error that wraps
// [seal.ErrDenied] would raise an alarm, although nothing is wrong: the first sign-in or
// import will create the keyring.
func (unwrapper) Wrap(context.Context, []byte, map[string]string) ([]byte, string, error) {
	return nil, "", errNoKeyring
}

// Warm returns a function for boot.Warm that reads the keyring and unwraps it. The function
// returns nil if the keyring does not exist yet.
func Warm(k *keyring.Keyring) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := k.Ring(ctx)
		if errors.Is(err, errNoKeyring) {
			return nil
		}
		return err
	}
}
