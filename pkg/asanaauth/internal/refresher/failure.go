package refresher

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// fail marks the connection as broken if Asana rejected the refresh token with
// invalid_grant. After any other error, fail starts a cool-down, because the error says
// nothing about the refresh token.
func (h *holder) fail(ctx context.Context, err error) (*store.Hot, error) {
	var response *asana.Error
	errors.As(err, &response)
	switch {
	case asanaauth.KindOf(err) == asanaauth.Misconfigured:
		h.startCoolDown(ctx, 0, false)
	case response == nil:
		h.startCoolDown(ctx, 0, true)
	case response.Code == asana.InvalidGrant:
		return h.markBroken(ctx, err)
	default:
		h.startCoolDown(ctx, response.RetryAfter, !isRefusal(response))
	}
	return h.hot, err
}

// isRefusal reports whether Asana certainly did not process the request, which is the
// case for a 3xx or 4xx status. After a 5xx status, or a 200 response that cannot be
// read, Asana may have rotated the token.
func isRefusal(response *asana.Error) bool {
	return response.Status >= http.StatusMultipleChoices && response.Status < http.StatusInternalServerError
}

// startCoolDown starts a cool-down and removes the lease, in one write. Until the
// cool-down ends, no caller sends a request for this connection to Asana. The cool-down
// lasts a random 2 to 8 s, or retryAfter if that is longer, but at most 5 min.
// outcomeUnknown is true if Asana may have rotated the token.
func (h *holder) startCoolDown(ctx context.Context, retryAfter time.Duration, outcomeUnknown bool) {
	wait := max(h.rows.Jitter(coolDownMin, coolDownMax), min(retryAfter, row.RetryAfterMax))
	until := h.rows.Now().Add(wait)
	ok := h.release(ctx, func(now *store.Hot) {
		now.CoolUntil = until
		now.OutcomeUnknown = now.OutcomeUnknown || outcomeUnknown
	})
	if !ok && outcomeUnknown {
		h.noteOutcomeUnknown(ctx)
	}
}

// markBroken marks the connection as broken after Asana rejected its refresh token, but
// only if the row still contains h's lease, and still has the Grant and the Generation
// that it had when h took the lease. Otherwise, markBroken returns row.ErrChanged and the
// current row. The sealed refresh token stays in the row.
//
// If the row has OutcomeUnknown, Asana may have rotated the token during an earlier
// request, and the new token is lost. markBroken then sets the reason ReasonLostToken and
// raises an alarm, even if the store did not confirm the write.
func (h *holder) markBroken(ctx context.Context, err error) (*store.Hot, error) {
	now := h.rows.Now()
	broke, lost := false, false
	ok := h.release(ctx, func(hot *store.Hot) {
		broke = hot.Status == row.Active && h.hasSentGrant(hot)
		lost = broke && hot.OutcomeUnknown
		if !broke {
			return
		}
		hot.Status, hot.Reason = row.Broken, asanaauth.ReasonInvalidGrant
		if lost {
			hot.Reason = asanaauth.ReasonLostToken
		}
		row.EraseAccess(hot)
		hot.BrokenAt = now
	})
	if lost && (ok || h.hasLease()) {
		h.rows.Alarm(ctx, row.AlarmLost, h.sent.Connection, err)
	}
	if !ok || !broke {
		h.noteOutcomeUnknown(ctx)
		return h.readAgain(ctx)
	}
	h.rows.Audit(ctx, row.AuditReconnect, asanaauth.CallerOf(ctx), h.hot)
	return nil, &asanaauth.Error{Kind: asanaauth.ReconnectRequired, Err: fmt.Errorf("rejected: %w", err)}
}

func (h *holder) readAgain(ctx context.Context) (*store.Hot, error) {
	ctx, cancel := h.rows.WithTimeout(ctx, row.SaveReserve)
	defer cancel()
	next, err := h.rows.ReadHot(ctx, h.sent.Connection)
	if err != nil {
		return nil, err
	}
	return next, row.ErrChanged
}

// noteOutcomeUnknown sets OutcomeUnknown in the row if another holder has replaced the
// refresh token that h sent. Asana may then end the whole consent, because h used an old
// token. OutcomeUnknown makes markBroken report a lost token if Asana later rejects the
// row's token.
func (h *holder) noteOutcomeUnknown(ctx context.Context) {
	if h.hot == nil {
		return
	}
	ctx, cancel := h.rows.WithTimeout(context.WithoutCancel(ctx), row.SaveReserve)
	defer cancel()
	h.hot, _ = h.rows.UpdateHot(ctx, h.hot, func(now *store.Hot) error {
		replaced := now.Grant != h.sent.Grant && now.Generation == h.sent.Generation
		if now.Status != row.Active || now.OutcomeUnknown || !replaced {
			return row.ErrChanged
		}
		now.OutcomeUnknown = true
		return nil
	})
}
