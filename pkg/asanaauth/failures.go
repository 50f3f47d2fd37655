package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// The reasons of a broken connection, as the contract names them.
const (
	reasonInvalidGrant = "invalid-grant"
	reasonLostToken    = "lost-rotated-token"
)

// giveUp gives the lease back without having asked Asana.
func (h *holder) giveUp(ctx context.Context) (*store.Hot, error) {
	h.release(ctx, func(*store.Hot) {})
	return h.hot, tryAgain(0, errors.New("no time left to ask Asana"))
}

// fail ends a refresh that got no tokens. Only invalid_grant says something of
// the connection; all else is a trouble of Asana's or of the operator's.
func (h *holder) fail(ctx context.Context, err error, caller string) (*store.Hot, error) {
	var answer *asana.Error
	switch {
	case errors.Is(err, errSecretRejected):
		h.c.alarm(ctx, alarmSecretRejected, h.hot.Connection, err)
		h.coolDown(ctx, 0, false)
		return h.hot, &Error{Kind: Misconfigured, Err: err}
	case errors.As(err, &answer) && answer.Code == asana.InvalidGrant:
		return h.breakUp(ctx, err, caller)
	case errors.As(err, &answer):
		h.coolDown(ctx, answer.RetryAfter, !refusedBy(answer))
	default:
		h.coolDown(ctx, 0, true)
	}
	return h.hot, fromParts(fmt.Errorf("refreshing: %w", err))
}

// refusedBy reports whether the answer says that Asana has done nothing. All
// else (no answer, trouble behind a gateway, a 200 that cannot be read) may
// follow upon a rotation.
func refusedBy(answer *asana.Error) bool { return answer.Status >= 300 && answer.Status < 500 }

// coolDown keeps everybody from asking Asana for a while, and gives the lease
// back in the same write. unsettled notes that the outcome is not known.
func (h *holder) coolDown(ctx context.Context, retryAfter time.Duration, unsettled bool) {
	wait := max(h.c.between(coolDownMin, coolDownMax), min(retryAfter, retryAfterMax))
	until, sent := h.c.now().Add(wait), h.hot
	ok := h.release(ctx, func(row *store.Hot) {
		row.CoolUntil = until
		row.Unsettled = row.Unsettled || unsettled
	})
	if !ok && unsettled {
		h.unsettle(ctx, sent)
	}
}

// breakUp marks the connection broken: Asana refused this very refresh token,
// under our own lease and the grant that was sent. The sealed refresh token is
// kept, for maintenance to try again. Where the outcome of a request before is
// not known, its answer may have had a rotated token, and that is said: also
// where the table stays away and nobody knows whether the mark was kept.
func (h *holder) breakUp(ctx context.Context, err error, caller string) (*store.Hot, error) {
	sent, now := h.hot, h.c.now()
	broke, lost := false, false
	ok := h.release(ctx, func(row *store.Hot) {
		broke = row.Status == store.Active && row.Grant == sent.Grant && row.Generation == sent.Generation
		lost = broke && row.Unsettled
		if !broke {
			return
		}
		row.Status, row.Reason = store.Broken, reasonInvalidGrant
		if lost {
			row.Reason = reasonLostToken
		}
		eraseAccess(row)
		row.BrokenAt, row.Tries, row.NextTry = now, 0, now.Add(firstRetry)
	})
	if lost && (ok || h.holds()) {
		h.c.alarm(ctx, alarmLost, sent.Connection, err)
	}
	if !ok || !broke {
		h.unsettle(ctx, sent)
		return nil, errLook
	}
	h.c.audit(ctx, auditReconnect, caller, h.hot)
	return nil, &Error{Kind: ReconnectRequired, Err: fmt.Errorf("refreshing: %w", err)}
}

// unsettle notes on the row that a token was sent which somebody else had
// replaced by then: we stalled past our lease. Where Asana ends a consent whose
// rotated token comes again, the one that stands there now is worth nothing, and
// that has to be said when it shows.
func (h *holder) unsettle(ctx context.Context, sent *store.Hot) {
	ctx, cancel := h.c.bound(context.WithoutCancel(ctx), saveReserve)
	defer cancel()
	for h.hot != nil && h.hot.Status == store.Active && !h.hot.Unsettled &&
		h.hot.Grant != sent.Grant && h.hot.Generation == sent.Generation {
		row := *h.hot
		row.Unsettled = true
		there, err := h.persist(ctx, &row)
		if err != nil && !errors.Is(err, errLook) {
			return
		}
		h.hot = there
	}
}

// holds reports whether the row, as it is known, has our lease.
func (h *holder) holds() bool { return h.hot != nil && h.hot.Lease == h.name }

// release changes the row and takes our lease off it, in one write, which is
// tried again as long as there is time: one whose answer was lost knows itself.
// It reports whether that happened: where the lease is somebody else's by now,
// the row is theirs, and it is the one that counts for our caller, too. Where
// the table stays away the lease runs out by itself.
func (h *holder) release(ctx context.Context, change func(*store.Hot)) bool {
	ctx, cancel := h.c.bound(context.WithoutCancel(ctx), saveReserve)
	defer cancel()
	for {
		row := *h.hot
		h.leaseOff(&row)
		change(&row)
		there, err := h.persist(ctx, &row)
		if err == nil {
			return true
		}
		if !errors.Is(err, errLook) {
			return false
		}
		if h.hot = there; !h.holds() {
			return false
		}
	}
}
