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

// A personal access token or a service account's token is never refreshed, but can become
// invalid at any time. If a caller reports such a token as refused, or the token has
// expired, asanaauth introspects it. If Asana's response says that the token is not
// active, the connection is marked as broken.

func (s *Source) longLived(ctx context.Context, o *row.Opened, r Request) (secret.String, error) {
	for {
		access, err := s.rows.OpenAccess(ctx, o.Ring, o.Hot)
		if err != nil {
			return secret.String{}, err
		}
		if !s.mustIntrospect(o.Hot, access, r) {
			return access, nil
		}
		_, err = s.checkActive(ctx, o, access, true)
		if !errors.Is(err, row.ErrChanged) {
			return access, err
		}
		if o.Hot, err = s.rows.ReadHot(ctx, o.Hot.Connection); err != nil {
			return secret.String{}, err
		}
	}
}

// mustIntrospect reports whether the token must be introspected, because a caller reports
// it as refused, or because it has expired. After such an introspection, mustIntrospect
// returns false for 30 seconds. Without this limit, a workspace that blocks the app would
// cause many introspections: Asana responds to each request with 401, although the token
// is active, and callers report each 401.
func (s *Source) mustIntrospect(hot *store.Hot, access secret.String, r Request) bool {
	now := s.rows.Now()
	expired := !hot.Expires.IsZero() && !now.Before(hot.Expires)
	return (expired || r.isRefused(access)) && refresher.UntilNextReport(hot, now) == 0
}

// checkActive introspects the token, and marks the connection as broken if the token is
// not active. If reported is true, checkActive also sets RefusedAt in the row, and so
// other reports are ignored for 30 seconds.
//
// Errors: row.ErrChanged if a different writer came first; ReconnectRequired if the token
// is not active; the errors of Introspect.
func (s *Source) checkActive(ctx context.Context, o *row.Opened, access secret.String, reported bool) (asana.Introspection, error) {
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

// Examine introspects the connection's access token (RFC 7662), and returns the token and
// the introspection response. If an OAuth access token is not active, Examine refreshes
// it once, and introspects the new token. If a long-lived token is not active, Examine
// marks the connection as broken and returns ReconnectRequired.
//
// Errors: the errors of [Source.Get].
func (s *Source) Examine(ctx context.Context, conn *row.Connection) (secret.String, asana.Introspection, error) {
	o := row.Unwrap(conn)
	ctx = asanaauth.WithCaller(ctx, o.Caller)
	if !o.Traits.IsGrant {
		return s.examineLongLived(ctx, o)
	}
	r := Request{MinTTL: DefaultMinTTL}
	for first := true; ; first = false {
		access, err := s.Get(ctx, o, r)
		if err != nil {
			return access, asana.Introspection{}, err
		}
		info, err := s.requests.Introspect(ctx, access)
		if err != nil || info.Active || !first {
			return access, info, err
		}
		r.Refused = access
	}
}

// examineLongLived introspects a long-lived token. If a different writer changes the row
// during the introspection, examineLongLived starts again with the current row, until ctx
// ends.
func (s *Source) examineLongLived(ctx context.Context, o *row.Opened) (secret.String, asana.Introspection, error) {
	for {
		access, err := s.Get(ctx, o, Request{})
		if err != nil {
			return access, asana.Introspection{}, err
		}
		info, err := s.checkActive(ctx, o, access, false)
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
