// Package seal encrypts single fields of stored rows, such as tokens and personal data.
//
// The package implements envelope encryption. A [Ring] contains the data keys of an
// installation and seals fields with the primary data key. A [Wrapper] wraps (encrypts)
// the ring, and the wrapped ring is stored in one row. Package seal/kms implements
// Wrapper with AWS KMS, and package seal/local with a key in a file. Package
// seal/sealtest tests implementations of Wrapper. This package makes no requests and
// stores nothing: package keyring reads the row and caches the ring.
//
// # Format 1 of a sealed field
//
//	0x01 · key ID (4 bytes, big endian) · nonce (12) · ciphertext · tag (16)
//
// The cipher is AES-256-GCM. This is Tink's wire format for AES-GCM with the output prefix
// TINK (https://developers.google.com/tink/wire-format).
//
// Each row has its own encryption key, derived from the data key with HKDF-SHA256 (RFC
// 5869) without a salt. Therefore a repeated nonce is a risk only within one row, and the
// key of one row cannot decrypt another row. HKDF's parameter "info" consists of the
// following parts, each preceded by its length as an integer of eight bytes, big endian:
//
//	"asanaauth row key 1", installation, row
//
// The associated data consists of these parts, encoded in the same way:
//
//	"asanaauth sealed field 1", installation, row, owner, field, key ID, fact 1, fact 2, …
package seal

import (
	"context"
	"errors"
	"fmt"
)

// Label identifies a field and lists the values to which the field is bound. A field
// opens only with a label that equals the label with which it was sealed. Two different
// labels never have the same associated data.
type Label struct {
	// Row is the key of the field's row, formatted by store.Key.String. Required.
	Row string
	// Owner is the SHA-256 hash of the owner's name as 32 raw bytes, or "" if the row has
	// no owner.
	Owner string
	// Field is the name of the field in the row. Required.
	Field string
	// Facts are other values to which the field is bound. Their order matters. For
	// example, the field "proof" of a session's row is bound to the session's connection
	// and expiry.
	Facts []string
}

var (
	// ErrOpen means that a field cannot be decrypted. The field is missing, was tampered
	// with, or was sealed for another row, owner, field or installation. The error does
	// not distinguish these cases.
	ErrOpen = errors.New("seal: the field cannot be decrypted")
	// ErrUnknownKey means that the ring does not contain the field's key, perhaps because
	// the ring is out of date. Read the ring again and retry. ErrUnknownKey wraps
	// ErrOpen.
	ErrUnknownKey = fmt.Errorf("%w: unknown key", ErrOpen)
	// ErrDenied means that a Wrapper may not use the key: the key is not configured, is
	// disabled or was deleted, or the caller has no permission. A Wrapper also returns
	// ErrDenied if the bytes to unwrap were wrapped with a different key or encryption
	// context, or were changed. Retrying does not help.
	ErrDenied = errors.New("seal: denied")
	// ErrUnavailable means that a Wrapper could not reach its key. Retrying later may
	// help.
	ErrUnavailable = errors.New("seal: unavailable")
)

// Wrapper wraps (encrypts) and unwraps the bytes of a [Ring]. Implementations must be
// safe for concurrent use and must not cache unwrapped bytes.
//
// Every error wraps [ErrDenied] or [ErrUnavailable]. If the context ends before the
// result is known, the error wraps both ErrUnavailable and the context's error. No error
// contains the plaintext. Package sealtest tests whether an implementation follows these
// rules.
type Wrapper interface {
	// Wrap encrypts plain, which has at most 4096 bytes. encctx is the encryption
	// context, which is authenticated but not encrypted. The encryption context must not
	// be empty and must not contain secrets. Wrap returns the wrapped bytes and the name
	// of the key that it used. To unwrap the bytes, pass both results to Unwrap. The
	// wrapped bytes are different for each call.
	Wrap(ctx context.Context, plain []byte, encctx map[string]string) (wrapped []byte, key string, err error)

	// Unwrap decrypts bytes that Wrap returned. encctx must equal the encryption context
	// that was passed to Wrap. key is the name that Wrap returned. Unwrap must not trust
	// key, because an attacker may have changed it in the table. If key is not the name
	// of a configured key, Unwrap must return ErrDenied and make no request.
	Unwrap(ctx context.Context, wrapped []byte, key string, encctx map[string]string) (plain []byte, err error)
}

// Context returns the encryption context for an installation's keyring. The encryption
// context consists of a fixed purpose and the installation's name. AWS CloudTrail logs
// the encryption context. See
// https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html.
func Context(installation string) map[string]string {
	return map[string]string{"purpose": "asanaauth keyring", "installation": installation}
}
