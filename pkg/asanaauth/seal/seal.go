// Package seal encrypts single fields of stored rows, such as tokens and personal data.
//
// This is envelope encryption. A [Ring] holds the data keys of an installation and seals a
// field with the primary one. The ring itself is stored in one row, wrapped (encrypted) by
// a [Wrapper]. Package seal/kms has a Wrapper for AWS KMS, and package seal/local has one
// for a key in a file. Package seal/sealtest tests both. This package makes no requests
// and stores nothing: package keyring reads the row and caches the ring.
//
// # Format 1 of a sealed field
//
//	0x01 · key id (4 bytes, big endian) · nonce (12) · ciphertext · tag (16)
//
// This is the layout of Tink for AES-GCM with the output prefix TINK
// (https://developers.google.com/tink/wire-format). The cipher is AES-256-GCM.
//
// Each row has its own encryption key, derived from the data key with HKDF-SHA256 (RFC
// 5869) without a salt. Two random nonces can therefore collide only within one row, and
// the key of one row opens no other row. The info of HKDF consists of these parts, each
// after its length in eight bytes, big endian:
//
//	"asanaauth row key 1", installation, row
//
// The associated data consists of these parts, encoded in the same way:
//
//	"asanaauth sealed field 1", installation, row, owner, field, key id, fact…
package seal

import (
	"context"
	"errors"
	"fmt"
)

// Label identifies a field and what its value is bound to. A field opens only under the
// same label that it was sealed under. Two different labels never have the same associated
// data.
type Label struct {
	// Row is the key of the field's row, as store.Key.String returns it. Required.
	Row string
	// Owner is the SHA-256 of the owner's name, 32 raw bytes, or "" if the row has no
	// owner.
	Owner string
	// Field is the name of the field in the row. Required.
	Field string
	// Facts are other values that the field is bound to. Their order matters. For example,
	// the proof of a session is bound to the session's connection and expiry.
	Facts []string
}

var (
	// ErrOpen is the error of a field that cannot be decrypted. The field is missing or was
	// tampered with, or it belongs to another row, owner, field or installation. The error
	// does not say which.
	ErrOpen = errors.New("seal: the field cannot be decrypted")
	// ErrUnknownKey is the error of a field whose key is not in the ring. It wraps ErrOpen.
	// The ring may be out of date: read it again and retry.
	ErrUnknownKey = fmt.Errorf("%w: unknown key", ErrOpen)
	// ErrDenied is the error of a Wrapper whose key cannot be used: the key is not
	// configured, not allowed, disabled or deleted. It is also the error of bytes that this
	// key did not wrap in this encryption context. Retrying does not help.
	ErrDenied = errors.New("seal: denied")
	// ErrUnavailable is the error of a Wrapper whose key could not be reached. Retrying later
	// may help.
	ErrUnavailable = errors.New("seal: unavailable")
)

// Wrapper wraps (encrypts) and unwraps the bytes of a [Ring]. Implementations must be safe
// for concurrent use and must not cache what they unwrap.
//
// Every error wraps [ErrDenied] or [ErrUnavailable]. If the context ends first, the error
// wraps both ErrUnavailable and the context's error. No error contains the plaintext.
// Package sealtest tests this contract.
type Wrapper interface {
	// Wrap encrypts plain, which has at most 4096 bytes. encctx is the encryption context:
	// it is authenticated, and it must not be empty or contain secrets. Wrap returns the
	// wrapped bytes, which differ at each call, and the name of the key, for Unwrap.
	Wrap(ctx context.Context, plain []byte, encctx map[string]string) (wrapped []byte, key string, err error)

	// Unwrap decrypts what Wrap returned. encctx must be the one of Wrap. key is the name
	// that Wrap returned. The name comes from the table, which an attacker may have
	// changed. If it is not the name of a configured key, Unwrap must return ErrDenied and
	// make no request.
	Unwrap(ctx context.Context, wrapped []byte, key string, encctx map[string]string) (plain []byte, err error)
}

// Context returns the encryption context for the keyring of an installation: its purpose
// and the installation's name. AWS CloudTrail logs it. See
// https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html.
func Context(installation string) map[string]string {
	return map[string]string{"purpose": "asanaauth keyring", "installation": installation}
}
