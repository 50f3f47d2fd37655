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

func TestNoRedirectIsFollowed(t *testing.T) {
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
					t.Errorf("%s, redirected by %d to %q: %d requests, %v", call, status, location, got.Load(), err)
				}
			}
		}
	}
}

// answerOnceThenHangUp serves one request of each connection it is given the
// first time, and closes on all others after having read them whole. It counts
// requests, so that one sent again is seen.
func answerOnceThenHangUp(t *testing.T, answer string) (origin string, count *atomic.Int32) {
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
					io.WriteString(conn, answer)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), count
}

// A thawed sandbox has connections that died long ago. net/http sends a request
// that it takes for replayable again on a new one; a token request must fail.
func TestADeadConnectionReplaysNoTokenRequest(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
	for call, do := range calls {
		if !isPost(call) {
			continue
		}
		origin, count := answerOnceThenHangUp(t, ok)
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		c, err := asana.New(asana.Config{BaseURL: origin, ClientID: clientID, Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		do(t.Context(), c) // leaves its connection to the next one
		err = do(t.Context(), c)
		if e, ok := errors.AsType[*asana.Error](err); !ok || e.Status != 0 || e.Code != "" || e.Timeout {
			t.Errorf("%s on a connection that died = %v, want an *Error without status", call, err)
		}
		if got := count.Load(); got != 2 {
			t.Errorf("%s: the server saw %d requests of two calls", call, got)
		}
	}
}

// failingWrites takes one request; later ones fail before anything is written.
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

// net/http also sends again where nothing was written, if it can rewind the body.
func TestAnUnwrittenTokenRequestIsNotSentAgain(t *testing.T) {
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
			t.Errorf("%s after a write that failed = %v with %d connections, want an error and 1", call, err, dials.Load())
		}
	}
}

// endless is a body without end that counts what is read of it.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	copy(p, strings.Repeat(" ", len(p)))
	e.read += int64(len(p))
	return len(p), nil
}
func (*endless) Close() error { return nil }

func TestAnswersAreBounded(t *testing.T) {
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
				t.Errorf("%s with an endless body = %v", call, err)
			}
			most := int64(1<<20 + 64<<10) // io.ReadAll may ask for a little more than the limit
			if isPost(call) {
				most = 64<<10 + 64<<10
			}
			if body.read > most {
				t.Errorf("%s read %d bytes of an endless body", call, body.read)
			}
		}
	}
}

// untilDone is a body, or a server, that says nothing until the caller gives up.
type untilDone struct{ ctx context.Context }

func (u untilDone) Read([]byte) (int, error) { <-u.ctx.Done(); return 0, u.ctx.Err() }
func (u untilDone) Close() error             { return nil }

func TestTheCallersContextBoundsEveryCall(t *testing.T) {
	t.Parallel()
	servers := map[string]roundTrip{
		"no answer": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, errors.New("what a transport may say of it")
		},
		"no end": func(r *http.Request) (*http.Response, error) {
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
					t.Errorf("%s, %s: %v after %v, want a time-out after 8s", call, name, err, time.Since(start))
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

func TestATransportsOwnErrorIsKept(t *testing.T) {
	t.Parallel()
	lost := errors.New("MARKERtransport said this")
	for call, do := range calls {
		err := do(t.Context(), toAsana(t, roundTrip(func(*http.Request) (*http.Response, error) { return nil, lost })))
		if !errors.Is(err, lost) {
			t.Errorf("%s = %v, want it to be the transport's error", call, err)
		}
	}
}
