package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	fieldVersion = 1
	fieldFormat  = "asanaauth sealed field 1"
	rowKeyFormat = "asanaauth row key 1"

	nonceBytes  = 12
	tagBytes    = 16
	fieldHead   = 1 + idBytes
	fieldPrefix = fieldHead + nonceBytes
	// minField is the minimum size of a sealed field, whose text has at least one byte.
	minField = fieldPrefix + 1 + tagBytes
)

var (
	errEmpty = errors.New("seal: the text is empty")
	errLabel = errors.New("seal: the label has no row or no field")
)

// Seal encrypts text under the primary key and binds it to l. Seal reads a nonce of 12
// bytes from random, which must be cryptographically secure. The result is 33 bytes
// longer than text. text may be a constant if callers of [Ring.Open] need only the check of
// the label and not the text.
//
// Seal returns an error if text is zero, if l has no Row or Field, or if random fails.
// The check for a zero text prevents callers from sealing a missing value by mistake.
func (r *Ring) Seal(random io.Reader, l Label, text secret.String) (secret.Sealed, error) {
	if text.IsZero() {
		return nil, errEmpty
	}
	if l.Row == "" || l.Field == "" {
		return nil, errLabel
	}
	aead, err := r.rowCipher(r.primary, l.Row)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	plain := text.Reveal()
	b := make([]byte, fieldPrefix, fieldPrefix+len(plain)+tagBytes)
	b[0] = fieldVersion
	binary.BigEndian.PutUint32(b[1:], r.primary)
	if _, err := io.ReadFull(random, b[fieldHead:]); err != nil {
		return nil, fmt.Errorf("seal: reading a nonce: %w", err)
	}
	return aead.Seal(b, b[fieldHead:], []byte(plain), r.associated(l, r.primary)), nil
}

// Open decrypts a field that was sealed with the label l. Open returns [ErrUnknownKey] if
// the ring does not contain the field's key, and [ErrOpen] if the field cannot be
// decrypted. Open also returns ErrOpen if s is empty, so a field that an attacker deleted
// from the table does not count as an empty string.
func (r *Ring) Open(l Label, s secret.Sealed) (secret.String, error) {
	id, ok := KeyOf(s)
	if !ok {
		return secret.String{}, ErrOpen
	}
	if r.index(id) < 0 {
		return secret.String{}, ErrUnknownKey
	}
	aead, err := r.rowCipher(id, l.Row)
	if err != nil {
		return secret.String{}, ErrOpen
	}
	plain, err := aead.Open(nil, s[fieldHead:fieldPrefix], s[fieldPrefix:], r.associated(l, id))
	if err != nil {
		return secret.String{}, ErrOpen
	}
	return secret.New(string(plain)), nil
}

// KeyOf returns the ID of the key in the header of s. ok is false if s does not have the
// form of a sealed field. KeyOf does not authenticate the header. Only [Ring.Open] does.
func KeyOf(s secret.Sealed) (id uint32, ok bool) {
	if len(s) < minField || s[0] != fieldVersion {
		return 0, false
	}
	return binary.BigEndian.Uint32(s[1:]), true
}

// rowCipher returns the cipher for the fields of a row. The ring must contain the data
// key with the ID id.
func (r *Ring) rowCipher(id uint32, row string) (cipher.AEAD, error) {
	key, err := r.rowKey(id, row)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// rowKey derives the encryption key for a row from the data key with the ID id, which the
// ring must contain.
func (r *Ring) rowKey(id uint32, row string) ([]byte, error) {
	data := []byte(r.keys[r.index(id)].key.Reveal())
	info := join(rowKeyFormat, r.installation, row)
	return hkdf.Key(sha256.New, data, nil, string(info), keyBytes)
}

func (r *Ring) associated(l Label, id uint32) []byte {
	keyID := string(binary.BigEndian.AppendUint32(nil, id))
	parts := []string{fieldFormat, r.installation, l.Row, l.Owner, l.Field, keyID}
	return join(append(parts, l.Facts...)...)
}

// join concatenates the parts, each preceded by its length in eight bytes. Without the
// lengths, two different lists of parts could give the same result.
func join(parts ...string) []byte {
	size := 0
	for _, part := range parts {
		size += 8 + len(part)
	}
	b := make([]byte, 0, size)
	for _, part := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}
