package refresher_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
)

func (q *simRequest) apply() *http.Response {
	s := q.s
	s.mu.Lock()
	defer s.mu.Unlock()
	q.applied = true
	r := q.r.Clone(context.WithoutCancel(q.r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(q.body))
	resp, err := s.inst.Asana.Transport().RoundTrip(r)
	if err != nil {
		s.violation("offline Asana: %v", err)
		return q.response(http.StatusBadGateway, "", nil)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	switch q.path {
	case authtest.TokenPath:
		q.noteTokens(resp.StatusCode, body)
	case authtest.RevokePath:
		q.noteRevocation(resp.StatusCode)
	case authtest.IntrospectPath:
		q.noteIntrospection(body)
	}
	return resp
}

func (q *simRequest) noteTokens(status int, body []byte) {
	s := q.s
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Error   string
	}
	if err := json.Unmarshal(body, &tokens); err != nil {
		s.violation("offline Asana: %v", err)
	}
	old := s.refresh[q.refresh]
	if status != http.StatusOK {
		if tokens.Error == "invalid_grant" && old != nil {
			q.c.rejected[q.refresh] = true
			s.noteReuse(old)
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

// noteReuse records that Asana has ended a whole consent because a rotated token was used
// again. If the response to the first use was lost, the second use is allowed, and
// noteReuse records the loss of the consent's tokens.
func (s *sim) noteReuse(old *refreshToken) {
	if !old.rotated || old.lost == "" || !s.inst.Asana.Switches().ReuseRevokes {
		return
	}
	for _, r := range s.refresh {
		if r.family == old.family && r.lost == "" {
			r.rotated, r.lost = true, causeReused
		}
	}
}

func (q *simRequest) noteIntrospection(body []byte) {
	var info struct{ Active bool }
	if err := json.Unmarshal(body, &info); err != nil {
		q.s.violation("offline Asana: %v", err)
	}
	if q.s.refresh[q.refresh] != nil {
		q.s.count["introspected in doubt"]++
		return
	}
	q.s.count["introspected"]++
	q.c.said[q.refresh] = info.Active
	if info.Active {
		q.s.access[q.refresh].active = time.Now()
	}
}

func (q *simRequest) noteRevocation(status int) {
	s := q.s
	if status != http.StatusOK {
		return
	}
	q.c.revoked[q.refresh] = true
	token := s.refresh[q.refresh]
	whole := s.inst.Asana.Switches().RevokeWholeGrant
	for _, r := range s.refresh {
		if r.family == token.family || whole && r.gid == token.gid {
			r.ended = true
		}
	}
}
