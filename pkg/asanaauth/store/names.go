package store

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
)

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// IsZero reports that there is no hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// String gives the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads what String gives; any other text is an error.
func ParseHash(text string) (Hash, error) {
	var h Hash
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) || text != strings.ToLower(text) {
		return h, errors.New("store: no SHA-256 in hexadecimal")
	}
	return Hash(b), nil
}

// HashText hashes one text as it is.
func HashText(text string) Hash { return sha256.Sum256([]byte(text)) }

// HashOf hashes parts, each preceded by its length in eight bytes: no two
// different lists of parts give the same input.
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
	// partChars is the length of either half of a connection's name: 80 bits.
	partChars  = 16
	hotSuffix  = "#hot"
	coldSuffix = "#cold"
)

// base32 in lower case, without padding: names survive URLs, file names and
// double clicks.
var nameEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ConnectionID names the connection of an owner (by the hash of its name), an
// Asana user and a kind: "con_", 16 characters of the owner, 16 of all three.
// It is a name and not a proof: anyone who knows the parts can work it out.
func ConnectionID(owner Hash, asanaGID, kind string) string {
	all := HashOf(string(owner[:]), asanaGID, kind)
	return connectionPrefix + namePart(owner) + namePart(all)
}

func namePart(h Hash) string { return nameEncoding.EncodeToString(h[:])[:partChars] }

// ValidConnectionID reports whether id has the form of a connection's id.
func ValidConnectionID(id string) bool {
	name, ok := strings.CutPrefix(id, connectionPrefix)
	if !ok || len(name) != 2*partChars {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// OwnerPartition is where the connections of an owner are listed: of all owners
// whose hashes begin alike, so that a row's own Owner has to be looked at.
func OwnerPartition(owner Hash) string { return "c#" + namePart(owner) }

// HotKey is the key of a connection's hot row. The id is valid.
func HotKey(connection string) Key { return connectionKey(connection, hotSuffix) }

// ColdKey is the key of a connection's cold row. The id is valid.
func ColdKey(connection string) Key { return connectionKey(connection, coldSuffix) }

func connectionKey(id, suffix string) Key {
	if !ValidConnectionID(id) {
		return Key{}
	}
	name := id[len(connectionPrefix):]
	return Key{PK: "c#" + name[:partChars], SK: name[partChars:] + suffix}
}
