package login

import (
	"context"
	"errors"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// outcomeWait is how long a repeated callback waits for the outcome of the first one. A
// browser repeats a callback at once if a person clicks twice, or if a service worker
// fetches a page that the browser has already requested.
const outcomeWait = 5 * time.Second

// repeat returns the outcome of the callback that uses the attempt.
func (r *Receiver) repeat(ctx context.Context, attempt *store.Attempt, req CallbackRequest) (Outcome, error) {
	wait, cancel := r.rows.WithTimeout(ctx, outcomeWait)
	defer cancel()
	for attempt.Outcome == "" {
		if r.rows.Pause(wait) != nil {
			return outcomeOf(attempt), row.TryAgain(0, errors.New("the outcome of another callback is unknown"))
		}
		var err error
		if attempt, err = r.find(ctx, req); err != nil {
			return Outcome{}, err
		}
	}
	return r.outcomeAgain(ctx, attempt, req)
}

// outcomeAgain returns the outcome of a finished attempt. It returns LoginExpired if the
// session that the attempt began is not valid anymore, or if the connect code cannot be
// redeemed anymore.
func (r *Receiver) outcomeAgain(ctx context.Context, attempt *store.Attempt, req CallbackRequest) (Outcome, error) {
	out := outcomeOf(attempt)
	if attempt.Outcome != outcomeConnected {
		return out, &asanaauth.Error{Kind: failureOf(attempt.Outcome), Err: errors.New("the browser repeated a callback that had failed")}
	}
	secrets, err := derive(req.Browser, attempt.Salt)
	if err != nil {
		return Outcome{}, err
	}
	if attempt.Link.IsZero() {
		out.Session, out.SessionTTL = cookieOf(attempt.Connection, secrets), r.c.SessionTTL
		err = session.Check(ctx, r.rows, out.Session)
	} else {
		out.ConnectCode, err = link.HeldCode(ctx, r.rows.Table, attempt.Link, secrets.code)
	}
	switch asanaauth.KindOf(err) {
	case "":
		return out, nil
	case asanaauth.Unauthenticated, asanaauth.LinkExpired:
		err = errExpired
	}
	return Outcome{}, err
}

// failureOf returns the kind of error in an attempt's Outcome, or Internal if a callback
// never returns this kind, because a forged row can contain any text.
func failureOf(outcome string) asanaauth.ErrorKind {
	switch kind := asanaauth.ErrorKind(outcome); kind {
	case asanaauth.AccessDenied, asanaauth.LoginExpired, asanaauth.LinkExpired, asanaauth.WrongAccount,
		asanaauth.Misconfigured, asanaauth.AsanaUnavailable, asanaauth.TryAgain:
		return kind
	}
	return asanaauth.Internal
}
