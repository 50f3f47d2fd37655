package asanaauth_test

import (
	"context"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// ask asks for a token as a frontend does.
func (s *sim) ask(ctx context.Context, p *simProcess, session simSession, r asanaauth.TokenRequest) (asanaauth.Token, error) {
	ctx, cancel := skewed{p.off}.WithDeadline(s.call(p, ctx), time.Now().Add(p.off+25*time.Second))
	defer cancel()
	s.tally("asked")
	began := time.Now()
	token, err := s.tokenOf(ctx, p, session, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := callOf(ctx)
	s.trace("process %d, call %d: asked for %s: %v", p.name, c.id, session.gid, err)
	switch took := time.Since(began); {
	case p.dead:
		return token, err
	case took > 28*time.Second && !c.stalled && !s.stalls():
		s.wrong("a caller waited %v", took)
	}
	if err == nil {
		s.served(c, session, token, r)
	} else {
		s.failed(session, err)
	}
	return token, err
}

func (s *sim) stalls() bool { return s.chances.tableStalls+s.chances.asanaStalls > 0 }

func (s *sim) tokenOf(ctx context.Context, p *simProcess, session simSession, r asanaauth.TokenRequest) (asanaauth.Token, error) {
	opened, err := p.conns.Session(ctx, session.cookie)
	if err != nil {
		return asanaauth.Token{}, err
	}
	return p.conns.Token(ctx, opened, r)
}

func (s *sim) tally(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[what]++
}

// served judges a token that was handed out.
func (s *sim) served(c *simCall, session simSession, token asanaauth.Token, r asanaauth.TokenRequest) {
	s.count["handed out"]++
	a := s.access[token.Access.Reveal()]
	switch {
	case a == nil:
		s.wrong("a token was handed out that Asana never gave")
		return
	case a.gid != session.gid:
		s.wrong("a token of %s was handed out to %s", a.gid, session.gid)
	case s.ended[session.epoch] != 0 && c.seen >= s.ended[session.epoch]:
		s.wrong("call %d: a token was handed out to a session that was over", c.id)
	case r.Refused != nil && *r.Refused == store.HashText(token.Access.Reveal()):
		s.wrong("call %d: the token that a caller reported refused was handed out to it", c.id)
	case a.refused != 0 && c.seen >= a.refused:
		s.wrong("call %d: a token was handed out that is noted as refused", c.id)
	case a.gone != 0 && c.seen >= a.gone:
		s.wrong("call %d: a token was handed out that is gone from the row", c.id)
	case !a.saved && (s.rotates || !c.hurt && c.p.s.chances.quiet()):
		s.wrong("call %d: a token was handed out that nobody saved", c.id)
	}
}

// failed judges an error. Without any fault there is none, but where a token
// is reported refused too soon after another.
func (s *sim) failed(session simSession, err error) {
	kind := asanaauth.KindOf(err)
	tooSoon := kind == asanaauth.TryAgain && time.Since(s.hotOf(session.gid).RefusedAt) < 33*time.Second
	switch {
	case kind == asanaauth.Misconfigured && s.chances.asanaRefuses > 0:
	case kind == asanaauth.Internal, kind == asanaauth.Misconfigured:
		s.wrong("a caller got %v", err)
	case s.chances.quiet() && !tooSoon:
		s.wrong("without any fault a caller got %v", err)
	}
}

// signIn adds a session, if it can.
func (s *sim) signIn(p *simProcess, gid string) {
	ctx := s.call(p, s.t.Context())
	begun, err := p.login.Begin(ctx, asanaauth.BeginRequest{})
	if err != nil {
		s.trace("begin: %v", err)
		return
	}
	s.mu.Lock()
	back, err := s.h.asana.Authorize(ctx, begun.URL, gid)
	s.mu.Unlock()
	if err != nil {
		s.t.Fatal(err)
	}
	finished, err := p.login.Finish(ctx, answerOf(s.t, back, begun))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || p.dead {
		s.trace("finish: %v", err)
		return
	}
	key := store.SessionKey(store.HashText(finished.Session.Reveal()))
	rows, err := s.h.rows.Read(context.Background(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	row := rows[key].(*store.Session)
	s.trace("process %d: signed in %s", p.name, gid)
	s.sessions = append(s.sessions, simSession{finished.Session, gid, row.Epoch})
	s.count["signed in"]++
}

func (s *sim) disconnect(p *simProcess, session simSession) {
	ctx, cancel := skewed{p.off}.WithDeadline(s.call(p, s.t.Context()), time.Now().Add(p.off+25*time.Second))
	defer cancel()
	opened, err := p.conns.Session(ctx, session.cookie)
	if err != nil {
		return
	}
	d, err := p.conns.Disconnect(ctx, opened)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace("process %d: disconnected %s: %+v, %v", p.name, session.gid, d, err)
	if p.dead {
		return
	}
	c := callOf(ctx)
	if err == nil && s.ended[session.epoch] == 0 {
		s.wrong("call %d: a connection was said to be disconnected, and its session lives", c.id)
	}
	if !d.Revoked {
		return
	}
	s.count["revoked"]++
	token := s.refresh[c.erased]
	if token == nil || d.Status != store.Disconnected {
		s.wrong("call %d: a connection was said to be revoked that was not erased", c.id)
		return
	}
	s.said = append(s.said, simDisconnected{token.family})
}

// caller is one who comes again and again.
type caller struct {
	s    *sim
	dice *dice
	last map[string]asanaauth.Token // that it was given, by session
}

func (a *caller) run() {
	s := a.s
	for round := range 8 {
		if a.dice.comes(0.7) {
			a.sleepUntil(time.Duration(round+1) * s.life * 9 / 10)
		} else {
			time.Sleep(a.dice.between(time.Second, 20*time.Second))
		}
		time.Sleep(a.dice.between(0, 3*time.Second))
		a.act()
	}
}

// sleepUntil waits for the time since the bubble's beginning at which all come.
func (a *caller) sleepUntil(at time.Duration) {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if wait := time.Until(began.Add(at)); wait > 0 {
		time.Sleep(wait)
	}
}

func (a *caller) act() {
	s, d := a.s, a.dice
	s.mu.Lock()
	if len(s.sessions) == 0 {
		s.mu.Unlock()
		return
	}
	session := s.sessions[d.IntN(len(s.sessions))]
	s.mu.Unlock()
	p := s.alive(d)
	switch ch := s.chances; {
	case d.comes(ch.disconnects):
		s.disconnect(p, session)
		if d.comes(0.5) {
			s.signIn(s.alive(d), session.gid)
		}
	case d.comes(ch.signsIn):
		s.tally("signed in again")
		s.signIn(p, session.gid)
	case d.comes(ch.deauthorises):
		s.deauthorise(session.gid)
	case d.comes(ch.goesAway):
		s.tally("gone away")
		ctx, cancel := context.WithCancel(s.t.Context())
		goes := time.AfterFunc(d.between(0, 5*time.Second), cancel)
		s.ask(ctx, p, session, asanaauth.TokenRequest{})
		goes.Stop()
		cancel()
	default:
		a.asks(p, session)
	}
}

// asks asks for a token, and may report the one that it has.
func (a *caller) asks(p *simProcess, session simSession) {
	s, d := a.s, a.dice
	r := asanaauth.TokenRequest{MinTTL: []time.Duration{0, 30 * time.Second, 300 * time.Second}[d.IntN(3)]}
	last, ok := a.last[session.cookie.Reveal()]
	if ok && d.comes(0.1) {
		s.tally("reported refused")
		r.Refused = refusedHash(last)
	}
	token, err := s.ask(s.t.Context(), p, session, r)
	if err == nil {
		a.last[session.cookie.Reveal()] = token
	}
}

// deauthorise is a person who does so in Asana's settings.
func (s *sim) deauthorise(gid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace("%s deauthorises the app", gid)
	s.count["deauthorised"]++
	if err := s.h.asana.RevokeGrants(gid); err != nil {
		s.t.Fatal(err)
	}
	for _, r := range s.refresh {
		r.told = r.told || r.gid == gid
	}
}
