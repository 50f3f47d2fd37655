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
	// maxKeys keeps a ring's bytes under the 4096 that KMS encrypts at most
	// (https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html).
	maxKeys   = 64
	keyBytes  = 32
	idBytes   = 4
	ringHead  = 1 + idBytes + 1
	ringEntry = idBytes + 8 + 8 + keyBytes
	// drawTries bounds the search for a free key id: two draws in a row that
	// meet one of 64 ids, or zero, come once in 10^15 with honest randomness.
	drawTries = 8
	// endOfTime, in Unix seconds, is past the year 30000: later is no time.
	endOfTime = 1 << 40
)

var (
	errRing     = errors.New("seal: not a keyring")
	errRingFull = fmt.Errorf("seal: the keyring is full with %d keys", maxKeys)
	errDraw     = errors.New("seal: the random source repeats itself")
)

// Ring is the set of an installation's data keys, one of them primary: that
// one seals, all of them open. It never changes and is safe for concurrent
// use. It prints as "[keyring]".
type Ring struct {
	installation string
	primary      uint32
	keys         []dataKey // from the oldest to the newest
}

// dataKey keeps its bytes behind a pointer, as tokens are: printing a struct
// that holds one shows none.
type dataKey struct {
	id      uint32
	created time.Time
	stopped time.Time // being primary; the zero time for the primary one
	key     secret.String
}

// NewRing makes the first ring of an installation: one key drawn from random,
// created now. An error is one of random.
func NewRing(random io.Reader, installation string, now time.Time) (*Ring, error) {
	return (&Ring{installation: installation}).Rotate(random, now)
}

// Rotate returns a ring that has one more key, drawn from random and primary
// from now on. r stays as it is. A ring of 64 keys is full, which is an error.
func (r *Ring) Rotate(random io.Reader, now time.Time) (*Ring, error) {
	if len(r.keys) == maxKeys {
		return nil, errRingFull
	}
	fresh, err := r.draw(random)
	if err != nil {
		return nil, err
	}
	fresh.created = whole(now)
	keys := slices.Clone(r.keys)
	if i := r.index(r.primary); i >= 0 {
		keys[i].stopped = fresh.created
	}
	return &Ring{installation: r.installation, primary: fresh.id, keys: append(keys, fresh)}, nil
}

func (r *Ring) draw(random io.Reader) (dataKey, error) {
	var b [idBytes + keyBytes]byte
	for range drawTries {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return dataKey{}, fmt.Errorf("seal: drawing a data key: %w", err)
		}
		id := binary.BigEndian.Uint32(b[:idBytes])
		if id != 0 && r.index(id) < 0 {
			return dataKey{id: id, key: secret.New(string(b[idBytes:]))}, nil
		}
	}
	return dataKey{}, errDraw
}

func (r *Ring) index(id uint32) int {
	return slices.IndexFunc(r.keys, func(k dataKey) bool { return k.id == id })
}

// Primary returns the id of the key that seals.
func (r *Ring) Primary() uint32 { return r.primary }

// Bytes returns the ring, keys and all, to be wrapped and never to be kept as
// it is: under 4096 bytes. The installation is not in it: the encryption
// context binds it. Numbers are big endian, times are Unix seconds:
//
//	0x01 · primary id (4) · number of keys (1) · for each key, oldest first:
//	id (4) · created (8) · stopped being primary (8, zero for the primary) · key (32)
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

// ParseRing reads the Bytes of a ring. Whatever else it is given is an error,
// which tells nothing of it.
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

func parseKey(b []byte) (k dataKey, ok bool) {
	created, stopped := binary.BigEndian.Uint64(b[idBytes:]), binary.BigEndian.Uint64(b[idBytes+8:])
	k = dataKey{
		id:      binary.BigEndian.Uint32(b),
		created: fromSeconds(created),
		stopped: fromSeconds(stopped),
		key:     secret.New(string(b[idBytes+16:])),
	}
	return k, k.id != 0 && 0 < created && created < endOfTime && stopped < endOfTime
}

// whole gives a time as a ring's bytes keep it, and never zero: a clock may well
// stand at the beginning of 1970 in a simulation.
func whole(t time.Time) time.Time { return time.Unix(max(t.Unix(), 1), 0).UTC() }

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

// Format implements [fmt.Formatter] for every verb.
func (Ring) Format(f fmt.State, _ rune) { io.WriteString(f, "[keyring]") }

// LogValue implements [slog.LogValuer].
func (Ring) LogValue() slog.Value { return slog.StringValue("[keyring]") }
