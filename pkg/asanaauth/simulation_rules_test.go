package asanaauth_test

import (
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// step is one write of a hot row, with its tokens opened.
type step struct {
	c                         *simCall
	was, is                   *store.Hot // was is never nil
	wasAccess, isAccess       string
	wasRefresh, isRefresh     string
	first, consent, newTokens bool
	conn                      *simConn
}

// moved judges a write of a hot row. The caller has the lock.
func (s *sim) moved(c *simCall, was, is *store.Hot) {
	m := step{c: c, was: was, is: is, conn: s.conn(is.Connection)}
	if m.first = was == nil; m.first {
		m.was = &store.Hot{Connection: is.Connection, Owner: is.Owner}
	}
	m.wasAccess, m.isAccess = s.open(m.was, "access", m.was.Access), s.open(is, "access", is.Access)
	m.wasRefresh, m.isRefresh = s.open(m.was, "refresh", m.was.Refresh), s.open(is, "refresh", is.Refresh)
	m.consent = is.Generation != m.was.Generation
	m.newTokens = is.Grant != m.was.Grant
	s.trace("%d: process %d, call %d: %s %s %.8s → %s %s %.8s, grant %d → %d, generation %d", s.seq, c.p.name, c.id,
		is.AsanaGID, m.was.Status, m.was.Lease, is.Status, is.Reason, is.Lease, m.was.Grant, is.Grant, is.Generation)
	if is.Grant < m.was.Grant || is.Generation < m.was.Generation {
		s.wrong("the row goes back from grant %d to %d, or from generation %d to %d", m.was.Grant, is.Grant, m.was.Generation, is.Generation)
	}
	s.leaseMoved(m)
	switch {
	case m.consent:
		s.consented(m)
	case is.Status == store.Disconnected:
		s.erased(m)
	default:
		s.tokensMoved(m)
	}
	s.statusMoved(m)
	if m.wasAccess != "" && m.wasAccess != m.isAccess {
		s.access[m.wasAccess].gone = s.seq
	}
	if a := s.access[m.isAccess]; a != nil {
		a.saved = true
		if is.RefusedGrant == is.Grant && a.refused == 0 {
			a.refused = s.seq
		}
	}
}

// leaseMoved: nobody is robbed of a living lease, none is taken while Asana
// must not be asked, and none without a need.
func (s *sim) leaseMoved(m step) {
	if m.is.Lease == m.was.Lease {
		return
	}
	if m.is.Lease == "" {
		if !m.consent && m.is.Status != store.Disconnected && !m.c.holds(m.was) {
			s.wrong("a lease is taken off by another than its holder")
		}
		return
	}
	now := time.Now()
	if m.was.Lease != "" {
		s.count["lease taken from a dead one"]++
		if end := m.was.LeaseEnd.Add(-s.leases[m.was.Lease]); now.Before(end) {
			s.wrong("a lease is taken %v before its end", end.Sub(now))
		}
	}
	mine := now.Add(m.c.p.off)
	if left := m.was.CoolUntil.Sub(mine); left > 0 {
		s.wrong("a lease is taken %v before the cool-down's end", left)
	}
	if m.is.Status != store.Active && m.is.Status != store.Revoking {
		s.wrong("a lease of a connection that is %s", m.is.Status)
	}
	need := min(301*time.Second, m.was.Expires.Sub(m.was.Issued)/2)
	if left := m.was.Expires.Sub(mine); m.is.Status == store.Active && m.is.RefusedGrant != m.is.Grant && left >= need {
		s.wrong("a token that has %v left of %v is refreshed", left, m.was.Expires.Sub(m.was.Issued))
	}
	s.leases[m.is.Lease] = m.c.p.off
	m.c.leased = m.is
	m.conn.leases++
}

// holds reports whether the row has the call's lease.
func (c *simCall) holds(row *store.Hot) bool { return c.leased != nil && c.leased.Lease == row.Lease }

// consented: the tokens are new ones, of that very person.
func (s *sim) consented(m step) {
	m.conn.active = s.seq
	access, refresh := s.access[m.isAccess], s.refresh[m.isRefresh]
	if access == nil || access.gid != m.is.AsanaGID || access.from != "" || refresh == nil || refresh.gid != m.is.AsanaGID || refresh.from != "" {
		s.wrong("a consent kept other tokens than those of its code")
	}
	if m.is.Status != store.Active || m.is.Lease != "" || !m.newTokens || !m.first && m.is.Epoch != m.was.Epoch {
		s.wrong("a consent left an odd row: %+v", m.is)
	}
}

// erased: what goes is what Asana was asked to revoke, and said so.
func (s *sim) erased(m step) {
	m.c.erased = m.wasRefresh
	if m.was.Status != store.Revoking {
		s.wrong("a connection is erased that was %s", m.was.Status)
	}
	if !m.c.revoked[m.wasRefresh] {
		s.wrong("a refresh token is erased that was not revoked")
	}
	if m.isAccess != "" || m.isRefresh != "" {
		s.wrong("a tombstone has tokens")
	}
}

// tokensMoved: they do so with the grant alone, by an answer to the refresh
// token that stood there.
func (s *sim) tokensMoved(m step) {
	if m.isRefresh == "" {
		s.wrong("the refresh token is gone from a row that is %s", m.is.Status)
	}
	if (m.isAccess != "") != (m.is.Status == store.Active) {
		s.wrong("a row that is %s, with an access token: %v", m.is.Status, m.isAccess != "")
	}
	if !m.newTokens {
		if m.isRefresh != m.wasRefresh || m.isAccess != "" && m.isAccess != m.wasAccess {
			s.wrong("tokens have moved without the grant")
		}
		return
	}
	m.conn.saves++
	s.count["refreshed"]++
	if m.c.leased == nil || m.was.Grant != m.c.leased.Grant || m.was.Generation != m.c.leased.Generation {
		s.wrong("call %d saves over another grant than the one that it sent", m.c.id)
	}
	if m.is.Grant != m.was.Grant+1 {
		s.wrong("a save moves the grant from %d to %d", m.was.Grant, m.is.Grant)
	}
	if m.isRefresh != m.wasRefresh && s.refresh[m.isRefresh].from != m.wasRefresh {
		s.wrong("a save puts a refresh token that is not the successor of the one there")
	}
	if m.isAccess != "" && s.access[m.isAccess].from != m.wasRefresh {
		s.wrong("a save puts an access token that was not given for the refresh token there")
	}
}

func (s *sim) statusMoved(m step) {
	if m.is.Epoch != m.was.Epoch && !m.first {
		s.ended[m.was.Epoch] = s.seq
		if m.is.Status != store.Revoking {
			s.wrong("the epoch changes of a connection that is %s", m.is.Status)
		}
	}
	switch {
	case m.is.Status == m.was.Status:
	case m.is.Status == store.Revoking && m.is.Epoch == m.was.Epoch:
		s.wrong("a connection is ended, and its epoch is not")
	case m.was.Status == store.Revoking && m.is.Status != store.Disconnected && !m.consent,
		m.was.Status == store.Disconnected && !m.consent:
		s.wrong("a connection that was %s is %s", m.was.Status, m.is.Status)
	case m.is.Status == store.Active && !m.newTokens:
		s.wrong("a connection that was %s is active without new tokens", m.was.Status)
	case m.is.Status == store.Broken:
		s.broke(m)
	}
}

// broke: a connection is broken where Asana refused its refresh token and was
// told to, or where the successor was lost.
func (s *sim) broke(m step) {
	s.count["broken"]++
	r := s.refresh[m.wasRefresh]
	switch {
	case !m.c.holds(m.was):
		s.wrong("a connection is broken by a call that has not its lease")
	case m.was.Status != store.Active || !m.c.refused[m.wasRefresh]:
		s.wrong("a connection that was %s is broken, and Asana did not refuse its token", m.was.Status)
	case r.told:
	case r.hurt == reused:
		// The rules say so aloud where they can know (TestATokenSentTwiceIsRemembered).
		// A save settles what is not known of requests before it, so one of a
		// stalled holder that gets to Asana late enough is not said.
		s.count[reused]++
	case r.rotated && r.hurt != "":
		s.count["lost"]++
		m.conn.losses = append(m.conn.losses, m.c)
		if m.is.Reason != "lost-rotated-token" && m.conn.alarms == 0 {
			s.wrong("a token was lost (%s), and the reason is %s", r.hurt, m.is.Reason)
		}
	default:
		s.wrong("a connection is broken; rotated: %v", r.rotated)
	}
}

// Asana's door.
