package kms_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/kms"
)

// dying answers the first request of each connection and cuts the connection
// at the second, as if it had been dead all along. It counts connections, and
// keeps the heads and bodies that it answered.
func dying(t *testing.T, answer string) (url string, connections *atomic.Int32, answered chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections, answered = new(atomic.Int32), make(chan string, 10)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go serveOnce(c, answer, answered)
		}
	}()
	return "http://" + l.Addr().String(), connections, answered
}

func serveOnce(c net.Conn, answer string, answered chan<- string) {
	defer c.Close()
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	body, _ := io.ReadAll(r.Body)
	var head strings.Builder
	r.Header.Write(&head)
	answered <- head.String() + string(body)
	w := &http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(answer)), ContentLength: int64(len(answer))}
	w.Write(c)
	if r, err := http.ReadRequest(in); err == nil {
		io.Copy(io.Discard, r.Body)
	}
}

// A thawed sandbox has dead connections. Decrypt is sent again on a new one by
// net/http itself: the SDK does not try twice here.
func TestDecryptIsReplayedOnADeadConnection(t *testing.T) {
	url, connections, answered := dying(t, `{"Plaintext":"cGxhaW4="}`)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	k := kms.New(client(url, bodies{transport}, nil), keyID)
	for range 3 {
		plain, err := k.Unwrap(t.Context(), []byte("wrapped"), keyARN, seal.Context("i"))
		if err != nil || string(plain) != "plain" {
			t.Fatalf("Unwrap = %q, %v, want what KMS answered", plain, err)
		}
		sent := <-answered
		if !strings.Contains(sent, `"CiphertextBlob":"d3JhcHBlZA=="`) {
			t.Errorf("the replayed call lost its body:\n%s", sent)
		}
		if strings.Contains(strings.ToLower(sent), "idempotency-key") {
			t.Errorf("the mark meant for net/http was sent or signed:\n%s", sent)
		}
	}
	if n := connections.Load(); n != 3 {
		t.Errorf("%d connections were made, want one for each call", n)
	}
}
