package asanaauth_test

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

func (s *sim) run(total map[string]int) {
	for _, gid := range []string{asanatest.Member, asanatest.Guest, asanatest.Admin}[:1+s.dice.IntN(2)] {
		s.signIn(s.processes[0], gid)
	}
	s.mu.Lock()
	s.over = false
	s.mu.Unlock()
	var wg sync.WaitGroup
	for i := range 3 + s.dice.IntN(6) {
		a := &caller{s, newDice(s.seed, 1<<33+uint64(i)), map[string]asanaauth.Token{}}
		wg.Go(a.run)
	}
	wg.Wait()
	s.settle()
	for what, n := range s.count {
		total[what] += n
	}
}

// settle checks what holds when the faults are over.
func (s *sim) settle() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.process() // whoever died
	processes := slices.Clone(s.processes)
	for _, p := range processes {
		if err := p.conns.Wait(s.t.Context()); err != nil {
			s.wrong("waiting: %v", err)
		}
	}
	s.trace("the faults are over")
	time.Sleep(30 * time.Second)
	s.everybodyIsServed(processes)
	time.Sleep(s.life)
	s.everybodyIsServed(processes)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, conn := range s.conns {
		s.settled(id, conn)
	}
	for _, d := range s.said {
		s.reallyRevoked(d.family)
	}
}

// everybodyIsServed: an active connection gives a token at once, in every
// process that lives; a session that is over gives none.
func (s *sim) everybodyIsServed(processes []*simProcess) {
	for _, p := range processes {
		for _, session := range s.sessions {
			if p.dead {
				continue
			}
			hot := s.hotOf(session.gid)
			_, err := s.ask(s.t.Context(), p, session, asanaauth.TokenRequest{})
			switch {
			case hot.Epoch != session.epoch:
				if asanaauth.KindOf(err) != asanaauth.Unauthenticated {
					s.wrong("a session that is over got %v", err)
				}
			case hot.Status == store.Active && err != nil && s.hotOf(session.gid).Status != store.Broken:
				s.wrong("process %d: the faults are over, and a caller gets %v", p.name, err)
			}
		}
	}
}

func (s *sim) settled(id string, conn *simConn) {
	key := store.HotKey(id)
	rows, err := s.h.rows.Read(context.Background(), key)
	if err != nil {
		s.wrong("reading: %v", err)
	}
	hot, _ := rows[key].(*store.Hot)
	switch {
	case hot == nil:
		return
	case hot.Lease != "" && hot.Status == store.Active:
		// Nobody has to ask for a person who has no session.
		if slices.ContainsFunc(s.sessions, func(x simSession) bool { return x.epoch == hot.Epoch }) {
			s.wrong("a lease stays on")
		}
	case hot.Lease != "" && hot.LeaseEnd.After(time.Now()):
		s.wrong("a lease ends at %v", hot.LeaseEnd)
	}
	if s.chances.quiet() && (conn.requests != conn.saves || conn.requests != conn.leases) {
		s.wrong("without any fault: %d requests, %d leases, %d saves", conn.requests, conn.leases, conn.saves)
	}
	for _, c := range conn.losses {
		if conn.alarms == 0 && !c.p.dead {
			s.wrong("a token was lost without an alarm")
		}
	}
}

// reallyRevoked: of a consent that was said to be revoked nothing is left at
// Asana, but what nobody could know of.
func (s *sim) reallyRevoked(family string) {
	for value, r := range s.refresh {
		if r.family != family {
			continue
		}
		if old := s.refresh[r.from]; old != nil && old.hurt != "" {
			continue
		}
		answer, err := s.h.asana.Client().PostForm(asanaURL+"/-/token_info", url.Values{"token": {value}})
		if err != nil {
			s.t.Fatal(err)
		}
		var info struct{ Active bool }
		if err := json.NewDecoder(answer.Body).Decode(&info); err != nil {
			s.t.Fatal(err)
		}
		if info.Active {
			s.wrong("a connection was said to be revoked, and a token of it lives")
		}
	}
}

// What the simulation found, each as a test of its own.
