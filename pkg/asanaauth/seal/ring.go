package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	ringVersion = 1
	// maxKeys is the maximum number of keys in a ring. An encoded ring with 64 keys has 6
	// + 64 × 52 = 3334 bytes. KMS encrypts at most 4096 bytes
	// (https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html).
	maxKeys   = 64
	keyBytes  = 32
	idBytes   = 4
	ringHead  = 1 + idBytes + 1
	ringEntry = idBytes + 8 + 8 + keyBytes
	// maxAttempts limits the search for an unused key ID. At most 64 of the 2^32 IDs are
	// used, so even two failures in a row are very unlikely (2^-52).
	maxAttempts = 8
	// timeLimit is a time in the year 36812, in Unix seconds. ParseRing rejects this time
	// and later ones.
	timeLimit = 1 << 40
)

var (
	errRing     = errors.New("seal: not a valid keyring")
	errRingFull = fmt.Errorf("seal: the keyring is full with %d keys", maxKeys)
	errRandom   = errors.New("seal: the random source returns used key IDs")
)

// Ring is the keyring of an installation: 1 to 64 data keys of 256 bits. A Ring seals
// fields with the primary key and opens fields that were sealed with any of its keys. A
// Ring is immutable and safe for concurrent use. If a Ring is printed, the output is
// "[keyring]".
type Ring struct {
	installation string
	primary      uint32
	keys         []dataKey // from the oldest to the newest
}

// dataKey holds one data key as a secret.String, which cannot be printed.
type dataKey struct {
	id      uint32
	created time.Time
	stopped time.Time // when the key stopped being primary; zero for the primary key
	key     secret.String
}

// NewRing returns the first ring of an installation. The ring has one key, which NewRing
// reads from random. random must be cryptographically secure. now is the creation time of
// the key. NewRing returns an error if random fails, or if the key IDs that it reads from
// random are all 0.
func NewRing(random io.Reader, installation string, now time.Time) (*Ring, error) {
	return (&Ring{installation: installation}).Rotate(random, now)
}

// Rotate returns a copy of r with one more key. The new key is the primary key of the
// copy. Rotate does not change r. Rotate returns an error if r already has 64 keys, if
// random fails, or if the key IDs that it reads from random are all 0 or in use. random
// must be cryptographically secure.
func (r *Ring) Rotate(random io.Reader, now time.Time) (*Ring, error) {
	if len(r.keys) == maxKeys {
		return nil, errRingFull
	}
	fresh, err := r.newKey(random)
	if err != nil {
		return nil, err
	}
	fresh.created = toSeconds(now)
	keys := slices.Clone(r.keys)
	if i := r.index(r.primary); i >= 0 {
		keys[i].stopped = fresh.created
	}
	return &Ring{installation: r.installation, primary: fresh.id, keys: append(keys, fresh)}, nil
}

// newKey reads a key ID and a key from random. If the ID is 0 or in use, newKey reads
// both again, at most maxAttempts times in all.
func (r *Ring) newKey(random io.Reader) (dataKey, error) {
	var b [idBytes + keyBytes]byte
	for range maxAttempts {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return dataKey{}, fmt.Errorf("seal: reading a data key: %w", err)
		}
		id := binary.BigEndian.Uint32(b[:idBytes])
		if id != 0 && r.index(id) < 0 {
			return dataKey{id: id, key: secret.New(string(b[idBytes:]))}, nil
		}
	}
	return dataKey{}, errRandom
}

func (r *Ring) index(id uint32) int {
	return slices.IndexFunc(r.keys, func(k dataKey) bool { return k.id == id })
}

// Primary returns the ID of the primary key, which is never 0.
func (r *Ring) Primary() uint32 { return r.primary }

// Bytes returns the encoded ring, which has fewer than 4096 bytes. The result contains
// the data keys in plain text. Pass it to a [Wrapper] and store only the wrapped bytes.
// The result does not contain the installation's name, because that name is in the
// encryption context. In the encoding, numbers are big endian, times are Unix seconds,
// and the sizes in parentheses are in bytes:
//
//	0x01 · primary ID (4) · number of keys (1) · for each key, oldest first:
//	ID (4) · created (8) · stopped being primary (8, zero for the primary) · key (32)
func (r *Ring) Bytes() []byte {
	b := make([]byte, 0, ringHead+len(r.keys)*ringEntry)
	b = append(b, ringVersion)
	b = binary.BigEndian.AppendUint32(b, r.primary)
	b = append(b, byte(len(r.keys)))
	for _, k := range r.keys {
		b = binary.BigEndian.AppendUint32(b, k.id)
		b = binary.BigEndian.AppendUint64(b, seconds(k.created))
		b = binary.BigEndian.AppendUint64(b, seconds(k.stopped))
		b = append(b, k.key.Reveal()...)
	}
	return b
}

// ParseRing decodes the result of [Ring.Bytes]. ParseRing returns an error if plain is
// not a valid encoded ring. The error contains no part of plain.
func ParseRing(installation string, plain []byte) (*Ring, error) {
	if len(plain) < ringHead || plain[0] != ringVersion {
		return nil, errRing
	}
	r := &Ring{installation: installation, primary: binary.BigEndian.Uint32(plain[1:])}
	count, rest := int(plain[ringHead-1]), plain[ringHead:]
	if count > maxKeys || len(rest) != count*ringEntry {
		return nil, errRing
	}
	for entry := range slices.Chunk(rest, ringEntry) {
		k, ok := parseKey(entry)
		if !ok || r.index(k.id) >= 0 || (k.id == r.primary) != k.stopped.IsZero() {
			return nil, errRing
		}
		r.keys = append(r.keys, k)
	}
	if r.index(r.primary) < 0 {
		return nil, errRing
	}
	return r, nil
}

// parseKey decodes one key of a ring. ok is false if the ID is 0, if the creation time is
// 0, or if a time is not before timeLimit.
func parseKey(b []byte) (k dataKey, ok bool) {
	created, stopped := binary.BigEndian.Uint64(b[idBytes:]), binary.BigEndian.Uint64(b[idBytes+8:])
	k = dataKey{
		id:      binary.BigEndian.Uint32(b),
		created: fromSeconds(created),
		stopped: fromSeconds(stopped),
		key:     secret.New(string(b[idBytes+16:])),
	}
	return k, k.id != 0 && 0 < created && created < timeLimit && stopped < timeLimit
}

// toSeconds rounds t down to whole seconds, in UTC. The result is at least Unix time 1,
// because 0 means "no time" in the encoding.
func toSeconds(t time.Time) time.Time { return time.Unix(max(t.Unix(), 1), 0).UTC() }

func seconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.Unix())
}

func fromSeconds(s uint64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}

// Format implements [fmt.Formatter] and writes "[keyring]" for every verb.
func (Ring) Format(f fmt.State, _ rune) { io.WriteString(f, "[keyring]") }

// LogValue implements [slog.LogValuer] and returns "[keyring]".
func (Ring) LogValue() slog.Value { return slog.StringValue("[keyring]") }
