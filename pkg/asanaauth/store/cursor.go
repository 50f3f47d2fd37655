package store

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"
)

// ErrCursor says that a cursor is malformed, or of another list.
var ErrCursor = errors.New("store: malformed cursor")

// The longest keys that DynamoDB takes, in bytes
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
// A cursor may come from a client: a longer one is the client's mistake, and must
// not become a request that DynamoDB refuses.
const (
	longestPK = 2048
	longestSK = 1024
)

// cursorSeparator is in no key.
const cursorSeparator = "\x00"

// After returns the cursor of a list of the key's partition that goes on after the
// key, whether a row is there or not.
func After(key Key) string {
	return base64.RawURLEncoding.EncodeToString([]byte(key.PK + cursorSeparator + key.SK))
}

// ParseCursor returns the key that [After] made the cursor of, and the zero Key for
// an empty cursor. Its error is [ErrCursor].
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

// ParseListCursor is [ParseCursor] for a list of the partition pk: for an empty
// cursor, the key has an empty sort key, which is before every row's. A cursor of
// another partition is an [ErrCursor]: it must not lead out of the partition that
// the caller may read.
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
