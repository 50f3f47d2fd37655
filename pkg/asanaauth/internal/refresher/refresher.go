// Package refresher implements the refresh protocol. It decides whether an access token
// can be returned as it is, and lets only one caller at a time ask Asana for a new one.
//
// The hot row of a connection ([store.Hot]) has its tokens and serves as its lock. To
// refresh, a caller takes the row's lease with a conditional write, sends one request to
// Asana, and saves the response with another conditional write. In the meantime, other
// callers get the old token while it is still usable. Otherwise they wait for the save.
//
// The row's Grant changes with each refresh and its Generation with each consent. A
// response is saved only if both are still those with which the request was sent.
//
// The steps of a refresh:
//
//	step     function              requires                    does                               if the process dies, or a response is lost
//	fresh    refresh               a fresh token               returns the row                    -
//	cool     refuseDuringCoolDown  a cool-down                 returns the old token if usable,   -
//	                                                           otherwise TryAgain
//	report   refuseDuringCoolDown  the first report of this    without a lease, marks the token   the write is recognised; an unwritten
//	                               token, during a cool-down   as refused; within 30 s of the     report is made again after the next 401
//	                               or within 30 s of the       last report, also starts a
//	                               last report                 cool-down until the 30 s end
//	serve    serveDuringRefresh    another holder's lease      returns the old token if usable,   -
//	                                                           otherwise waits and reads again
//	prepare  prepare               10 s of the caller's time   gets data keys, refresh token and  -
//	                                                           client secret
//	lease    takeLease             an active connection, and   writes the lease: a random name,   other callers wait until its end + clock
//	                               the row as it was read      and an end in 12 s; see below      skew, then take a lease of their own
//	request  request               10 s of the lease and of    sends one request, without         not rotated: one extra request. Rotated:
//	                               the caller's time;          redirects or retries               Asana rejects the old token next; the
//	                               otherwise it gives the                                         connection becomes broken, with an alarm
//	                               lease back
//	save     save                  grant and generation as     writes the tokens and grant + 1,   the write is recognised
//	                               they were sent              removes the lease
//
// With the lease, takeLease also writes these fields of store.Hot: OutcomeUnknown if an
// earlier lease was not given back; RefusedGrant and RefusedAt if the current token was
// reported as refused.
//
// The steps after a failure:
//
//	step     function              requires                    does                               if the process dies, or a response is lost
//	fail     startCoolDown         the holder's own lease      writes a cool-down, removes the    the lease runs out
//	                                                           lease; OutcomeUnknown if Asana
//	                                                           may have rotated the token
//	reject   markBroken            the holder's own lease,     marks the connection as broken,    the lease runs out, and the next caller
//	                               grant and generation as     removes the lease                  asks Asana again
//	                               they were sent
//	unsaved  failedSave            a save that failed, with    not rotated: returns the new       -
//	                               the grant as it was sent    token unsaved. Rotated: alarm
//	                                                           rotated_token_unsaved
//	orphan   revokeOrphaned        a save that the row         if the connection was              the new tokens are forgotten
//	                               refuses: another grant      disconnected, revokes the tokens;
//	                                                           otherwise forgets them
//
// A second request with the same grant is sent only if one of these is true:
//
//   - the last request failed, the old token is still valid, and the cool-down has ended;
//   - a holder died, or stalled past the end of its lease;
//   - Asana rejected the first client secret;
//   - a caller reports the access token as refused.
//
// If Asana rotates refresh tokens and a holder dies between the request and the save, the
// new token is lost. Then the connection is marked as broken, and no wrong token is
// returned.
//
// Disconnecting uses the same lease. The steps of [Refresher.Revoke]:
//
//	step     function              requires                    does                               if the process dies, or a response is lost
//	mark     markRevoking          the epoch as it was read    writes the status revoking and a   the write is recognised
//	                                                           new epoch, erases the access token
//	lease    takeLease             a revoking connection,      as above                           as above
//	                               otherwise as above
//	revoke   revokeAndErase        10 s of the lease and of    sends one request (RFC 7009), if   the connection stays revoking; the next
//	                               the caller's time           no other connection here has a     Revoke sends the request again
//	                                                           grant of the same user and app
//	erase    erase                 the grant as it was sent    replaces the rows by a tombstone   the write is recognised
//
// If Asana cannot be asked, the connection stays revoking, with a cool-down after a
// failed request. Call Revoke again later.
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

// Config configures a [Refresher]. All of its values must be safe for concurrent use.
type Config struct {
	Store   store.Store           // required
	Keys    *keyring.Keyring      // required
	Asana   *asana.Client         // required
	Secrets *clientsecret.Secrets // required
	Clock   asanaauth.Clock       // nil: asanaauth.SystemClock
	Rand    io.Reader             // nil: crypto/rand.Reader
	Log     *slog.Logger          // nil: nothing is logged

	// Join makes concurrent callers in this process share one refresh. It saves reads in
	// a long-lived process. Correctness does not depend on it.
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

// New returns a Refresher. The error reports every missing field.
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

// Requests returns the client with which r sends requests to Asana.
func (r *Refresher) Requests() *requests.Requests { return r.requests }

// Wait waits until no refresh is in progress. It returns nil, or ctx's error if ctx ends
// first. Call it after the last Refresh and before the process ends. A refresh continues
// after its callers have returned, and a rotated token that is not saved is lost.
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
