package boot

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// A connection to AWS is made within its region, so a second is long; and one
// attempt may take two, so that three fit into a request.
const (
	awsDial    = time.Second
	awsAttempt = 2 * time.Second
)

// Asana is further away, and a token request has eight seconds in all.
const asanaDial = 3 * time.Second

// awsClient is the HTTP client of every SDK client; roots nil are the system's.
func awsClient(roots *x509.CertPool) *http.Client {
	t := transport(awsDial)
	t.TLSClientConfig.RootCAs = roots
	return &http.Client{
		Transport: replaying{t},
		Timeout:   awsAttempt,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// AsanaTransport returns a transport for Asana. It speaks HTTP/1.1 alone: after a
// freeze a dead HTTP/2 connection swallows requests until a ping times out, where
// Thaw can drop an idle one. Following redirects, and deadlines, are the caller's.
func AsanaTransport() *http.Transport { return transport(asanaDial) }

func transport(dial time.Duration) *http.Transport {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dial}).DialContext,
		TLSHandshakeTimeout:    dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		Protocols:              &http1,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// replaying lets net/http send a read again when the connection it was sent on
// turns out to be dead, which costs no back-off. A write waits for the SDK's own
// retry, which counts it.
//
// Bodies are copied: the SDK closes its own when it has the answer, and where
// net/http has not yet looked for the end of it, that is a failed write to it,
// which costs the connection and now and then the answer.
type replaying struct{ next *http.Transport }

func (t replaying) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return t.next.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	again := *r
	fresh := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	again.Body, _ = fresh()
	if isRead(r.Header.Get("X-Amz-Target")) {
		again.GetBody = fresh
		// Present but empty, the header is not sent: it only tells net/http that
		// the request may be repeated.
		again.Header = r.Header.Clone()
		again.Header["Idempotency-Key"] = []string{}
	}
	return t.next.RoundTrip(&again)
}

// CloseIdleConnections is what http.Client.CloseIdleConnections looks for.
func (t replaying) CloseIdleConnections() { t.next.CloseIdleConnections() }

// isRead knows the operations that change nothing at AWS, Decrypt among them.
func isRead(target string) bool {
	_, operation, _ := strings.Cut(target, ".")
	switch operation {
	case "GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan", "Decrypt", "GetSecretValue":
		return true
	}
	return false
}
