// Package refresher implements the refresh protocol. It decides whether an access token
// can be returned without a refresh, and lets only one caller at a time request a new
// token from Asana.
//
// A connection's hot row ([store.Hot]) contains its tokens and also serves as its lock.
// To refresh, a caller takes the row's lease with a conditional write, sends one request
// to Asana, and saves the response with another conditional write. The caller that has
// taken the lease is the lease's holder. During a refresh, other callers get the old
// token while it is still usable. When it is no longer usable, they wait for the save.
//
// Each refresh increments the row's Grant, and each consent increments its Generation. A
// response is saved only if the row still has the Grant and the Generation with which the
// request was sent.
//
// A refresh has the following steps. Each item begins with the name of a method:
//
//   - refresh returns the row if its token is fresh.
//   - refuseDuringCoolDown handles a cool-down. The caller gets the old token if that is
//     usable, and TryAgain otherwise.
//   - refuseDuringCoolDown also handles the first report of a token as refused, if the
//     report comes during a cool-down or within 30 s of the last report. It marks the
//     token as refused without taking a lease. Within 30 s of the last report, it also
//     starts a cool-down that lasts until the 30 s end. If this write fails, the caller
//     reports the token again after its next 401.
//   - serveDuringRefresh handles another holder's lease. The caller gets the old token if
//     that is usable. Otherwise, the caller waits and reads the row again.
//   - prepare gets the data keys, the refresh token and the client secret. The caller
//     must have 10 s left.
//   - takeLease writes the lease: a random ID and an end in 12 s. The connection must be
//     active, and the row must be unchanged since it was read. If the process dies later,
//     other callers wait until the lease's end plus the clock skew, and then take the
//     lease.
//   - request sends one request, without redirects or retries. The lease and the caller
//     must both have 10 s left. Otherwise, request releases the lease. If the response is
//     lost and Asana did not rotate the token, the cost is one extra request. If Asana
//     did rotate the token, it rejects the old token next. The connection then becomes
//     broken, and an alarm is raised.
//   - save writes the new tokens, increments Grant and removes the lease. The row must
//     still have the grant and generation that were sent. If the response to the write is
//     lost, the store recognizes the repeated write.
//
// takeLease also sets OutcomeUnknown if the row still contains an earlier lease. It sets
// RefusedGrant and RefusedAt if the caller reports the current token as refused.
//
// These methods handle failures:
//
//   - startCoolDown handles a failed request. It writes a cool-down and removes the
//     lease. If Asana may have rotated the token, it also sets OutcomeUnknown. The row
//     must still have the holder's lease.
//   - markBroken handles a rejected refresh token. It marks the connection as broken and
//     removes the lease. The row must still have the holder's lease, grant and
//     generation. If the process dies first, the lease expires and the next caller sends
//     a request.
//   - failedSave handles a failed save of a grant that is still in the row. If Asana did
//     not rotate the refresh token, the caller gets the new access token unsaved. If
//     Asana did rotate it, failedSave raises the alarm rotated_token_unsaved.
//   - revokeOrphaned handles a save that is impossible because the row has another grant.
//     If the connection was disconnected, it revokes the new tokens. Otherwise, it
//     discards them.
//
// A second request with the same grant is sent only if one of these is true:
//
//   - The last request failed, the old refresh token is still valid, and the cool-down
//     has ended.
//   - A holder died, or stalled past the end of its lease.
//   - Asana rejected the first client secret.
//   - A caller reports the access token as refused.
//
// If Asana rotates refresh tokens and a holder dies between the request and the save, the
// new token is lost. The connection is then marked as broken, and no wrong token is
// returned.
//
// Disconnecting uses the same lease. [Refresher.Revoke] has these steps:
//
//   - markRevoking sets the status revoking and a new epoch, and erases the access token.
//     The row must still have the epoch that the caller read.
//   - takeLease takes the lease, as for a refresh, but the connection must be revoking.
//   - revokeAndErase sends one revocation request (RFC 7009). It sends no request if
//     another connection here has a grant for the same Asana user and client id. If the
//     process dies, the connection stays revoking, and the next call of Revoke sends the
//     request again.
//   - erase replaces the connection's rows with a tombstone. The row must still have the
//     grant that was revoked.
//
// If no request can be sent to Asana, the connection stays revoking. A failed request
// also starts a cool-down. Call Revoke again later.
//
// Read the files in this order: policy, times, refresh, lease, request, save, failure,
// revoke.
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

// Config configures a [Refresher]. Its values must be safe for concurrent use.
type Config struct {
	Store   store.Store           // required
	Keys    *keyring.Keyring      // required
	Asana   *asana.Client         // required
	Secrets *clientsecret.Secrets // required
	Clock   asanaauth.Clock       // nil: asanaauth.SystemClock
	Rand    io.Reader             // nil: crypto/rand.Reader
	Log     *slog.Logger          // nil: nothing is logged

	// Join makes concurrent callers in this process share one refresh. That saves reads in
	// a long-lived process. Without Join, the lease still lets only one caller refresh.
	Join bool
}

// Refresher refreshes and revokes the grants of connections. It is safe for concurrent
// use.
type Refresher struct {
	rows     *row.Rows
	requests *requests.Requests
	clientID string
	leases   seenLeases

	join    bool
	flight  singleflight.Group
	flights sync.WaitGroup // refreshes that continue after their callers have returned
}

// New returns a Refresher. The error names every missing field.
func New(c Config) (*Refresher, error) {
	rows, err1 := row.New(row.Config{Store: c.Store, Keys: c.Keys, Clock: c.Clock, Rand: c.Rand, Log: c.Log})
	requests, err2 := requests.New(requests.Config{Rows: rows, Asana: c.Asana, Secrets: c.Secrets})
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return &Refresher{rows: rows, requests: requests, clientID: c.Asana.ClientID(), join: c.Join}, nil
}

// Rows returns the rows that r reads and writes.
func (r *Refresher) Rows() *row.Rows { return r.rows }

// Requests returns the client that r uses to send requests to Asana.
func (r *Refresher) Requests() *requests.Requests { return r.requests }

// Wait waits until no refresh is in progress. It returns nil, or ctx's error if ctx ends
// first. Call Wait after the last Refresh and before the process ends. A refresh can
// continue after its callers have returned. If the process ends before a rotated token is
// saved, the token is lost.
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
