// Package local wraps a keyring with a key in a file. The local command and tests use it
// instead of KMS.
//
// A [Key] implements [seal.Wrapper]. [Open] reads the key from a file and creates the file
// if it does not exist. Do not use this package in production: anyone who can read both
// the file and the store can read every token.
//
// Format 1 of the wrapped bytes, with AES-256-GCM:
//
//	0x01 · nonce (12 bytes) · ciphertext · tag (16)
//
// The associated data consists of "asanaauth local key 1" and the name and value of each
// pair of the encryption context, sorted by name. Each of these parts is preceded by its
// length as an integer of eight bytes, big endian.
package local

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
)

const (
	version  = 1
	format   = "asanaauth local key 1"
	keyBytes = 32
)

// Key is a [seal.Wrapper] with one key in memory. A Key is safe for concurrent use.
type Key struct {
	name string
	aead cipher.AEAD
}

// New returns a Key that wraps with the given AES-256 key.
func New(key [32]byte) *Key {
	// Neither call can fail: the key has 32 bytes, and AES has blocks of 16 bytes.
	block, _ := aes.NewCipher(key[:])
	aead, _ := cipher.NewGCMWithRandomNonce(block)
	name := sha256.Sum256(append([]byte(format), key[:]...))
	return &Key{name: "local:" + hex.EncodeToString(name[:8]), aead: aead}
}

// Wrap implements [seal.Wrapper]. The key name that Wrap returns is "local:" followed by
// 16 hex digits of a SHA-256 hash of the key. Wrap returns an error only if the context
// has ended.
func (k *Key) Wrap(ctx context.Context, plain []byte, encctx map[string]string) ([]byte, string, error) {
	if err := ended(ctx); err != nil {
		return nil, "", err
	}
	return k.aead.Seal([]byte{version}, nil, plain, associated(encctx)), k.name, nil
}

// Unwrap implements [seal.Wrapper]. Unwrap returns an error that wraps [seal.ErrDenied]
// if the bytes were wrapped with a different key or encryption context, or were changed.
func (k *Key) Unwrap(ctx context.Context, wrapped []byte, key string, encctx map[string]string) ([]byte, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	if key != k.name {
		return nil, fmt.Errorf("%w: the keyring was not wrapped with the key %s", seal.ErrDenied, k.name)
	}
	if len(wrapped) == 0 || wrapped[0] != version {
		return nil, fmt.Errorf("%w: the bytes do not have the format of a local key", seal.ErrDenied)
	}
	plain, err := k.aead.Open(nil, nil, wrapped[1:], associated(encctx))
	if err != nil {
		return nil, fmt.Errorf("%w: the bytes or the encryption context were changed", seal.ErrDenied)
	}
	return plain, nil
}

func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", seal.ErrUnavailable, err)
	}
	return nil
}

func associated(encctx map[string]string) []byte {
	b := part(nil, format)
	for _, name := range slices.Sorted(maps.Keys(encctx)) {
		b = part(part(b, name), encctx[name])
	}
	return b
}

func part(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}
