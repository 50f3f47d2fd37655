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

// If Asana rejected the refresh token with invalid_grant, fail marks the connection as
// broken. After any other error, fail starts a cool-down, because the refresh token may
// still be valid.
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
		wait := h.startCoolDown(ctx, response.RetryAfter, !isRefusal(response))
		if asanaauth.KindOf(err) == asanaauth.TryAgain { // Asana's rate limit
			err = row.TryAgain(wait, response)
		}
	}
	return h.hot, err
}

// isRefusal reports whether Asana refused the request, and so certainly has not rotated
// the token. This is the case for a 3xx or 4xx status. After a 5xx status, or a 200
// response that cannot be read, Asana may have rotated the token.
func isRefusal(response *asana.Error) bool {
	return response.Status >= http.StatusMultipleChoices && response.Status < http.StatusInternalServerError
}

// startCoolDown starts a cool-down and removes h's lease, in one write. Until the
// cool-down ends, no caller sends a token request for this connection. The length of
// the cool-down is the longer of retryAfter (at most 5 min) and a random time of 2 to 8
// s. startCoolDown returns this length. outcomeUnknown is true if Asana may have rotated
// the token. startCoolDown then puts the row's Grant in doubt.
func (h *holder) startCoolDown(ctx context.Context, retryAfter time.Duration, outcomeUnknown bool) time.Duration {
	wait := max(h.rows.Jitter(coolDownMin, coolDownMax), min(retryAfter, row.RetryAfterMax))
	until := h.rows.Now().Add(wait)
	ok := h.release(ctx, func(now *store.Hot) {
		now.CoolUntil = until
		if outcomeUnknown {
			now.DoubtedGrant = now.Grant
		}
	})
	if !ok && outcomeUnknown {
		h.noteDoubt(ctx)
	}
	return wait
}

// markBroken marks the connection as broken after Asana rejected its refresh token. The
// sealed refresh token stays in the row.
//
// If h's lease is no longer in the row, or Grant or Generation has changed since h took
// the lease, markBroken does not mark the connection. It then returns row.ErrChanged and
// the current row.
//
// If the row is in doubt ([isInDoubt]), a rotated token was probably lost. markBroken then
// sets the reason ReasonLostToken, and raises an alarm. It raises the alarm even if the
// store does not confirm the write.
func (h *holder) markBroken(ctx context.Context, err error) (*store.Hot, error) {
	now := h.rows.Now()
	broke, lost := false, false
	ok := h.release(ctx, func(hot *store.Hot) {
		broke = hot.Status == row.Active && h.hasSentGrant(hot)
		lost = broke && isInDoubt(hot)
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
		h.noteDoubt(ctx)
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

// isInDoubt reports whether Asana may have replaced or ended the row's refresh token, or
// the previous one, and no process stored the new one. A doubt lasts for one more save,
// because Asana may end a consent if the previous token was used twice.
func isInDoubt(hot *store.Hot) bool {
	return hot.DoubtedGrant > 0 && hot.Grant <= hot.DoubtedGrant+1
}

// noteDoubt puts the row's Grant in doubt if a different holder has saved a new refresh
// token since h took the lease. In this case, h sent an old token, and Asana may therefore
// end the whole consent. If Asana later rejects the row's token, markBroken reports a lost
// token.
func (h *holder) noteDoubt(ctx context.Context) {
	if h.hot == nil {
		return
	}
	ctx, cancel := h.rows.WithTimeout(context.WithoutCancel(ctx), max(h.rows.Remaining(ctx), row.SaveReserve))
	defer cancel()
	h.hot, _ = h.rows.UpdateHot(ctx, h.hot, func(now *store.Hot) error {
		replaced := now.Grant != h.sent.Grant && now.Generation == h.sent.Generation
		if now.Status != row.Active || now.DoubtedGrant == now.Grant || !replaced {
			return row.ErrChanged
		}
		now.DoubtedGrant = now.Grant
		return nil
	})
}
