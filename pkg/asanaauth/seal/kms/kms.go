// Package kms wraps a keyring with keys of AWS KMS.
//
// What decides is which keys are configured, never what a row says: every
// Decrypt names a configured key, so a keyring that somebody wrapped under a
// key of their own, in whatever account, does not open.
package kms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
)

// client is what is used of a *kms.Client.
type client interface {
	Encrypt(context.Context, *awskms.EncryptInput, ...func(*awskms.Options)) (*awskms.EncryptOutput, error)
	Decrypt(context.Context, *awskms.DecryptInput, ...func(*awskms.Options)) (*awskms.DecryptOutput, error)
}

// Key is a [seal.Wrapper] with symmetric keys of AWS KMS. Each operation is
// one call, with the retries and the time limits of the client. Its errors
// tell what KMS said, and nothing of what an answer held.
type Key struct {
	client client
	ids    []string
}

// Config configures a [Key].
type Config struct {
	// Client is a *kms.Client. Required.
	Client client
	// KeyIDs are key ids or key ARNs: the first wraps, all of them unwrap. Required.
	KeyIDs []string
}

// New returns a Key. The error reports every mistake.
func New(c Config) (*Key, error) {
	var errs []error
	if c.Client == nil {
		errs = append(errs, errors.New("kms: Client is missing"))
	}
	if len(c.KeyIDs) == 0 {
		errs = append(errs, errors.New("kms: KeyIDs is missing"))
	}
	for i, id := range c.KeyIDs {
		if !ValidKeyID(id) {
			errs = append(errs, fmt.Errorf("kms: KeyIDs[%d] is neither a key id nor a key ARN", i))
		}
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return &Key{c.Client, slices.Clone(c.KeyIDs)}, nil
}

// ValidKeyID reports whether id can be a key id or a key ARN, as KMS calls
// them (https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html).
// Aliases are none: whoever may move an alias would choose the key.
func ValidKeyID(id string) bool { return isBare(id) || isBare(keyOfARN(id)) }

// isBare reports whether id looks like a key's id without the ARN around it.
func isBare(id string) bool {
	const chars = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return id != "" && strings.Trim(id, chars) == ""
}

// keyOfARN returns the id in arn:PARTITION:kms:REGION:ACCOUNT:key/ID, or "".
func keyOfARN(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "kms" {
		return ""
	}
	id, ok := strings.CutPrefix(parts[5], "key/")
	if !ok {
		return ""
	}
	return id
}

// Wrap implements [seal.Wrapper]. The key's name is the ARN that KMS answers.
func (k *Key) Wrap(ctx context.Context, plain []byte, encctx map[string]string) ([]byte, string, error) {
	out, err := k.client.Encrypt(ctx, &awskms.EncryptInput{
		KeyId: aws.String(k.ids[0]), Plaintext: plain, EncryptionContext: encctx,
	})
	if err != nil {
		return nil, "", failed(ctx, "wrapping", err)
	}
	name := aws.ToString(out.KeyId)
	if len(out.CiphertextBlob) == 0 || name == "" {
		return nil, "", failed(ctx, "wrapping", errNonsense)
	}
	if _, ok := k.configured(name); !ok {
		return nil, "", fmt.Errorf("%w: KMS wrapped with another key than it was asked to", seal.ErrDenied)
	}
	return out.CiphertextBlob, name, nil
}

// Unwrap implements [seal.Wrapper].
func (k *Key) Unwrap(ctx context.Context, wrapped []byte, key string, encctx map[string]string) ([]byte, error) {
	id, ok := k.configured(key)
	if !ok {
		return nil, fmt.Errorf("%w: the keyring names a KMS key that is not configured", seal.ErrDenied)
	}
	if len(wrapped) == 0 {
		return nil, fmt.Errorf("%w: there is nothing to unwrap", seal.ErrDenied)
	}
	out, err := k.client.Decrypt(ctx, &awskms.DecryptInput{
		KeyId: aws.String(id), CiphertextBlob: wrapped, EncryptionContext: encctx,
	})
	if err != nil {
		return nil, failed(ctx, "unwrapping", err)
	}
	if len(out.Plaintext) == 0 {
		return nil, failed(ctx, "unwrapping", errNonsense)
	}
	return out.Plaintext, nil
}

// configured finds the configured key that a row's hint means. What KMS is
// then asked with is ours and not the hint: an ARN of another account that
// ends in our key's id leads to our key.
func (k *Key) configured(hint string) (id string, ok bool) {
	if !isBare(keyOfARN(hint)) {
		return "", false
	}
	for _, id := range k.ids {
		if id == hint || id == keyOfARN(hint) {
			return id, true
		}
	}
	return "", false
}

var errNonsense = errors.New("an answer that makes no sense")
