// Package row reads, checks and replaces the rows of connections, sessions, links and
// attempts.
//
// A [Table] reads and replaces rows. If a different writer comes first, or the response
// to a write is lost, [Table.Update] repeats the write. If the first write did succeed,
// Update recognizes the rows that it wrote, and reports success. [Table.Replace] and
// [Table.Insert] try a write only once. [Rows] adds the data keys: it opens and seals
// fields, and opens connections.
//
// Rows are checked before they are trusted. [IDMatches] computes a connection's ID from
// the other fields of its hot row, and compares the result with the ID in the row. A
// sealed field is bound to its row and its owner. If an attacker copies the field to a
// different row, or changes the row's owner, the field cannot be opened.
//
// The package also contains what its importers share: time limits, audit lines, alarms,
// and the differences between the kinds of credentials ([TraitsOf]).
package row

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// TableConfig contains what a [Table] needs. Every value must be safe for concurrent use.
type TableConfig struct {
	Store store.Store     // required
	Clock asanaauth.Clock // nil: asanaauth.SystemClock
	Rand  io.Reader       // nil: crypto/rand.Reader
	Log   *slog.Logger    // nil: nothing is logged
}

// Table reads and replaces rows. A Table has no data keys, so it cannot open or seal
// fields. A Table is safe for concurrent use.
type Table struct {
	store store.Store
	clock asanaauth.Clock
	rand  io.Reader
	log   *slog.Logger
}

// NewTable returns a Table, or an error if Store is missing.
func NewTable(c TableConfig) (*Table, error) {
	if err := Missing(c.Store == nil, "Store"); err != nil {
		return nil, err
	}
	t := &Table{store: c.Store, clock: c.Clock, rand: c.Rand, log: c.Log}
	if t.clock == nil {
		t.clock = asanaauth.SystemClock{}
	}
	if t.rand == nil {
		t.rand = rand.Reader
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	return t, nil
}

// Read returns those rows that exist under the given keys. The parameter "what" describes
// the rows in the error text "reading <what>".
//
// Errors: TryAgain, Internal.
func (t *Table) Read(ctx context.Context, what string, keys ...store.Key) (store.Rows, error) {
	rows, err := t.store.Read(ctx, keys...)
	if err != nil {
		return nil, ErrorOf(fmt.Errorf("reading %s: %w", what, err))
	}
	return rows, nil
}

// List returns one page of the rows in the partition pk, and the cursor of the next page,
// like the List method of [store.Store]. List returns the store's errors unchanged.
func (t *Table) List(ctx context.Context, pk, cursor string) ([]store.Row, string, error) {
	return t.store.List(ctx, pk, cursor)
}

// Get returns the row with a key, or nil if the row is missing or has a different type.
func Get[R store.Row](rows store.Rows, key store.Key) R {
	r, _ := rows[key].(R)
	return r
}

// Now returns the current time according to the table's clock.
func (t *Table) Now() time.Time { return t.clock.Now() }

// Sleep waits for d and returns nil. If ctx ends first, Sleep returns ctx's error.
func (t *Table) Sleep(ctx context.Context, d time.Duration) error { return t.clock.Sleep(ctx, d) }

// Pause sleeps for a random time between 100 and 400 ms. Callers pause between two reads
// of the same row. If ctx ends first, Pause returns ctx's error.
func (t *Table) Pause(ctx context.Context) error { return t.PauseAtMost(ctx, pollMax) }

// PauseAtMost is like Pause, but never sleeps longer than d.
func (t *Table) PauseAtMost(ctx context.Context, d time.Duration) error {
	return t.Sleep(ctx, min(d, t.Jitter(pollMin, pollMax)))
}

// WithTimeout returns a copy of ctx that ends after d, or at ctx's own deadline if that is
// earlier.
func (t *Table) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return t.clock.WithDeadline(ctx, t.Now().Add(d))
}

// Detach returns a context that has ctx's deadline and values, but is not canceled when
// ctx is canceled. If ctx has no deadline, the new context ends after CallerTime.
//
// Call Detach before a request to Asana whose response cannot be obtained again: the tokens
// for a code, or a rotated refresh token. Save the response with the new context.
// [Table.Update] then tries to save it until the caller's time ends, even if the caller has
// canceled. A late save does no harm, because it succeeds only if the rows have not changed.
func (t *Table) Detach(ctx context.Context) (context.Context, context.CancelFunc) {
	return t.WithTimeout(context.WithoutCancel(ctx), min(t.Remaining(ctx), CallerTime))
}

// Remaining returns the time until ctx's deadline, or an hour if ctx has no deadline.
func (t *Table) Remaining(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return time.Hour
	}
	return end.Sub(t.Now())
}

// Jitter returns a random duration in [low, high), or high if it cannot read random bytes.
func (t *Table) Jitter(low, high time.Duration) time.Duration {
	b, err := t.RandomBytes(4)
	if err != nil {
		return high
	}
	n := uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
	return low + time.Duration(n*uint64(high-low)>>32)
}

// RandomBytes returns n bytes from the table's random source.
func (t *Table) RandomBytes(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(t.rand, b); err != nil {
		return nil, fmt.Errorf("reading random bytes: %w", err)
	}
	return b, nil
}

// RandomID returns 64 random bits in hexadecimal. Every writer, lease and epoch has such
// an ID.
func (t *Table) RandomID() (string, error) {
	b, err := t.RandomBytes(8)
	return hex.EncodeToString(b), err
}

// RandomToken returns 32 random bytes in base64url, for a secret that a browser or an app
// gets.
func (t *Table) RandomToken() (string, error) {
	b, err := t.RandomBytes(32)
	return Base64URL(b), err
}

// Base64URL returns b in base64url without padding (RFC 4648 section 5).
func Base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Warn logs a message at the level WARN, for a problem that does not change the result of
// the call.
func (t *Table) Warn(ctx context.Context, message string, attrs ...slog.Attr) {
	t.log.LogAttrs(ctx, slog.LevelWarn, message, attrs...)
}

// Error logs a message at the level ERROR, for a problem that an operator should know
// about. Unlike [Table.Alarm], it does not write the name of an alarm.
func (t *Table) Error(ctx context.Context, message string, attrs ...slog.Attr) {
	t.log.LogAttrs(ctx, slog.LevelError, message, attrs...)
}
