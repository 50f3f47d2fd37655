// Package kmskeyring makes the keyring for functions that seal or open fields. The keyring is
// stored in the table, wrapped by AWS KMS.
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

// The keyring is cached for five minutes by default, and an hour at most. After access to
// the KMS key is removed, sealed fields can still be opened for that long.
const (
	defaultTTL = 5 * time.Minute
	maxTTL     = time.Hour
)

// Maker returns a keyring for a function that may create the installation's first keyring.
// It reads KMS_KEY_ID, KEY_CACHE_TTL, INSTALLATION and TABLE_NAME.
func Maker(r *env.Reader, cfg aws.Config, s store.Store, log *slog.Logger) *keyring.Keyring {
	return keys(r, s, log, wrapper(r, cfg))
}

// Opener is like Maker, for a function that must not create a keyring: it has no permission
// to write one. Before the first keyring exists, there is nothing to open.
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

var errNoKeyring = fmt.Errorf("%w: there is no keyring yet, and this function makes none", seal.ErrUnavailable)

// Wrap implements [seal.Wrapper]. It returns an error that wraps [seal.ErrUnavailable] and
// not [seal.ErrDenied], which would raise an alarm: the callback function has not run yet,
// and will create a keyring.
func (unwrapper) Wrap(context.Context, []byte, map[string]string) ([]byte, string, error) {
	return nil, "", errNoKeyring
}

// Warm returns a function for boot.Warm that reads the keyring's row and unwraps it. The
// function returns no error if the keyring does not exist yet.
func Warm(k *keyring.Keyring) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := k.Ring(ctx)
		if errors.Is(err, errNoKeyring) {
			return nil
		}
		return err
	}
}
