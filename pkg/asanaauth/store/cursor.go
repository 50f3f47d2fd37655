package store

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"
)

// ErrCursor means that a cursor is malformed or belongs to another list.
var ErrCursor = errors.New("store: malformed cursor")

// longestPK and longestSK are the maximum lengths of keys in DynamoDB, in bytes
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
// Clients send cursors. A key that is too long must become an ErrCursor here, before
// DynamoDB rejects the request.
const (
	longestPK = 2048
	longestSK = 1024
)

// cursorSeparator separates the two parts of a key. Keys never contain it.
const cursorSeparator = "\x00"

// After returns a cursor that continues after key. A row with that key need not exist.
func After(key Key) string {
	return base64.RawURLEncoding.EncodeToString([]byte(key.PK + cursorSeparator + key.SK))
}

// ParseCursor returns the key that was passed to [After]. For an empty cursor it returns
// the zero Key. If the cursor is malformed, it returns [ErrCursor].
func ParseCursor(cursor string) (Key, error) {
	if cursor == "" {
		return Key{}, nil
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return Key{}, ErrCursor
	}
	pk, sk, ok := strings.Cut(string(data), cursorSeparator)
	switch {
	case !ok, pk == "", sk == "", strings.Contains(sk, cursorSeparator):
		return Key{}, ErrCursor
	case len(pk) > longestPK, len(sk) > longestSK, !utf8.Valid(data):
		return Key{}, ErrCursor
	}
	return Key{pk, sk}, nil
}

// ParseListCursor is like [ParseCursor], but for a list of the partition pk. For an empty
// cursor it returns a key with an empty sort key, which sorts before every row. For a
// cursor of another partition it returns [ErrCursor], because a client must not read
// other partitions.
func ParseListCursor(pk, cursor string) (Key, error) {
	key, err := ParseCursor(cursor)
	switch {
	case err != nil:
		return Key{}, err
	case cursor != "" && key.PK != pk:
		return Key{}, ErrCursor
	}
	return Key{pk, key.SK}, nil
}
