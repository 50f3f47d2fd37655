package token_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

// BenchmarkToken measures the CPU time and the memory that a call of Token needs, without
// DynamoDB, KMS and the network. The sub-benchmark "valid" opens a session and returns
// its token. The sub-benchmark "refresh" also takes the lease, sends a request to an
// Asana that responds at once, and saves the response. Compare only results from the same
// run.
func BenchmarkToken(b *testing.B) {
	for name, step := range map[string]time.Duration{"valid": 0, "refresh": time.Hour} {
		b.Run(name, func(b *testing.B) {
			clock := &steppingClock{now: time.Now()}
			p, cookie := benchProcess(b, clock)
			b.ReportAllocs()
			for b.Loop() {
				clock.now = clock.now.Add(step)
				if _, err := p.Ask(context.Background(), cookie, token.Request{MinTTL: token.DefaultMinTTL}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchProcess returns a process and the cookie of a session that does not expire.
func benchProcess(b *testing.B, clock asanaauth.Clock) (*authtest.Process, secret.String) {
	b.Helper()
	const forever = 1 << 62
	inst := authtest.New(b)
	p := inst.Process(func(s *authtest.Settings) {
		s.Store, s.Transport, s.Clock, s.Log = inst.Rows, respondsAtOnce{}, clock, slog.DiscardHandler
		s.SessionTTL, s.IdleTTL, s.KeyTTL = forever, forever, forever
	})
	attempt := p.Begin()
	out, err := p.Callback(login.CallbackRequest{
		State: authtest.Query(b, attempt.URL).Get("state"), Browser: attempt.Browser, Code: secret.New("code"),
	})
	if err != nil {
		b.Fatal(err)
	}
	return p, out.Session
}

type respondsAtOnce struct{}

const (
	tokenResponse = `{"access_token":"2/1200000000000001/1200000000000002:0123456789abcdef0123456789abcdef",` +
		`"refresh_token":"2/1200000000000001/1200000000000003:0123456789abcdef0123456789abcdef",` +
		`"token_type":"bearer","expires_in":3600,"data":{"gid":"1200000000000001","name":"A"}}`
	meResponse = `{"data":{"gid":"1200000000000001","name":"A"}}`
)

func (respondsAtOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	body := tokenResponse
	if r.Method == http.MethodGet {
		body = meResponse
	}
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(body)),
		Request:    r,
	}, nil
}

// steppingClock is a clock whose time changes only if the benchmark changes it.
type steppingClock struct {
	asanaauth.SystemClock
	now time.Time
}

func (c *steppingClock) Now() time.Time { return c.now }

// WithDeadline sets no deadline, because the times of this clock are not real.
func (c *steppingClock) WithDeadline(ctx context.Context, _ time.Time) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
