// Package kmskeyring constructs the keyring for functions that encrypt or decrypt stored
// tokens. The keyring is stored in the table, encrypted with a key in AWS KMS. A function
// that may create the keyring uses [Maker]. A function that may only decrypt the keyring
// uses [Opener].
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

// A process caches the keyring for five minutes by default, and for an hour at most. If
// you revoke a function's access to the KMS key, its processes can still decrypt until
// their cached keyrings expire.
const (
	defaultTTL = 5 * time.Minute
	maxTTL     = time.Hour
)

// Maker returns the installation's keyring. If the table does not contain the keyring
// yet, the first use of the result creates the keyring. Maker reads the variables
// KMS_KEY_ID, KEY_CACHE_TTL, INSTALLATION and TABLE_NAME.
func Maker(r *env.Reader, cfg aws.Config, s store.Store, log *slog.Logger) *keyring.Keyring {
	return keys(r, s, log, wrapper(r, cfg))
}

// Opener is like [Maker], but never creates the keyring. If the table does not contain
// the keyring yet, [keyring.Keyring.Ring] returns an error that wraps
// [seal.ErrUnavailable].
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

// unwrapper can decrypt a keyring but not create one.
type unwrapper struct{ seal.Wrapper }

var errNoKeyring = fmt.Errorf("%w: the keyring does not exist yet, and this function cannot create it", seal.ErrUnavailable)

// Wrap returns an error that wraps [seal.ErrUnavailable] and not [seal.ErrDenied], which
// would raise an alarm. A new installation has no keyring until the function callback or
// connections has started, so no alarm is needed.
func (unwrapper) Wrap(context.Context, []byte, map[string]string) ([]byte, string, error) {
	return nil, "", errNoKeyring
}

// Warm returns a function for boot.Warm that reads and decrypts the keyring. The function
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
