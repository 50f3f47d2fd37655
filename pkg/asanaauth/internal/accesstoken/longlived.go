package accesstoken

import (
	"context"
	"errors"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/refresher"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// A personal access token or a service account's token is never refreshed, and can stop
// working at any time. If a caller reports it as refused, or it has expired, it is
// introspected. If it is not active, the connection is marked as broken.

// longLived returns the opened token of a connection that is not an OAuth grant.
func (s *Source) longLived(ctx context.Context, o *row.Opened, r Request) (secret.String, error) {
	for {
		access, err := s.rows.OpenAccess(ctx, o.Ring, o.Hot)
		if err != nil {
			return secret.String{}, err
		}
		if !s.isDoubtful(o.Hot, access, r) {
			return access, nil
		}
		_, err = s.introspect(ctx, o, access, true)
		if !errors.Is(err, row.ErrChanged) {
			return access, err
		}
		if o.Hot, err = s.rows.ReadHot(ctx, o.Hot.Connection); err != nil {
			return secret.String{}, err
		}
	}
}

// isDoubtful reports whether the token must be introspected: a caller reports it as
// refused, or it has expired. That happens at most once in 30 seconds, because a workspace
// that blocks an active token also responds with 401.
func (s *Source) isDoubtful(hot *store.Hot, access secret.String, r Request) bool {
	now := s.rows.Now()
	expired := !hot.Expires.IsZero() && !now.Before(hot.Expires)
	return (expired || r.isRefused(access)) && refresher.UntilNextReport(hot, now) == 0
}

// introspect introspects the token, and marks the connection as broken if the token is not
// active. If reported is true, it also writes the time, so that the next report must wait.
//
// Errors: row.ErrChanged if another writer came first; ReconnectRequired if the token
// is not active; those of Introspect.
func (s *Source) introspect(ctx context.Context, o *row.Opened, access secret.String, reported bool) (asana.Introspection, error) {
	info, err := s.requests.Introspect(ctx, access)
	if err != nil || info.Active && !reported {
		return info, err
	}
	saving, cancel := s.rows.WithTimeout(context.WithoutCancel(ctx), row.SaveReserve)
	defer cancel()
	known := o.Hot
	hot, err := s.rows.UpdateHot(saving, known, func(now *store.Hot) error {
		if now.Rev != known.Rev {
			return row.ErrChanged
		}
		if reported {
			now.RefusedAt = s.rows.Now()
		}
		if !info.Active {
			now.Status, now.Reason, now.BrokenAt = row.Broken, asanaauth.ReasonInactive, s.rows.Now()
			row.EraseAccess(now)
		}
		return nil
	})
	if err != nil {
		return info, err
	}
	o.Hot = hot
	if info.Active {
		return info, nil
	}
	s.rows.Audit(ctx, row.AuditReconnect, o.Caller, o.Hot)
	return info, &asanaauth.Error{Kind: asanaauth.ReconnectRequired, Err: errors.New("asana reports the token as not active")}
}

// Examine introspects the connection's access token now (RFC 7662). It returns the token
// and the result. If the token is not active, an OAuth grant is refreshed and introspected
// once more; a connection with a long-lived token is marked as broken.
//
// Errors: those of [Source.Get].
func (s *Source) Examine(ctx context.Context, conn *row.Connection) (secret.String, asana.Introspection, error) {
	o := row.Unwrap(conn)
	ctx = asanaauth.WithCaller(ctx, o.Caller)
	if !o.Traits.IsGrant {
		return s.examineLongLived(ctx, o)
	}
	r := Request{MinTTL: DefaultMinTTL}
	for again := true; ; again = false {
		access, err := s.Get(ctx, o, r)
		if err != nil {
			return access, asana.Introspection{}, err
		}
		info, err := s.requests.Introspect(ctx, access)
		if err != nil || info.Active || !again {
			return access, info, err
		}
		r.Refused = access
	}
}

// examineLongLived introspects a long-lived token. If the token was replaced meanwhile, or
// another writer came first, it starts again with the new row, until ctx ends.
func (s *Source) examineLongLived(ctx context.Context, o *row.Opened) (secret.String, asana.Introspection, error) {
	for {
		access, err := s.Get(ctx, o, Request{})
		if err != nil {
			return access, asana.Introspection{}, err
		}
		info, err := s.introspect(ctx, o, access, false)
		if err != nil && !errors.Is(err, row.ErrChanged) {
			return access, info, err
		}
		asked := o.Hot
		if o.Hot, err = s.rows.ReadHot(ctx, o.Hot.Connection); err != nil {
			return access, info, err
		}
		if info.Active && o.Hot.Status == row.Active && o.Hot.Grant == asked.Grant && o.Hot.Epoch == asked.Epoch {
			return access, info, nil
		}
	}
}
