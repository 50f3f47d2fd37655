package boot_test

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
)

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// closingServer responds to the first request on each network connection, and closes the
// connection when a second request arrives. A client sees the same behavior after Lambda
// has frozen its process.
func closingServer(t *testing.T) *httptest.Server {
	var last atomic.Value
	last.Store("")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if last.Swap(r.RemoteAddr) == r.RemoteAddr {
			panic(http.ErrAbortHandler)
		}
		body, _ := io.ReadAll(r.Body)
		if _, ok := r.Header["Idempotency-Key"]; ok {
			t.Error("Idempotency-Key was sent")
		}
		w.Write(body)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestOnlyReadsAreSentAgainOnADeadConnection(t *testing.T) {
	tests := []struct {
		target string
		want   bool
	}{
		{"DynamoDB_20120810.GetItem", true},
		{"DynamoDB_20120810.BatchGetItem", true},
		{"DynamoDB_20120810.Query", true},
		{"DynamoDB_20120810.Scan", true},
		{"TrentService.Decrypt", true},
		{"secretsmanager.GetSecretValue", true},
		{"DynamoDB_20120810.PutItem", false},
		{"DynamoDB_20120810.TransactWriteItems", false},
		{"TrentService.GenerateDataKey", false},
		{"", false},
	}
	for _, test := range tests {
		t.Run(test.target, func(t *testing.T) {
			server := closingServer(t)
			client := awsConfig(t, nil).HTTPClient
			do := func() (string, error) {
				r, err := http.NewRequest("POST", server.URL, strings.NewReader("body"))
				if err != nil {
					t.Fatal(err)
				}
				r.GetBody = nil // the SDK does not set it
				r.Header.Set("X-Amz-Target", test.target)
				resp, err := client.Do(r)
				if err != nil {
					return "", err
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				return string(body), err
			}
			if body, err := do(); err != nil || body != "body" {
				t.Fatalf("first request: got %q, %v; want body", body, err)
			}
			body, err := do()
			if got := err == nil && body == "body"; got != test.want {
				t.Errorf("on a dead connection: got %q, %v; sent again %v, want %v", body, err, got, test.want)
			}
		})
	}
}

func TestAsanaTransportUsesHTTP1(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	tr := boot.AsanaTransport()
	tr.TLSClientConfig.RootCAs = x509.NewCertPool()
	tr.TLSClientConfig.RootCAs.AddCert(server.Certificate())
	resp, err := (&http.Client{Transport: tr}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "HTTP/1.1" {
		t.Errorf("got protocol %s, want HTTP/1.1", body)
	}
}

func TestDropStaleConns(t *testing.T) {
	var dialed atomic.Int32
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			dialed.Add(1)
		}
	}
	server.Start()
	defer server.Close()

	now := time.Date(2026, 3, 3, 10, 0, 0, 0, time.UTC)
	tr := boot.AsanaTransport()
	call := func() {
		resp, err := (&http.Client{Transport: tr}).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	var inside time.Duration
	h := boot.DropStaleConns(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		call()
		now = now.Add(inside)
	}), func() time.Time { return now }, tr)

	call() // warm-up
	steps := []struct {
		name          string
		pause, inside time.Duration
		want          int32 // connections dialed so far
	}{
		{"ten seconds after init", 10 * time.Second, 0, 1},
		{"immediately", 0, 0, 1},
		{"after a freeze", 10*time.Second + 1, 20 * time.Second, 2},
		{"immediately after a long invocation", 0, 0, 2},
		{"after the clock was set back", -time.Second, 0, 3},
		{"an hour later", time.Hour, 0, 4},
	}
	for _, step := range steps {
		now, inside = now.Add(step.pause), step.inside
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		if got := dialed.Load(); got != step.want {
			t.Errorf("%s: got %d connections, want %d", step.name, got, step.want)
		}
	}
}
