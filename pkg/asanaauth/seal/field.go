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
	// minField is one byte of text: nothing is never sealed.
	minField = fieldPrefix + 1 + tagBytes
)

var (
	errEmpty = errors.New("seal: an absent field is left out, not sealed")
	errLabel = errors.New("seal: a label needs a row and a field")
)

// Seal seals text under the primary key, for the field that l names, with a
// nonce from random. An absent text is an error, so that whoever leaves a
// field out does it on purpose; a label without row or field is one too, and
// else only random gives one. Where a field says something by being there, as
// a session's proof does, callers choose a constant text.
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
		return nil, fmt.Errorf("seal: drawing a nonce: %w", err)
	}
	return aead.Seal(b, b[fieldHead:], []byte(plain), r.associated(l, r.primary)), nil
}

// Open returns the text that was sealed for the field that l names. Whatever
// does not open gives ErrOpen, an absent field (nil) too: who deletes a field
// from the table must not make it an empty one. A key id that the ring has not
// gives ErrUnknownKey, which wraps ErrOpen.
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

// KeyOf returns the id of the key that s says it was sealed under. ok is false
// where s has not the form of a sealed field.
func KeyOf(s secret.Sealed) (id uint32, ok bool) {
	if len(s) < minField || s[0] != fieldVersion {
		return 0, false
	}
	return binary.BigEndian.Uint32(s[1:]), true
}

// rowCipher gives the cipher of a row under the data key id, which is there.
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

// join puts each part after its length in eight bytes: no two different lists
// of parts give the same bytes.
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
