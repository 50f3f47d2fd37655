package store

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"
)

// ErrCursor means that a cursor is malformed or belongs to a different list.
var ErrCursor = errors.New("store: malformed cursor")

// longestPK and longestSK are DynamoDB's maximum lengths for keys, in bytes
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html). A
// client can send a cursor with a longer key. For such a cursor, ParseCursor returns
// ErrCursor, because DynamoDB would reject the request.
const (
	longestPK = 2048
	longestSK = 1024
)

// cursorSeparator is a byte that keys never contain.
const cursorSeparator = "\x00"

// After returns a cursor for the rows that follow key. The store need not contain a row
// with this key.
func After(key Key) string {
	return base64.RawURLEncoding.EncodeToString([]byte(key.PK + cursorSeparator + key.SK))
}

// ParseCursor returns the key from which [After] made the cursor. For an empty cursor,
// ParseCursor returns the zero Key. For a malformed cursor, ParseCursor returns
// [ErrCursor].
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

// ParseListCursor is like [ParseCursor], but for a list of the rows in the partition pk.
// For an empty cursor, ParseListCursor returns a key with the partition key pk and an
// empty sort key, which sorts before every row. For a cursor from a different partition,
// ParseListCursor returns [ErrCursor], because a client must not read other partitions.
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
