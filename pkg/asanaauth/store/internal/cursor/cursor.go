// Package cursor writes where a list goes on. What a cursor holds is nobody's
// business but the store's that made it.
package cursor

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"
)

// ErrMalformed is the error of a cursor that no list has given, or another one.
var ErrMalformed = errors.New("store: malformed cursor")

// What DynamoDB takes for a key, in bytes
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
// A cursor may come from a client: what is longer is the client's mistake, and not
// a request that DynamoDB refuses.
const (
	mostPK = 2048
	mostSK = 1024
)

// separator is in no key.
const separator = "\x00"

// Encode names the last row of a page by its keys.
func Encode(pk, sk string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(pk + separator + sk))
}

// Decode gives the keys that Encode got; its error is [ErrMalformed].
func Decode(cursor string) (pk, sk string, err error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return "", "", ErrMalformed
	}
	pk, sk, ok := strings.Cut(string(data), separator)
	switch {
	case !ok, pk == "", sk == "", strings.Contains(sk, separator):
		return "", "", ErrMalformed
	case len(pk) > mostPK, len(sk) > mostSK, !utf8.Valid(data):
		return "", "", ErrMalformed
	}
	return pk, sk, nil
}

// In gives the sort key of a cursor of one partition's list, "" for an empty
// cursor. A cursor of another partition is [ErrMalformed]: nobody reads on
// where they were not let in.
func In(partition, cursor string) (sk string, err error) {
	if cursor == "" {
		return "", nil
	}
	pk, sk, err := Decode(cursor)
	if err == nil && pk != partition {
		return "", ErrMalformed
	}
	return sk, err
}
