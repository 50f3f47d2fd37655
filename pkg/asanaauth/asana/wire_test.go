package asana_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
)

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for call, do := range calls {
		for _, location := range []string{"/elsewhere", "://malformed", ""} {
			for _, status := range []int{301, 302, 303, 307, 308} {
				var got atomic.Int32
				c := toServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					got.Add(1)
					w.Header().Set("Location", location)
					w.WriteHeader(status)
				}))
				err := do(t.Context(), c)
				if e, ok := errors.AsType[*asana.Error](err); !ok || e.Status != status || got.Load() != 1 {
					t.Errorf("%s, redirect %d to %q: got %d requests and %v, want 1 request and an error with that status", call, status, location, got.Load(), err)
				}
			}
		}
	}
}

// respondOnceThenClose starts a server that responds only to its first request. For each
// later request, the server reads the whole request and closes the TCP connection. count
// is the number of requests, including resent ones.
func respondOnceThenClose(t *testing.T, response string) (origin string, count *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	count = new(atomic.Int32)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for in := bufio.NewReader(conn); ; {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					if count.Add(1) > 1 {
						return
					}
					io.WriteString(conn, response)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), count
}

// While a Lambda sandbox is frozen, its idle TCP connections may be closed. A token
// request on such a connection must fail: it must not be resent on a new connection.
func TestTokenRequestsAreNotResentOnDeadConnections(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	for call, do := range calls {
		if !isPost(call) {
			continue
		}
		origin, count := respondOnceThenClose(t, ok)
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		c, err := asana.New(asana.Config{BaseURL: origin, ClientID: clientID, Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		do(t.Context(), c) // leaves an idle connection for the next call
		err = do(t.Context(), c)
		if e, ok := errors.AsType[*asana.Error](err); !ok || e.Status != 0 || e.Code != "" || e.Timeout {
			t.Errorf("%s on a dead connection = %v, want an *Error without status", call, err)
		}
		if got := count.Load(); got != 2 {
			t.Errorf("%s: the server got %d requests of two calls, want 2", call, got)
		}
	}
}

// failingWrites is a network connection on which every write after the first fails.
type failingWrites struct {
	net.Conn
	writes atomic.Int32
}

func (c *failingWrites) Write(p []byte) (int, error) {
	if c.writes.Add(1) > 1 {
		return 0, errors.New("broken pipe")
	}
	return c.Conn.Write(p)
}

// net/http resends a request if the first write on a reused connection fails and the body
// can be rewound. A token request must fail instead.
func TestTokenRequestsAreNotResentAfterAFailedWrite(t *testing.T) {
	t.Parallel()
	for call, do := range calls {
		if !isPost(call) {
			continue
		}
		var dials atomic.Int32
		transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			client, server := net.Pipe()
			go func() {
				defer server.Close()
				for in := bufio.NewReader(server); ; {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
				}
			}()
			return &failingWrites{Conn: client}, nil
		}}
		defer transport.CloseIdleConnections()
		c, err := asana.New(asana.Config{BaseURL: "http://localhost:1", ClientID: clientID, Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		do(t.Context(), c)
		if err := do(t.Context(), c); err == nil || dials.Load() != 1 {
			t.Errorf("%s after a failed write = %v with %d connections, want an error with 1 connection", call, err, dials.Load())
		}
	}
}

type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	copy(p, strings.Repeat(" ", len(p)))
	e.read += int64(len(p))
	return len(p), nil
}
func (*endless) Close() error { return nil }

func TestResponseSizeIsLimited(t *testing.T) {
	t.Parallel()
	for call, do := range calls {
		for _, status := range []int{200, 400} {
			body := &endless{}
			err := do(t.Context(), toAsana(t, roundTrip(func(*http.Request) (*http.Response, error) {
				r := reply(status, "")
				r.Body = body
				return r, nil
			})))
			if e, ok := errors.AsType[*asana.Error](err); !ok || e.Status != status || e.Code != "" {
				t.Errorf("%s with an endless body = %v, want an *Error with status %d", call, err, status)
			}
			limit := int64(1<<20 + 64<<10) // io.ReadAll may read a little more than the limit
			if isPost(call) {
				limit = 64<<10 + 64<<10
			}
			if body.read > limit {
				t.Errorf("%s read %d bytes of an endless body, want at most %d", call, body.read, limit)
			}
		}
	}
}

type untilDone struct{ ctx context.Context }

func (u untilDone) Read([]byte) (int, error) { <-u.ctx.Done(); return 0, u.ctx.Err() }
func (u untilDone) Close() error             { return nil }

func TestContextEndsEveryCall(t *testing.T) {
	t.Parallel()
	servers := map[string]roundTrip{
		"no response": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, errors.New("an error of the transport")
		},
		"body that blocks": func(r *http.Request) (*http.Response, error) {
			resp := reply(200, "")
			resp.Body = untilDone{r.Context()}
			return resp, nil
		},
	}
	for name, server := range servers {
		for call, do := range calls {
			synctest.Test(t, func(t *testing.T) {
				c := toAsana(t, server)
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				defer cancel()
				start := time.Now()
				err := do(ctx, c)
				if e, ok := errors.AsType[*asana.Error](err); !ok || !e.Timeout || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 8*time.Second {
					t.Errorf("%s, %s: %v after %v, want a timeout after 8s", call, name, err, time.Since(start))
				}
				ctx, cancel = context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				err = do(ctx, c)
				if e, ok := errors.AsType[*asana.Error](err); !ok || e.Timeout || !errors.Is(err, context.Canceled) {
					t.Errorf("%s, %s: %v, want canceled", call, name, err)
				}
			})
		}
	}
}

func TestTransportErrorsAreWrapped(t *testing.T) {
	t.Parallel()
	lost := errors.New("MARKERtransport")
	for call, do := range calls {
		err := do(t.Context(), toAsana(t, roundTrip(func(*http.Request) (*http.Response, error) { return nil, lost })))
		if !errors.Is(err, lost) {
			t.Errorf("%s = %v, want it to wrap the transport's error", call, err)
		}
	}
}
