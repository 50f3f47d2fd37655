package asanaauth_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// BenchmarkToken measures what a token costs in this process, without table,
// KMS and network: "valid" serves the one at hand, "refresh" takes the lease,
// asks an Asana that answers at once, and saves. Compare the two of one run.
func BenchmarkToken(b *testing.B) {
	for name, step := range map[string]time.Duration{"valid": 0, "refresh": time.Hour} {
		b.Run(name, func(b *testing.B) {
			clock := &steppingClock{now: time.Now()}
			conns, cookie := benchConnections(b, clock)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				clock.now = clock.now.Add(step)
				s, err := conns.Session(ctx, cookie)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := conns.Token(ctx, s, asanaauth.TokenRequest{MinTTL: asanaauth.DefaultMinTTL}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchConnections(b *testing.B, clock asanaauth.Clock) (*asanaauth.Connections, secret.String) {
	b.Helper()
	rows := &store.Memory{}
	client, err := asana.New(asana.Config{BaseURL: asanaURL, ClientID: clientID, Transport: answersAtOnce{}, Now: clock.Now})
	if err != nil {
		b.Fatal(err)
	}
	parts := asanaauth.Parts{
		Store: rows, Asana: client, Clock: clock,
		Keys:    asanaauth.NewKeys(asanaauth.KeysConfig{Store: rows, Wrapper: local.New([32]byte{1}), Installation: "bench", TTL: 1 << 62, Clock: clock}),
		Secrets: asanaauth.NewSecrets(&secretsManager{values: []string{"secret"}}, clock),
	}
	login, err := asanaauth.NewLogin(parts, asanaauth.LoginOptions{
		RedirectURI: redirectURI, ReturnURLs: []string{returnURL}, Scopes: "default",
		SessionTTL: 1 << 62, SessionIdleTTL: 1 << 62,
	})
	if err != nil {
		b.Fatal(err)
	}
	begun, err := login.Begin(b.Context(), asanaauth.BeginRequest{})
	if err != nil {
		b.Fatal(err)
	}
	finished, err := login.Finish(b.Context(), asanaauth.FinishRequest{
		State: stateOf(b, begun), Browser: begun.Browser, Code: secret.New("code"),
	})
	if err != nil {
		b.Fatal(err)
	}
	conns, err := asanaauth.NewConnections(parts, asanaauth.ConnectionsOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return conns, finished.Session
}

func stateOf(b *testing.B, begun asanaauth.Begun) string {
	_, rest, _ := strings.Cut(begun.URL, "state=")
	state, _, _ := strings.Cut(rest, "&")
	return state
}

// answersAtOnce is an Asana with one answer for all.
type answersAtOnce struct{}

const oneAnswer = `{"access_token":"2/1200000000000001/1200000000000002:0123456789abcdef0123456789abcdef",` +
	`"refresh_token":"2/1200000000000001/1200000000000003:0123456789abcdef0123456789abcdef",` +
	`"token_type":"bearer","expires_in":3600,"data":{"gid":"1200000000000001","name":"A"}}`

func (answersAtOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	body := oneAnswer
	if r.Method == http.MethodGet {
		body = `{"data":{"gid":"1200000000000001","name":"A"}}`
	}
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(strings.NewReader(body)),
		Request:    r,
	}, nil
}

// steppingClock stands still but for its steps. Its deadlines never come.
type steppingClock struct {
	asanaauth.SystemClock
	now time.Time
}

func (c *steppingClock) Now() time.Time { return c.now }

func (c *steppingClock) WithDeadline(ctx context.Context, _ time.Time) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
