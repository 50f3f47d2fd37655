// Package refresher implements the refresh protocol: it decides whether an access token
// can be returned without a refresh, and lets only one caller at a time request a new
// token from Asana.
//
// A connection's hot row ([store.Hot]) contains its tokens and also serves as its lock.
// To refresh, a caller takes the row's lease with a conditional write, sends one request
// to Asana, and saves the response with another conditional write. The caller that has
// taken the lease is called the holder. During a refresh, other callers get the old token
// while it is still usable. When the old token is no longer usable, these callers wait
// until the new token is saved.
//
// Each refresh and each consent increments the field Grant of the row. A consent also
// increments the field Generation. A response is saved only if the row still has the
// Grant and the Generation that it had when the request was sent.
//
// The page docs/refresh.md in the repository describes each step: what the step requires,
// and what happens if the process then stops. The page also describes the time limits and
// the invariants, and names the tests that check them. The steps are these methods:
//
//   - To refresh: refresh, prepare, takeLease, request, save.
//   - While a different caller has the lease: serveDuringRefresh.
//   - If a caller reports a token that Asana rejected, and a refresh must not be sent now:
//     checkReported.
//   - If a request or a save fails: startCoolDown, markBroken, failedSave, and
//     revokeOrphaned.
//   - To disconnect: markRevoking, takeLease, revokeAndErase, erase. A disconnect and a
//     refresh need the same lease, so only one of the two runs at a time.
//
// For one value of Grant, a second refresh request is sent only in these cases:
//
//   - The first request failed or its response could not be saved, and the cool-down and
//     the lease have ended.
//   - The holder's process stopped, or stalled past the end of its lease.
//   - The clocks of two machines differ by more than the clock skew.
//   - Asana rejected the client secret, and the holder tries the next one.
//
// If Asana rotates the refresh token, and the holder's process stops before it saves the
// response, the new token is lost. The next refresh then marks the connection as broken.
// No caller gets a wrong token.
//
// Read the files in this order: policy, times, refresh, lease, request, save, failure,
// report, revoke, erase.
package refresher

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/requests"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Config contains what a [Refresher] needs. The Refresher uses every field from several
// goroutines, so each value must be safe for concurrent use.
type Config struct {
	Store   store.Store           // required
	Keys    *keyring.Keyring      // required
	Asana   *asana.Client         // required
	Secrets *clientsecret.Secrets // required
	Clock   asanaauth.Clock       // nil: asanaauth.SystemClock
	Rand    io.Reader             // nil: crypto/rand.Reader
	Log     *slog.Logger          // nil: nothing is logged

	// Join makes concurrent callers in this process share one refresh, which saves reads
	// of the table in a long-lived process. Without Join, the lease still lets only one
	// caller refresh.
	Join bool
}

// Refresher refreshes and revokes the grants of connections. A Refresher is safe for
// concurrent use.
type Refresher struct {
	rows     *row.Rows
	requests *requests.Requests
	clientID string
	leases   seenLeases

	join    bool
	flight  singleflight.Group
	flights sync.WaitGroup // refreshes that continue after their callers have returned
}

// New returns a Refresher. If required fields of c are missing, the error names all of
// them.
func New(c Config) (*Refresher, error) {
	rows, err1 := row.New(row.Config{Store: c.Store, Keys: c.Keys, Clock: c.Clock, Rand: c.Rand, Log: c.Log})
	requests, err2 := requests.New(requests.Config{Rows: rows, Asana: c.Asana, Secrets: c.Secrets})
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return &Refresher{rows: rows, requests: requests, clientID: c.Asana.ClientID(), join: c.Join}, nil
}

// Rows returns the [row.Rows] with which r reads and writes the table.
func (r *Refresher) Rows() *row.Rows { return r.rows }

// Requests returns the client that r uses to send requests to Asana.
func (r *Refresher) Requests() *requests.Requests { return r.requests }

// Wait waits until no refresh is in progress, and returns nil. If ctx ends first, Wait
// returns ctx's error.
//
// Call Wait after the last call of Refresh, before the process ends. A refresh can
// continue after its callers have returned. If the process ends before the save, a
// rotated token is lost.
func (r *Refresher) Wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		r.flights.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
