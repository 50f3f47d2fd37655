package refresher_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
)

// simAsana is the HTTP transport between one process and Asana. The transport adds
// faults, checks each request, and records the tokens in the responses.
type simAsana struct{ p *simProcess }

type simRequest struct {
	p       *simProcess
	s       *sim
	c       *simCall
	r       *http.Request
	body    []byte
	path    string
	refresh string // the refresh token in the request; of an introspection, the access token or the refresh token
	applied bool   // whether the request reached Asana
}

func (a simAsana) RoundTrip(r *http.Request) (*http.Response, error) {
	q := &simRequest{p: a.p, s: a.p.s, c: callOf(r.Context()), r: r, path: r.URL.Path}
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
	resp, err := q.outcome()
	q.s.trace("process %d, call %d: %s: %v, %v", q.p.name, q.c.id, q.path, resp != nil && resp.StatusCode == http.StatusOK, err)
	if q.p.isDead() {
		resp, err = nil, io.ErrUnexpectedEOF
	}
	if q.isRefresh() && errors.Is(r.Context().Err(), context.Canceled) {
		q.s.mu.Lock()
		q.s.violation("call %d: a request ended because its caller left", q.c.id)
		q.s.mu.Unlock()
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		q.responseLost()
	}
	if err == nil && resp.StatusCode == http.StatusBadRequest && q.path == authtest.RevokePath {
		q.s.mu.Lock()
		q.c.refused[q.refresh] = true
		q.s.mu.Unlock()
		q.s.tally("revocation refused")
	}
	return resp, err
}

func (q *simRequest) isRefresh() bool { return q.path == authtest.TokenPath && q.refresh != "" }

// begin checks the invariants for a request that the comment on TestSimulation lists.
func (q *simRequest) begin() {
	s := q.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.path == authtest.IntrospectPath {
		if s.refresh[q.refresh] != nil { // a disconnect in doubt
			if q.c.leased == nil || q.c.leased.Status != row.Revoking {
				s.violation("call %d introspects a refresh token without a lease", q.c.id)
			}
			return
		}
		if q.c.checks--; q.c.checks < 0 {
			s.violation("call %d introspects a token, and has not announced it in the row", q.c.id)
		}
		return
	}
	token := s.refresh[q.refresh]
	if token == nil {
		return
	}
	for _, other := range token.requests {
		if !other.stalled && !other.p.dead {
			s.violation("two requests for one refresh token: calls %d and %d", other.id, q.c.id)
		}
	}
	token.requests = append(token.requests, q.c)
	conn := s.conn(connectionID(token.gid))
	if q.isRefresh() {
		conn.requests++
		if left := q.c.leased.LeaseEnd.Sub(q.p.clock.Now()); left < row.RequestTime+row.SaveReserve {
			s.violation("call %d asks Asana with %v of its lease left", q.c.id, left)
		}
		return
	}
	hot := s.hotOf(token.gid)
	if hot != nil && (hot.Status == row.Active || hot.Status == row.Broken) && conn.consent <= q.c.seen {
		s.violation("a revocation for a person whose connection is %s", hot.Status)
	}
}

func (q *simRequest) end() {
	q.s.mu.Lock()
	defer q.s.mu.Unlock()
	if token := q.s.refresh[q.refresh]; token != nil {
		token.requests = slices.DeleteFunc(token.requests, func(c *simCall) bool { return c == q.c })
	}
}

func (q *simRequest) responseLost() {
	q.s.mu.Lock()
	defer q.s.mu.Unlock()
	if q.applied && q.isRefresh() {
		q.s.mayBeLost(q.refresh, causeLost)
	}
}

func (q *simRequest) wait(low, high time.Duration) error {
	return trueTime.Sleep(q.r.Context(), q.c.random.between(low, high))
}

// outcome chooses at random whether the request reaches Asana, and which response the
// process gets.
func (q *simRequest) outcome() (*http.Response, error) {
	r := q.c.random
	ch, ok := q.s.faults()
	if err := q.wait(10*time.Millisecond, 300*time.Millisecond); err != nil {
		return nil, err
	}
	switch {
	case q.p.isDead():
		return q.perhapsApplied()
	case !ok:
		return q.apply(), nil
	case r.happens(ch.processDies):
		q.p.die()
		return q.perhapsApplied()
	case r.happens(ch.asanaRefuses):
		return q.refused()
	case r.happens(ch.asanaLoses):
		return q.lost()
	case q.isRefresh() && r.happens(ch.asanaStalls):
		return q.stalled()
	}
	if r.happens(ch.asanaSlow) {
		if err := q.wait(time.Second, 9*time.Second); err != nil {
			q.perhapsApplied()
			return nil, err
		}
	}
	resp := q.apply()
	if r.happens(ch.asanaSlow) {
		return resp, q.wait(time.Second, 9*time.Second)
	}
	return resp, q.wait(10*time.Millisecond, 300*time.Millisecond)
}

// perhapsApplied lets the request reach Asana in half of the cases. The process gets no
// response.
func (q *simRequest) perhapsApplied() (*http.Response, error) {
	if q.c.random.happens(0.5) {
		q.apply()
	}
	return nil, io.ErrUnexpectedEOF
}

func (q *simRequest) refused() (*http.Response, error) {
	switch q.c.random.intN(6) {
	case 0:
		return q.response(http.StatusServiceUnavailable, "Service Unavailable", nil), nil
	case 1:
		wait := fmt.Sprint(q.c.random.intN(20))
		return q.response(http.StatusTooManyRequests, "{}", http.Header{"Retry-After": {wait}}), nil
	case 2:
		return q.response(http.StatusUnauthorized, `{"error":"invalid_client"}`, nil), nil
	case 3:
		return q.response(http.StatusBadRequest, `{"error":"server_error"}`, nil), nil
	case 4:
		return q.response(http.StatusInternalServerError, `{"error":"invalid_grant"}`, nil), nil
	}
	return nil, io.ErrUnexpectedEOF
}

// lost loses the response. In 30 % of the cases, the request does not reach Asana either.
func (q *simRequest) lost() (*http.Response, error) {
	if q.c.random.happens(0.7) {
		q.apply()
	}
	defer q.responseLost() // even if the process gets a 200 response that cannot be read
	switch q.c.random.intN(3) {
	case 0:
		return q.response(http.StatusBadGateway, "", nil), nil
	case 1:
		return q.response(http.StatusOK, "nonsense", nil), nil
	}
	return nil, io.ErrUnexpectedEOF
}

// stalled suspends the process before or after the request reaches Asana. The process may
// get the response after its deadline.
func (q *simRequest) stalled() (*http.Response, error) {
	var resp *http.Response
	applyFirst := q.c.random.happens(0.5)
	if applyFirst {
		resp = q.apply()
	}
	q.s.stall(q.c)
	q.s.mu.Lock()
	q.s.mayBeLost(q.refresh, causeStalled)
	q.s.mu.Unlock()
	if !applyFirst {
		resp = q.apply()
	}
	if err := q.r.Context().Err(); err != nil && q.c.random.happens(0.3) {
		return nil, err
	}
	return resp, nil
}

func (q *simRequest) response(status int, body string, h http.Header) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Type", "application/json")
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: q.r}
}
