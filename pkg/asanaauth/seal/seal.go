// Package seal makes sealed fields: the only form in which a token, or what is
// known of a person, is ever kept.
//
// A [Ring] holds an installation's data keys in memory and seals one field at
// a time with the primary one. The keyring as bytes is kept in one row,
// wrapped by a [Wrapper]: seal/kms asks AWS KMS, seal/local has a key in a
// file. sealtest proves the two alike.
//
// # Format 1 of a sealed field
//
//	0x01 · key id (4 bytes, big endian) · nonce (12) · ciphertext · tag (16)
//
// which is how Tink lays out AES-GCM with the output prefix TINK
// (https://developers.google.com/tink/wire-format). The cipher is AES-256-GCM.
// Its key belongs to one row: HKDF-SHA256 (RFC 5869) of the data key, without
// salt, the info being these parts, each preceded by its length in eight bytes:
//
//	"asanaauth row key 1", installation, row
//
// so that two random nonces meet within a row alone, and a row key opens no
// other row. The associated data are these parts, likewise:
//
//	"asanaauth sealed field 1", installation, row, owner, field, key id, fact…
package seal

import (
	"context"
	"errors"
	"fmt"
)

// Label names a field. A field opens under the very label that it was sealed
// under: no two labels give the same associated data.
type Label struct {
	// Row is the key of the row that the field is in, as store.Key.String
	// gives it. Required.
	Row string
	// Owner is the SHA-256 of the owner's name, 32 raw bytes; "" where the row
	// has no owner.
	Owner string
	// Field is the field's name in the row. Required.
	Field string
	// Facts are what else the field is bound to, in this order: for a
	// session's proof all that it vouches for.
	Facts []string
}

var (
	// ErrOpen is the one answer to all that does not open: tampered with, of
	// another row, owner, field or installation, or nothing at all.
	ErrOpen = errors.New("seal: does not open")
	// ErrUnknownKey wraps ErrOpen where the ring has no key of that id: the
	// ring may be an old one, and is worth reading again.
	ErrUnknownKey = fmt.Errorf("%w: unknown key", ErrOpen)
	// ErrDenied says that the wrapping key is not to be had, and that asking
	// again changes nothing: not configured, not allowed, disabled, deleted;
	// or that these bytes are not what it wrapped in this context.
	ErrDenied = errors.New("seal: denied")
	// ErrUnavailable says that the wrapping key could not be asked: it may be
	// had later.
	ErrUnavailable = errors.New("seal: unavailable")
)

// Wrapper wraps and unwraps a keyring. Implementations are safe for concurrent
// use and keep no keyring. An error wraps ErrDenied or ErrUnavailable; where
// the context ended first, ErrUnavailable and the context's own error. It
// never tells what was wrapped.
type Wrapper interface {
	// Wrap returns the wrapped bytes, different ones each time, and the name
	// of the key that wrapped them, for Unwrap to be told. plain is at most
	// 4096 bytes. encctx, the encryption context, is not empty and not secret.
	Wrap(ctx context.Context, plain []byte, encctx map[string]string) (wrapped []byte, key string, err error)

	// Unwrap returns what Wrap was given, under the same encctx. key is what
	// Wrap returned; it was kept where others may have written, so it is a
	// hint that nobody vouches for: a key that is not configured gives
	// ErrDenied, and nobody is asked.
	Unwrap(ctx context.Context, wrapped []byte, key string, encctx map[string]string) (plain []byte, err error)
}

// Context is the encryption context under which an installation's keyring is
// wrapped. KMS writes it to its audit trail.
func Context(installation string) map[string]string {
	return map[string]string{"purpose": "asanaauth keyring", "installation": installation}
}
