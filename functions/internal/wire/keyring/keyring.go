// Package keyring makes the keys of the functions that seal or open rows: the
// keyring in the table, wrapped by AWS KMS.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/kms"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// A keyring is kept for five minutes unless told otherwise, and an hour at most:
// that is how long a key that was taken away still opens.
const (
	defaultTTL = 5 * time.Minute
	maxTTL     = time.Hour
)

// Maker reads KMS_KEY_ID, KEY_CACHE_TTL and INSTALLATION, for the function that
// makes the installation's first keyring where there is none.
func Maker(r *env.Reader, cfg aws.Config, s store.Store, log *slog.Logger) *asanaauth.Keys {
	return keys(r, s, log, wrapper(r, cfg))
}

// Opener is Maker for all other functions: they have nothing to seal or to open
// before there is a keyring, and no permission to put one into its place.
func Opener(r *env.Reader, cfg aws.Config, s store.Store, log *slog.Logger) *asanaauth.Keys {
	return keys(r, s, log, unwrapper{wrapper(r, cfg)})
}

func wrapper(r *env.Reader, cfg aws.Config) seal.Wrapper {
	return kms.New(awskms.NewFromConfig(cfg), r.KMSKeyIDs("KMS_KEY_ID")...)
}

func keys(r *env.Reader, s store.Store, log *slog.Logger, w seal.Wrapper) *asanaauth.Keys {
	installation := r.Optional("INSTALLATION", "")
	if installation == "" {
		installation = r.Optional("TABLE_NAME", "")
	}
	return asanaauth.NewKeys(asanaauth.KeysConfig{
		Store:        s,
		Wrapper:      w,
		Installation: installation,
		TTL:          r.Duration("KEY_CACHE_TTL", defaultTTL, 0, maxTTL),
		Log:          log,
	})
}

// unwrapper wraps nothing.
type unwrapper struct{ seal.Wrapper }

var errNoKeyring = fmt.Errorf("%w: there is no keyring yet, and this function makes none", seal.ErrUnavailable)

// Wrap implements [seal.Wrapper]. It is no denial, which would be an alarm: the
// callback has not yet run, and will make a keyring.
func (unwrapper) Wrap(context.Context, []byte, map[string]string) ([]byte, string, error) {
	return nil, "", errNoKeyring
}

// Warm returns a function for warm-up that reads the keyring's row and unwraps
// it. That there is none yet is nothing to report.
func Warm(k *asanaauth.Keys) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := k.Ring(ctx)
		if errors.Is(err, errNoKeyring) {
			return nil
		}
		return err
	}
}
