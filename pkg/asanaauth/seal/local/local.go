// Package local wraps a keyring with a key in a file. It serves the local
// command and tests, where there is no KMS: who can read the file and the
// store can read every token.
//
// Wrapped bytes, format 1: 0x01 · nonce (12) · ciphertext · tag (16), of
// AES-256-GCM. The associated data are "asanaauth local key 1" and then name
// and value of each pair of the encryption context, in the order of the names,
// each preceded by its length in eight bytes.
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

// Key is a [seal.Wrapper] with one key of its own.
type Key struct {
	name string
	aead cipher.AEAD
}

// New makes a wrapper of a key.
func New(key [32]byte) *Key {
	// A key of 32 bytes is always taken, and AES is always a block of 16.
	block, _ := aes.NewCipher(key[:])
	aead, _ := cipher.NewGCMWithRandomNonce(block)
	name := sha256.Sum256(append([]byte(format), key[:]...))
	return &Key{name: "local:" + hex.EncodeToString(name[:8]), aead: aead}
}

// Wrap implements [seal.Wrapper]. The key's name is "local:" and a hash.
func (k *Key) Wrap(ctx context.Context, plain []byte, encctx map[string]string) ([]byte, string, error) {
	if err := ended(ctx); err != nil {
		return nil, "", err
	}
	return k.aead.Seal([]byte{version}, nil, plain, associated(encctx)), k.name, nil
}

// Unwrap implements [seal.Wrapper].
func (k *Key) Unwrap(ctx context.Context, wrapped []byte, key string, encctx map[string]string) ([]byte, error) {
	if err := ended(ctx); err != nil {
		return nil, err
	}
	if key != k.name {
		return nil, fmt.Errorf("%w: wrapped by another key than %s", seal.ErrDenied, k.name)
	}
	if len(wrapped) == 0 || wrapped[0] != version {
		return nil, fmt.Errorf("%w: not wrapped by a local key", seal.ErrDenied)
	}
	plain, err := k.aead.Open(nil, nil, wrapped[1:], associated(encctx))
	if err != nil {
		return nil, fmt.Errorf("%w: tampered with, or of another context", seal.ErrDenied)
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
