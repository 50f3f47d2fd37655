package store

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
)

// Hash is a SHA-256 hash. Cookies, link tokens and codes are secrets, so rows contain
// only hashes of them.
type Hash [sha256.Size]byte

// IsZero reports whether h is the zero value, which means "no hash".
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns the hash in lower-case hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash parses 64 lower-case hexadecimal digits, as [Hash.String] returns them. For
// any other text, ParseHash returns an error.
func ParseHash(text string) (Hash, error) {
	var h Hash
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) || text != strings.ToLower(text) {
		return h, errors.New("store: not a SHA-256 hash in hexadecimal")
	}
	return Hash(b), nil
}

// HashText returns the SHA-256 hash of text.
func HashText(text string) Hash { return sha256.Sum256([]byte(text)) }

// HashOf returns the hash of a list of strings. HashOf hashes the length of each string
// (eight bytes, big-endian) before the string. Otherwise the lists "ab", "c" and "a",
// "bc" would have the same hash.
func HashOf(parts ...string) Hash {
	d := sha256.New()
	for _, part := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		d.Write(n[:])
		d.Write([]byte(part))
	}
	return Hash(d.Sum(nil))
}

const (
	connectionPrefix = "con_"
	// partChars is the length of each half of a connection ID. In base32, 16 characters
	// encode 80 bits.
	partChars  = 16
	hotSuffix  = "#hot"
	coldSuffix = "#cold"
)

// nameEncoding is lower-case base32 without padding. Connection IDs therefore need no
// escaping in URLs and file names, and a double click selects a whole ID.
var nameEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ConnectionID returns the ID of a connection. The ID consists of "con_", 16 characters
// that depend on the owner, and 16 characters that depend on all arguments. The argument
// owner is the hash of the backend's name for the owner, and kind is an asanaauth.Kind.
// The ID is not a secret, because anyone who knows the arguments can compute it.
func ConnectionID(owner Hash, asanaGID, kind string) string {
	all := HashOf(string(owner[:]), asanaGID, kind)
	return connectionPrefix + namePart(owner) + namePart(all)
}

func namePart(h Hash) string { return nameEncoding.EncodeToString(h[:])[:partChars] }

// ValidConnectionID reports whether id has the form of a connection ID.
func ValidConnectionID(id string) bool {
	name, ok := strings.CutPrefix(id, connectionPrefix)
	if !ok || len(name) != 2*partChars {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// OwnerPartition returns the partition key of an owner's connections. The key contains
// only 80 bits of the hash, so two owners can have the same key. Callers must therefore
// check [Hot.Owner].
func OwnerPartition(owner Hash) string { return "c#" + namePart(owner) }

// HotKey returns the key of a connection's [Hot] row, or the zero Key if the ID is not
// valid.
func HotKey(connection string) Key { return connectionKey(connection, hotSuffix) }

// ColdKey returns the key of a connection's [Cold] row, or the zero Key if the ID is not
// valid.
func ColdKey(connection string) Key { return connectionKey(connection, coldSuffix) }

func connectionKey(id, suffix string) Key {
	if !ValidConnectionID(id) {
		return Key{}
	}
	name := id[len(connectionPrefix):]
	return Key{PK: "c#" + name[:partChars], SK: name[partChars:] + suffix}
}
