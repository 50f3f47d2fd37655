package refresher_test

import (
	"slices"
	"sync"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// run signs in one or two persons, runs the callers while faults happen, and then calls
// finish. The result is the number of times that each event happened.
func (s *sim) run() map[string]int {
	for _, gid := range []string{asanatest.Member, asanatest.Guest}[:1+s.random.intN(2)] {
		s.signIn(s.processes[0], gid)
	}
	s.setFaultless(false)
	var wg sync.WaitGroup
	for i := range 3 + s.random.intN(6) {
		a := &caller{s, newRandom(s.seed, 1<<33+uint64(i)), map[string]token.Token{}}
		wg.Go(a.run)
	}
	wg.Wait()
	s.setFaultless(true)
	s.finish()
	return s.count
}

func (s *sim) setFaultless(faultless bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faultless = faultless
}

// finish checks the invariants that must hold after the faults have ended.
func (s *sim) finish() {
	s.process() // start one more process, because all others may be dead
	processes := slices.Clone(s.processes)
	for _, p := range processes {
		if err := p.Tokens.Wait(s.t.Context()); err != nil {
			s.violation("waiting: %v", err)
		}
	}
	s.trace("the faults have ended")
	time.Sleep(30 * time.Second)
	s.checkService(processes)
	time.Sleep(s.lifetime)
	s.checkService(processes)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, conn := range s.conns {
		s.checkConnection(id, conn)
	}
	for _, family := range s.revoked {
		s.checkRevoked(family)
	}
}

// checkService requests a token with each session, in every process that has not died. A
// session of an active connection must get a token, and a session that has ended must get
// an error.
func (s *sim) checkService(processes []*simProcess) {
	for _, p := range processes {
		for _, session := range s.sessions {
			if p.dead {
				continue
			}
			hot := s.hotOf(session.gid)
			_, err := s.requestToken(s.t.Context(), p, session, token.Request{})
			switch {
			case hot.Epoch != session.epoch:
				if asanaauth.KindOf(err) != asanaauth.Unauthenticated {
					s.violation("a session that has ended got %v", err)
				}
			case hot.Status == row.Active && err != nil && s.hotOf(session.gid).Status != row.Broken:
				s.violation("process %d: the faults have ended, and a caller gets %v", p.name, err)
			}
		}
	}
}

func (s *sim) checkConnection(id string, conn *simConn) {
	hot := s.hot(id)
	switch {
	case hot == nil:
		return
	case hot.Lease != "" && hot.Status == row.Active:
		// The next caller removes an expired lease. Without a session, no caller comes,
		// so the lease is allowed to stay.
		if slices.ContainsFunc(s.sessions, func(x simSession) bool { return x.epoch == hot.Epoch }) {
			s.violation("a lease is left")
		}
	case hot.Lease != "" && hot.LeaseEnd.After(time.Now()):
		s.violation("a lease is left until %v", hot.LeaseEnd)
	}
	if s.chances.isZero() && (conn.requests != conn.saves || conn.requests != conn.leases) {
		s.violation("in a run without faults: %d requests, %d leases, %d saves", conn.requests, conn.leases, conn.saves)
	}
	for _, c := range conn.losses {
		if conn.alarms == 0 && !c.p.dead {
			s.violation("a token was lost without an alarm")
		}
	}
}

// checkRevoked checks that Asana accepts no refresh token of a consent that was reported
// as revoked, not even a token from a response that was lost.
func (s *sim) checkRevoked(family string) {
	for value, r := range s.refresh {
		if r.family != family {
			continue
		}
		if s.inst.IsActive(value) {
			s.violation("a connection was reported as revoked, and Asana accepts a token of it")
		}
	}
}
