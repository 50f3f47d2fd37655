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

// A connection to AWS stays in its region, so one second is enough to dial. One attempt may
// take two seconds, so three attempts fit into the time of a request.
const (
	awsDial    = time.Second
	awsAttempt = 2 * time.Second
)

// asanaDial is the time limit to connect to Asana, and for the TLS handshake. A token
// request may take eight seconds in all.
const asanaDial = 3 * time.Second

// awsClient returns the HTTP client for every client of the SDK. If roots is nil, the
// system's roots are used.
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

// AsanaTransport returns a transport for Asana. It uses only HTTP/1.1: after a freeze,
// requests on a closed HTTP/2 connection wait until a ping times out, but DropStaleConns can
// close an idle HTTP/1.1 connection. The caller sets deadlines and handles redirects.
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

// replaying is a RoundTripper that lets net/http send a read again at once, if the
// connection turns out to be closed. Writes are left to the SDK's own retries.
//
// It copies the request's body. The SDK closes its body when it has the response. If net/http
// has not yet read the end of the body, it takes that for a failed write, and closes the
// connection and sometimes loses the response.
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
		// net/http does not send this header if it is empty, but then treats the
		// request as one that may be repeated.
		again.Header = r.Header.Clone()
		again.Header["Idempotency-Key"] = []string{}
	}
	return t.next.RoundTrip(&again)
}

// CloseIdleConnections closes the idle connections. http.Client.CloseIdleConnections calls
// it.
func (t replaying) CloseIdleConnections() { t.next.CloseIdleConnections() }

// isRead reports whether an X-Amz-Target is an operation that changes nothing.
func isRead(target string) bool {
	_, operation, _ := strings.Cut(target, ".")
	switch operation {
	case "GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan", "Decrypt", "GetSecretValue":
		return true
	}
	return false
}
