// Package kms wraps a keyring with symmetric keys of AWS KMS.
//
// A [Key] implements [seal.Wrapper]. A Key wraps with the first configured KMS key. It
// unwraps bytes that were wrapped with any configured KMS key, so that an installation
// can move to a new KMS key. Wrapping needs the permission kms:Encrypt, and unwrapping
// needs kms:Decrypt.
//
// Every Decrypt request names a configured KMS key. Therefore a Key does not unwrap a
// keyring that an attacker wrapped with their own KMS key and wrote to the table. This
// package does not create KMS keys and does not cache unwrapped keyrings.
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

type client interface {
	Encrypt(context.Context, *awskms.EncryptInput, ...func(*awskms.Options)) (*awskms.EncryptOutput, error)
	Decrypt(context.Context, *awskms.DecryptInput, ...func(*awskms.Options)) (*awskms.DecryptOutput, error)
}

// Key is a [seal.Wrapper] that uses symmetric keys of AWS KMS. Each method calls the
// client once. The client determines retries and time limits. Errors contain the error
// code and the message from KMS. Errors never contain any part of a response that cannot
// be decoded. A Key is safe for concurrent use.
type Key struct {
	client client
	ids    []string
}

// Config names the KMS keys of a [Key].
type Config struct {
	// Client is a *kms.Client. Required.
	Client client
	// KeyIDs are KMS key IDs or key ARNs, but not aliases (see [ValidKeyID]). The Key
	// wraps with the first KMS key, and unwraps bytes that were wrapped with any of the
	// KMS keys. Required.
	KeyIDs []string
}

// New returns a Key without making a request. The error names every missing or malformed
// field.
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
			errs = append(errs, fmt.Errorf("kms: KeyIDs[%d] is neither a key ID nor a key ARN", i))
		}
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return &Key{c.Client, slices.Clone(c.KeyIDs)}, nil
}

// ValidKeyID reports whether id has the form of a key ID or a key ARN
// (https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html). Aliases are not
// valid, because anyone with the permission to change an alias could choose the key.
func ValidKeyID(id string) bool { return isBare(id) || isBare(keyOfARN(id)) }

// isBare reports whether id has at least one character and only characters that a key ID
// may contain. An ARN contains colons, which a key ID may not contain.
func isBare(id string) bool {
	const chars = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return id != "" && strings.Trim(id, chars) == ""
}

// keyOfARN returns the key ID in arn if arn has the form
// arn:PARTITION:kms:REGION:ACCOUNT:key/ID, and otherwise "".
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

// Wrap implements [seal.Wrapper] with the KMS operation Encrypt. Wrap returns the key ARN
// from the response as the name of the key. If this ARN does not belong to a configured
// key, Wrap returns [seal.ErrDenied], because Unwrap would reject the ARN. See
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html.
func (k *Key) Wrap(ctx context.Context, plain []byte, encctx map[string]string) ([]byte, string, error) {
	out, err := k.client.Encrypt(ctx, &awskms.EncryptInput{
		KeyId: aws.String(k.ids[0]), Plaintext: plain, EncryptionContext: encctx,
	})
	if err != nil {
		return nil, "", wrapError(ctx, "wrapping", err)
	}
	name := aws.ToString(out.KeyId)
	if len(out.CiphertextBlob) == 0 || name == "" {
		return nil, "", wrapError(ctx, "wrapping", errResponse)
	}
	if _, ok := k.configured(name); !ok {
		return nil, "", fmt.Errorf("%w: KMS used a key that is not configured", seal.ErrDenied)
	}
	return out.CiphertextBlob, name, nil
}

// Unwrap implements [seal.Wrapper] with the KMS operation Decrypt. key must be a key ARN
// that Wrap returned. The Decrypt request does not contain this ARN but the configured
// key ID or ARN that matches it. See
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html.
func (k *Key) Unwrap(ctx context.Context, wrapped []byte, key string, encctx map[string]string) ([]byte, error) {
	id, ok := k.configured(key)
	if !ok {
		return nil, fmt.Errorf("%w: the keyring names a KMS key that is not configured", seal.ErrDenied)
	}
	if len(wrapped) == 0 {
		return nil, fmt.Errorf("%w: the wrapped keyring is empty", seal.ErrDenied)
	}
	out, err := k.client.Decrypt(ctx, &awskms.DecryptInput{
		KeyId: aws.String(id), CiphertextBlob: wrapped, EncryptionContext: encctx,
	})
	if err != nil {
		return nil, wrapError(ctx, "unwrapping", err)
	}
	if len(out.Plaintext) == 0 {
		return nil, wrapError(ctx, "unwrapping", errResponse)
	}
	return out.Plaintext, nil
}

// configured returns the first configured key ID or ARN that equals arn or the key ID in
// arn. Callers must send the result to KMS instead of arn, because an attacker may have
// changed the account or the region in an arn from the table.
func (k *Key) configured(arn string) (id string, ok bool) {
	if !isBare(keyOfARN(arn)) {
		return "", false
	}
	for _, id := range k.ids {
		if id == arn || id == keyOfARN(arn) {
			return id, true
		}
	}
	return "", false
}

var (
	errResponse = errors.New("the response is empty or cannot be decoded")
	errNotSent  = errors.New("no credentials or no endpoint")
)
