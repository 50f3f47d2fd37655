package asanaauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// simWire is a process's way to Asana.
type simWire struct{ p *simProcess }

// simRequest is one request to Asana.
type simRequest struct {
	simWire
	c       *simCall
	r       *http.Request
	body    []byte
	path    string
	refresh string // the refresh token that is sent
	applied bool
}

func (w simWire) RoundTrip(r *http.Request) (*http.Response, error) {
	q := &simRequest{simWire: w, c: callOf(r.Context()), r: r, path: r.URL.Path}
	if r.Body != nil {
		var err error
		if q.body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	form, err := url.ParseQuery(string(q.body))
	if err != nil {
		return nil, err
	}
	q.refresh = form.Get("refresh_token") + form.Get("token")
	q.begin()
	defer q.end()
	answer, err := q.fate()
	w.p.s.trace("process %d, call %d: %s: %v, %v", w.p.name, q.c.id, q.path, answer != nil && answer.StatusCode == 200, err)
	if w.p.isDead() {
		answer, err = nil, io.ErrUnexpectedEOF
	}
	if q.refreshes() && errors.Is(r.Context().Err(), context.Canceled) {
		w.p.s.mu.Lock()
		w.p.s.wrong("call %d: a request ended since its caller went away", q.c.id)
		w.p.s.mu.Unlock()
	}
	if err != nil || answer.StatusCode != http.StatusOK {
		q.lost("answer lost")
	}
	return answer, err
}

func (q *simRequest) refreshes() bool { return q.path == "/-/oauth_token" && q.refresh != "" }

// begin: no second request for a refresh token while one is under way, unless
// its holder is dead or stalled; nor a revocation of what lives.
func (q *simRequest) begin() {
	s := q.p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	token := s.refresh[q.refresh]
	if token == nil {
		return
	}
	conn := s.conn(store.ConnectionID(store.HashText("asana:"+token.gid), token.gid, store.OAuth))
	for _, other := range token.asking {
		if !other.stalled && !other.p.dead {
			s.wrong("two requests for one refresh token: calls %d and %d", other.id, q.c.id)
		}
	}
	token.asking = append(token.asking, q.c)
	if q.refreshes() {
		conn.requests++
		if left := q.c.leased.LeaseEnd.Sub(time.Now().Add(q.p.off)); left < 10*time.Second {
			s.wrong("call %d asks with %v left of its lease", q.c.id, left)
		}
	} else if row := s.hotOf(token.gid); row != nil && (row.Status == store.Active || row.Status == store.Broken) && conn.active <= q.c.seen {
		s.wrong("a revocation for a person whose connection is %s", row.Status)
	}
}

func (q *simRequest) end() {
	s := q.p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if token := s.refresh[q.refresh]; token != nil {
		token.asking = slices.DeleteFunc(token.asking, func(c *simCall) bool { return c == q.c })
	}
}

func (s *sim) hotOf(gid string) *store.Hot {
	key := store.HotKey(store.ConnectionID(store.HashText("asana:"+gid), gid, store.OAuth))
	rows, err := s.h.rows.Read(context.Background(), key)
	if err != nil {
		s.wrong("reading: %v", err)
	}
	hot, _ := rows[key].(*store.Hot)
	return hot
}

// lost notes that what Asana did was not heard of.
func (q *simRequest) lost(by string) {
	s := q.p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.applied && q.refreshes() {
		s.hurtToken(q.refresh, by)
	}
}

func (q *simRequest) waits(low, high time.Duration) error {
	return skewed{}.Sleep(q.r.Context(), q.c.dice.between(low, high))
}

// fate plays the request with what befalls it.
func (q *simRequest) fate() (*http.Response, error) {
	d := q.c.dice
	ch, ok := q.p.s.faults()
	if err := q.waits(10*time.Millisecond, 300*time.Millisecond); err != nil {
		return nil, err
	}
	switch {
	case q.p.isDead():
		return q.partly()
	case !ok:
		return q.apply(), nil
	case d.comes(ch.dies):
		q.p.die()
		return q.partly()
	case d.comes(ch.asanaRefuses):
		return q.refuse()
	case d.comes(ch.asanaLoses):
		return q.lose()
	case q.refreshes() && d.comes(ch.asanaStalls):
		return q.freeze()
	}
	if d.comes(ch.asanaSlow) {
		if err := q.waits(time.Second, 9*time.Second); err != nil {
			q.partly()
			return nil, err
		}
	}
	answer := q.apply()
	if d.comes(ch.asanaSlow) {
		return answer, q.waits(time.Second, 9*time.Second)
	}
	return answer, q.waits(10*time.Millisecond, 300*time.Millisecond)
}

// partly is a request of which nobody waits for the answer: Asana may have got
// it all the same.
func (q *simRequest) partly() (*http.Response, error) {
	if q.c.dice.comes(0.5) {
		q.apply()
	}
	return nil, io.ErrUnexpectedEOF
}

// refuse does nothing and says so, more or less.
func (q *simRequest) refuse() (*http.Response, error) {
	switch q.c.dice.IntN(6) {
	case 0:
		return q.says(http.StatusServiceUnavailable, "Service Unavailable", nil), nil
	case 1:
		wait := fmt.Sprint(q.c.dice.IntN(20))
		return q.says(http.StatusTooManyRequests, "{}", http.Header{"Retry-After": {wait}}), nil
	case 2:
		return q.says(http.StatusUnauthorized, `{"error":"invalid_client"}`, nil), nil
	case 3:
		return q.says(http.StatusBadRequest, `{"error":"server_error"}`, nil), nil
	case 4:
		return q.says(http.StatusInternalServerError, `{"error":"invalid_grant"}`, nil), nil
	}
	return nil, io.ErrUnexpectedEOF
}

// lose loses the answer, and may lose the request.
func (q *simRequest) lose() (*http.Response, error) {
	if q.c.dice.comes(0.7) {
		q.apply()
	}
	defer q.lost("answer lost") // also where a 200 says something else
	switch q.c.dice.IntN(3) {
	case 0:
		return q.says(http.StatusBadGateway, "", nil), nil
	case 1:
		return q.says(http.StatusOK, "nonsense", nil), nil
	}
	return nil, io.ErrUnexpectedEOF
}

// freeze is a process that is not run for a while, before or after Asana got
// its request. When it wakes the answer may be there, its time being over.
func (q *simRequest) freeze() (*http.Response, error) {
	var answer *http.Response
	before := q.c.dice.comes(0.5)
	if before {
		answer = q.apply()
	}
	q.p.s.stall(q.c)
	q.p.s.mu.Lock()
	q.p.s.hurtToken(q.refresh, "stalled")
	q.p.s.mu.Unlock()
	if !before {
		answer = q.apply()
	}
	if err := q.r.Context().Err(); err != nil && q.c.dice.comes(0.3) {
		return nil, err
	}
	return answer, nil
}

func (q *simRequest) says(status int, body string, h http.Header) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: q.r}
}

// apply lets Asana have the request, and learns from its answer.
func (q *simRequest) apply() *http.Response {
	s := q.p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	q.applied = true
	r := q.r.Clone(context.WithoutCancel(q.r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(q.body))
	answer, err := s.h.asana.Transport().RoundTrip(r)
	if err != nil {
		s.wrong("offline Asana: %v", err)
		return q.says(http.StatusBadGateway, "", nil)
	}
	body, _ := io.ReadAll(answer.Body)
	answer.Body = io.NopCloser(bytes.NewReader(body))
	switch q.path {
	case "/-/oauth_token":
		q.learn(answer.StatusCode, body)
	case "/-/oauth_revoke":
		q.revoked(answer.StatusCode)
	}
	return answer
}

// learn notes the tokens that Asana gave.
func (q *simRequest) learn(status int, body []byte) {
	s := q.p.s
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Error   string
	}
	if err := json.Unmarshal(body, &tokens); err != nil {
		s.wrong("offline Asana: %v", err)
	}
	old := s.refresh[q.refresh]
	if status != http.StatusOK {
		if tokens.Error == "invalid_grant" && old != nil {
			q.c.refused[q.refresh] = true
			s.cameAgain(old)
		}
		return
	}
	gid, _, _ := strings.Cut(strings.TrimPrefix(tokens.Access, "2/"), "/")
	s.access[tokens.Access] = &accessToken{gid: gid, from: q.refresh}
	if tokens.Refresh != "" && tokens.Refresh != q.refresh {
		next := &refreshToken{gid: gid, family: tokens.Refresh, from: q.refresh}
		if old != nil {
			next.family, old.rotated = old.family, true
		}
		s.refresh[tokens.Refresh] = next
	}
	if old != nil {
		q.c.carried = q.refresh
	}
}

const reused = "ended by a token that came again"

// cameAgain: Asana may end all of a consent whose rotated token comes again. That
// is nobody's fault where the token came again since its answer was lost.
func (s *sim) cameAgain(old *refreshToken) {
	if !old.rotated || old.hurt == "" || !s.h.asana.Switches().ReuseRevokes {
		return
	}
	for _, r := range s.refresh {
		if r.family == old.family && r.hurt == "" {
			r.rotated, r.hurt = true, reused
		}
	}
}

func (q *simRequest) revoked(status int) {
	s := q.p.s
	if status != http.StatusOK {
		return
	}
	q.c.revoked[q.refresh] = true
	token := s.refresh[q.refresh]
	whole := s.h.asana.Switches().RevokeWholeGrant
	for _, r := range s.refresh {
		if r.family == token.family || whole && r.gid == token.gid {
			r.told = true
		}
	}
}

// What callers do, and what they get.
