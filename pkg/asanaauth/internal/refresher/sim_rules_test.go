package refresher_test

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

type hotWrite struct {
	c                         *simCall
	was, is                   *store.Hot // the old and the new row; for a new connection, was has only an id and an owner
	wasAccess, isAccess       string
	wasRefresh, isRefresh     string
	first, consent, newTokens bool
	conn                      *simConn
}

// checkWrite checks one write, which replaced the hot row before with the hot row is.
// before is nil if the connection is new. The caller must hold s.mu.
func (s *sim) checkWrite(c *simCall, before, is *store.Hot) {
	w := hotWrite{c: c, was: before, is: is, conn: s.conn(is.Connection)}
	if w.first = before == nil; w.first {
		w.was = &store.Hot{Connection: is.Connection, Owner: is.Owner}
	}
	w.wasAccess, w.isAccess = s.open(w.was, "access", w.was.Access), s.open(is, "access", is.Access)
	w.wasRefresh, w.isRefresh = s.open(w.was, "refresh", w.was.Refresh), s.open(is, "refresh", is.Refresh)
	w.consent = is.Generation != w.was.Generation
	w.newTokens = is.Grant != w.was.Grant
	s.trace("%d: process %d, call %d: %s %s %.8s → %s %s %.8s, grant %d → %d, generation %d", s.writes, c.p.name, c.id,
		is.AsanaGID, w.was.Status, w.was.Lease, is.Status, is.Reason, is.Lease, w.was.Grant, is.Grant, is.Generation)
	if is.Grant < w.was.Grant || is.Generation < w.was.Generation {
		s.violation("the row goes back from grant %d to %d, or from generation %d to %d", w.was.Grant, is.Grant, w.was.Generation, is.Generation)
	}
	s.checkLease(w)
	switch {
	case w.consent:
		s.checkConsent(w)
	case is.Status == row.Disconnected:
		s.checkErasure(w)
	default:
		s.checkTokens(w)
	}
	s.checkStatus(w)
	s.checkReports(w)
	s.noteAccess(w)
}

// checkReports checks that a token counts as refused for every caller in two cases only:
// during the refresh that a report caused, and if Asana said that the token is not active.
// At most one introspection may be announced in 30 seconds, less the skew of two clocks.
func (s *sim) checkReports(w hotWrite) {
	if w.consent || w.is.Status == row.Disconnected {
		w.conn.checked = time.Time{}
		return
	}
	if !w.is.CheckedAt.Equal(w.was.CheckedAt) {
		if since := time.Since(w.conn.checked); since < 27*time.Second {
			s.violation("call %d announces an introspection %v after the last one", w.c.id, since)
		}
		w.conn.checked = time.Now()
		w.c.checks++
	}
	active, asked := w.c.said[w.wasAccess]
	was, is := w.was.RefusedGrant == w.was.Grant, w.is.RefusedGrant == w.is.Grant
	switch {
	case w.newTokens || was == is:
	case is && !w.c.holds(w.is) && (!asked || active):
		s.violation("call %d: a token counts as refused, and Asana did not say that it is not active", w.c.id)
	case was && !active:
		s.violation("call %d: a token no longer counts as refused, and Asana did not say that it is active", w.c.id)
	}
}

func (s *sim) noteAccess(w hotWrite) {
	if w.wasAccess != "" && w.wasAccess != w.isAccess {
		s.access[w.wasAccess].removed = s.writes
	}
	if a := s.access[w.isAccess]; a != nil {
		a.saved = true
		switch {
		case w.is.RefusedGrant != w.is.Grant:
			a.reported = 0
		case a.reported == 0:
			a.reported = s.writes
		}
	}
}

// checkLease checks that a call takes a lease only if the previous lease has ended, no
// cool-down is in progress, and the token is not fresh. Only the lease's holder, a new
// consent and a disconnection may remove a lease.
func (s *sim) checkLease(w hotWrite) {
	if w.is.Lease == w.was.Lease {
		return
	}
	if w.is.Lease == "" {
		if !w.consent && w.is.Status != row.Disconnected && !w.c.holds(w.was) {
			s.violation("a lease is removed by another caller than its holder")
		}
		return
	}
	now := time.Now()
	if w.was.Lease != "" {
		s.count["dead holder's lease taken"]++
		if end := w.was.LeaseEnd.Add(-s.leases[w.was.Lease]); now.Before(end) {
			s.violation("a lease is taken %v before its end", end.Sub(now))
		}
	}
	mine := w.c.p.clock.Now()
	if left := w.was.CoolUntil.Sub(mine); left > 0 {
		s.violation("a lease is taken %v before the end of the cool-down", left)
	}
	if w.is.Status != row.Active && w.is.Status != row.Revoking {
		s.violation("a lease of a connection that is %s", w.is.Status)
	}
	lifetime := w.was.Expires.Sub(w.was.Issued)
	need := min(301*time.Second, lifetime/2)
	if left := w.was.Expires.Sub(mine); w.is.Status == row.Active && w.is.RefusedGrant != w.is.Grant && left >= need {
		s.violation("a token that has %v of %v left is refreshed", left, lifetime)
	}
	s.leases[w.is.Lease] = w.c.p.clock.ahead
	w.c.leased = w.is
	w.conn.leases++
}

func (c *simCall) holds(hot *store.Hot) bool { return c.leased != nil && c.leased.Lease == hot.Lease }

func (s *sim) checkConsent(w hotWrite) {
	w.conn.consent = s.writes
	access, refresh := s.access[w.isAccess], s.refresh[w.isRefresh]
	if access == nil || access.gid != w.is.AsanaGID || access.from != "" || refresh == nil || refresh.gid != w.is.AsanaGID || refresh.from != "" {
		s.violation("a consent saved other tokens than those of its code")
	}
	if w.is.Status != row.Active || w.is.Lease != "" || !w.newTokens || !w.first && w.is.Epoch != w.was.Epoch {
		s.violation("a consent left this row: %+v", w.is)
	}
}

func (s *sim) checkErasure(w hotWrite) {
	w.c.erased = w.wasRefresh
	if w.was.Status != row.Revoking {
		s.violation("a connection is erased that was %s", w.was.Status)
	}
	if !w.c.revoked[w.wasRefresh] && !w.c.refused[w.wasRefresh] {
		s.violation("a refresh token is erased that was not revoked, and Asana did not refuse to revoke it")
	}
	if w.isAccess != "" || w.isRefresh != "" {
		s.violation("a tombstone has tokens")
	}
}

// checkTokens checks that the row's tokens change only if its Grant changes, and that
// Asana issued the new tokens for the old refresh token.
func (s *sim) checkTokens(w hotWrite) {
	if w.isRefresh == "" {
		s.violation("a row with the status %s no longer has a refresh token", w.is.Status)
	}
	if (w.isAccess != "") != (w.is.Status == row.Active) {
		s.violation("a row that is %s has an access token: %v", w.is.Status, w.isAccess != "")
	}
	if !w.newTokens {
		if w.isRefresh != w.wasRefresh || w.isAccess != "" && w.isAccess != w.wasAccess {
			s.violation("tokens change without the grant")
		}
		return
	}
	w.conn.saves++
	s.count["refreshed"]++
	if w.c.leased == nil || w.was.Grant != w.c.leased.Grant || w.was.Generation != w.c.leased.Generation {
		s.violation("call %d saves over another grant than the one that it sent", w.c.id)
	}
	if w.is.Grant != w.was.Grant+1 {
		s.violation("a save changes the grant from %d to %d", w.was.Grant, w.is.Grant)
	}
	if w.isRefresh != w.wasRefresh && s.refresh[w.isRefresh].from != w.wasRefresh {
		s.violation("a save puts a refresh token that did not replace the row's")
	}
	if w.isAccess != "" && s.access[w.isAccess].from != w.wasRefresh {
		s.violation("a save puts an access token that was not issued for the row's refresh token")
	}
}

func (s *sim) checkStatus(w hotWrite) {
	if w.is.Epoch != w.was.Epoch && !w.first {
		s.ended[w.was.Epoch] = s.writes
		if w.is.Status != row.Revoking {
			s.violation("the epoch changes of a connection that is %s", w.is.Status)
		}
	}
	switch {
	case w.is.Status == w.was.Status:
	case w.is.Status == row.Revoking && w.is.Epoch == w.was.Epoch:
		s.violation("a connection becomes revoking in its old epoch")
	case w.was.Status == row.Revoking && w.is.Status != row.Disconnected && !w.consent,
		w.was.Status == row.Disconnected && !w.consent:
		s.violation("a connection that was %s is %s", w.was.Status, w.is.Status)
	case w.is.Status == row.Active && !w.newTokens:
		s.violation("a connection that was %s is active without new tokens", w.was.Status)
	case w.is.Status == row.Broken:
		s.checkBreak(w)
	}
}

// checkBreak checks that only the lease's holder marks a connection as broken, and only
// after Asana rejected the refresh token because the token was revoked, or was rotated
// and the new token was lost.
func (s *sim) checkBreak(w hotWrite) {
	s.count["broken"]++
	r := s.refresh[w.wasRefresh]
	switch {
	case !w.c.holds(w.was):
		s.violation("a connection is broken by a call that does not have its lease")
	case w.was.Status != row.Active || !w.c.rejected[w.wasRefresh]:
		s.violation("a connection that was %s is broken, and Asana did not reject its token", w.was.Status)
	case r.ended:
	case r.rotated && r.lost != "":
		s.count["lost"]++
		if r.lost == causeReused {
			s.count[causeReused]++
		}
		w.conn.losses = append(w.conn.losses, w.c)
		if w.is.Reason != asanaauth.ReasonLostToken {
			s.violation("a token was lost (%s), and the reason is %s", r.lost, w.is.Reason)
		}
	default:
		s.violation("a connection is broken without a reason; its token was rotated: %v", r.rotated)
	}
}
