package refresher

import (
	"context"
	"errors"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// request sends a refresh request to Asana and saves the tokens in the response. If the
// caller cancels, the request and the save continue, because the response may contain the
// only copy of a rotated token.
func (h *holder) request(ctx context.Context) (*store.Hot, error) {
	if !h.hasTime(ctx) {
		h.release(ctx, func(*store.Hot) {})
		return h.hot, row.TryAgain(0, errors.New("no time left to ask Asana"))
	}
	ctx, cancel := h.rows.Detach(ctx)
	defer cancel()
	tokens, err := h.requests.Refresh(ctx, h.sent.Connection, h.refreshToken)
	if err != nil {
		return h.fail(ctx, err)
	}
	if tokens.NamesOther(h.sent.AsanaGID) {
		return h.rejectOtherUser(ctx)
	}
	return h.save(ctx, tokens)
}

// rejectOtherUser raises an alarm and starts a cool-down, because the response names an
// Asana user who is not the connection's user. rejectOtherUser discards the tokens, because
// with them one person would act as another. Asana may have rotated the connection's
// refresh token.
func (h *holder) rejectOtherUser(ctx context.Context) (*store.Hot, error) {
	err := &asanaauth.Error{Kind: asanaauth.AsanaUnavailable, Err: errors.New("the response to a refresh names a different Asana user")}
	h.rows.Alarm(ctx, row.AlarmOtherUser, h.sent.Connection, err)
	return h.fail(ctx, err)
}
