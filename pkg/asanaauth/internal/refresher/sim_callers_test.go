package refresher_test

import (
	"context"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

// caller makes eight calls in sequence.
type caller struct {
	s      *sim
	random *random
	last   map[string]token.Token // the last token that the caller got, by cookie
}

func (a *caller) run() {
	for round := range 8 {
		if a.random.happens(0.7) {
			a.sleepUntil(time.Duration(round+1) * a.s.lifetime * 9 / 10)
		} else {
			time.Sleep(a.random.between(time.Second, 20*time.Second))
		}
		time.Sleep(a.random.between(0, 3*time.Second))
		a.act()
	}
}

// sleepUntil sleeps until the time at after the start of the run. Because several callers
// sleep until the same time, they then act at the same moment.
func (a *caller) sleepUntil(at time.Duration) {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // the clock of a synctest bubble starts then
	if wait := time.Until(began.Add(at)); wait > 0 {
		time.Sleep(wait)
	}
}

func (a *caller) act() {
	s, r := a.s, a.random
	s.mu.Lock()
	if len(s.sessions) == 0 {
		s.mu.Unlock()
		return
	}
	session := s.sessions[r.intN(len(s.sessions))]
	s.mu.Unlock()
	p := s.alive(r)
	switch ch := s.chances; {
	case r.happens(ch.callerDisconnects):
		s.disconnect(p, session)
		if r.happens(0.5) {
			s.signIn(s.alive(r), session.gid)
		}
	case r.happens(ch.callerSignsIn):
		s.tally("signed in again")
		s.signIn(p, session.gid)
	case r.happens(ch.personDeauthorizes):
		s.deauthorize(session.gid)
	case r.happens(ch.callerLeaves):
		s.tally("left")
		ctx, cancel := context.WithCancel(s.t.Context())
		leaves := time.AfterFunc(r.between(0, 5*time.Second), cancel)
		s.requestToken(ctx, p, session, token.Request{})
		leaves.Stop()
		cancel()
	default:
		a.requestToken(p, session)
	}
}

func (a *caller) requestToken(p *simProcess, session simSession) {
	s := a.s
	r := token.Request{MinTTL: []time.Duration{0, 30 * time.Second, 300 * time.Second}[a.random.intN(3)]}
	last, ok := a.last[session.cookie.Reveal()]
	reports := ok && a.random.happens(0.1)
	if reports {
		s.tally("reported")
		r.Refused = last.Access
	}
	got, err := s.requestToken(s.t.Context(), p, session, r)
	if err == nil {
		a.last[session.cookie.Reveal()] = got
	}
	for range 2 { // Asana rejects the new token too
		if !reports || a.random.happens(0.3) {
			return
		}
		time.Sleep(a.random.between(0, 10*time.Second))
		s.tally("reported again")
		r.Refused = a.last[session.cookie.Reveal()].Access
		if got, err := s.requestToken(s.t.Context(), s.alive(a.random), session, r); err == nil {
			a.last[session.cookie.Reveal()] = got
		}
	}
}

func (s *sim) requestToken(ctx context.Context, p *simProcess, session simSession, r token.Request) (token.Token, error) {
	ctx, cancel := s.boundedCall(ctx, p)
	defer cancel()
	s.tally("asked")
	began := time.Now()
	got, err := p.Ask(ctx, session.cookie, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := callOf(ctx)
	s.trace("process %d, call %d: asked for %s: %v", p.name, c.id, session.gid, err)
	if p.dead {
		return got, err
	}
	if took := time.Since(began); took > 28*time.Second && !c.stalled && !s.chances.hasStalls() {
		s.violation("a caller waited %v", took)
	}
	if err == nil {
		s.checkToken(c, session, got, r)
	} else {
		s.checkError(r, err)
	}
	return got, err
}

func (s *sim) checkToken(c *simCall, session simSession, got token.Token, r token.Request) {
	s.count["handed out"]++
	a := s.access[got.Access.Reveal()]
	switch {
	case a == nil:
		s.violation("a token was handed out that Asana did not issue")
		return
	case a.gid != session.gid:
		s.violation("a token of %s was handed out to %s", a.gid, session.gid)
	case s.ended[session.epoch] != 0 && c.seen >= s.ended[session.epoch]:
		s.violation("call %d: a token was handed out to a session that had ended", c.id)
	case r.Refused.Equal(got.Access):
		s.count["returned again"]++
		if since := time.Since(a.active); since > 36*time.Second && !c.stalled {
			s.violation("call %d: a caller got the token that it reported, and Asana said %v ago that it is active", c.id, since)
		}
	case a.reported != 0 && c.seen >= a.reported:
		s.violation("call %d: a token was handed out that is noted as reported", c.id)
	case a.removed != 0 && c.seen >= a.removed:
		s.violation("call %d: a token was handed out that is no longer in the row", c.id)
	case !a.saved && (s.rotates || !c.disturbed && s.chances.isZero()):
		s.violation("call %d: a token was handed out that was not saved", c.id)
	}
}

func (s *sim) checkError(r token.Request, err error) {
	kind := asanaauth.KindOf(err)
	tooSoon := kind == asanaauth.TryAgain && !r.Refused.IsZero()
	switch {
	case kind == asanaauth.Misconfigured && s.chances.asanaRefuses > 0:
	case kind == asanaauth.Internal, kind == asanaauth.Misconfigured:
		s.violation("a caller got %v", err)
	case s.chances.isZero() && !tooSoon:
		s.violation("in a run without faults a caller got %v", err)
	}
}

// A fault can make a sign-in fail, so signIn ignores errors.
func (s *sim) signIn(p *simProcess, gid string) {
	ctx := s.call(s.t.Context(), p)
	attempt, err := p.Authorizer.Authorize(ctx, login.AuthorizeRequest{})
	if err != nil {
		s.trace("authorize: %v", err)
		return
	}
	s.mu.Lock()
	back, err := s.inst.Asana.Authorize(ctx, attempt.URL, gid)
	s.mu.Unlock()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := p.Receiver.Callback(ctx, authtest.ParseAnswer(s.t, back, attempt))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || p.dead {
		s.trace("callback: %v", err)
		return
	}
	s.trace("process %d: signed in %s", p.name, gid)
	s.sessions = append(s.sessions, simSession{out.Session, gid, s.inst.Rows.SessionRow(out.Session).Epoch})
	s.count["signed in"]++
}

func (s *sim) disconnect(p *simProcess, session simSession) {
	ctx, cancel := s.boundedCall(s.t.Context(), p)
	defer cancel()
	opened, err := p.Sessions.Open(ctx, session.cookie)
	if err != nil {
		return
	}
	d, err := p.Sessions.Disconnect(ctx, opened, p.Connections)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace("process %d: disconnected %s: %+v, %v", p.name, session.gid, d, err)
	if p.dead {
		return
	}
	c := callOf(ctx)
	if err == nil && s.ended[session.epoch] == 0 {
		s.violation("call %d: a connection was reported as disconnected, and its session has not ended", c.id)
	}
	if !d.Revoked {
		return
	}
	s.count["revoked"]++
	erased := s.refresh[c.erased]
	if erased == nil || string(d.Status) != row.Disconnected || !c.revoked[c.erased] {
		s.violation("call %d: a connection was reported as revoked that was not erased", c.id)
		return
	}
	s.revoked = append(s.revoked, erased.family)
}

// deauthorize removes the app in the Asana settings of the user gid.
func (s *sim) deauthorize(gid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace("%s deauthorizes the app", gid)
	s.count["deauthorized"]++
	if err := s.inst.Asana.RevokeGrants(gid); err != nil {
		s.t.Fatal(err)
	}
	for _, r := range s.refresh {
		r.ended = r.ended || r.gid == gid
	}
}
