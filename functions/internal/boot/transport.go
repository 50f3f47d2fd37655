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

// Time limits for calls to AWS. The endpoints are in the function's own region, so half a
// second is enough to connect. Three attempts of two seconds each fit into the time limit
// of a request. Package dynamo limits the attempts of its own calls to less.
const (
	awsDial    = 500 * time.Millisecond
	awsAttempt = 2 * time.Second
)

// asanaDial is the time limit for opening a TCP connection to Asana, and also the time
// limit for the TLS handshake. Together, the two steps take at most six seconds, less
// than the time limit for a token request, which is eight seconds.
const asanaDial = 3 * time.Second

// awsClient returns an HTTP client for AWS that trusts the certificates in roots. If
// roots is nil, the client trusts the system's roots.
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

// AsanaTransport returns a transport for requests to Asana. The transport uses only
// HTTP/1.1. Lambda may freeze the process, and the server may close a network connection
// during that time. With HTTP/2, the next request would wait until a ping times out.
// [DropStaleConns] can close idle HTTP/1.1 connections before the next request.
//
// The transport limits only the time for opening a network connection. The caller must
// set a deadline for each request.
func AsanaTransport() *http.Transport { return transport(asanaDial) }

// transport returns an HTTP transport. dial is the time limit for opening a TCP
// connection, and also the time limit for the TLS handshake.
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

// replaying is a RoundTripper for AWS. If the server has closed a reused network
// connection, replaying lets net/http retry a read operation immediately. Only the SDK
// retries write operations.
//
// replaying copies the request body, because the SDK closes the original body when the
// response arrives. Without the copy, the SDK could close the body while net/http is
// still sending it. Then sending would fail, net/http would close the network connection,
// and the response could be lost.
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
		// An empty Idempotency-Key, which net/http does not send, makes net/http treat
		// the request as idempotent.
		again.Header = r.Header.Clone()
		again.Header["Idempotency-Key"] = []string{}
	}
	return t.next.RoundTrip(&again)
}

// [http.Client.CloseIdleConnections] calls this method.
func (t replaying) CloseIdleConnections() { t.next.CloseIdleConnections() }

// isRead reports whether target names a read operation. target is the value of the header
// X-Amz-Target, for example "DynamoDB_20120810.GetItem".
func isRead(target string) bool {
	_, operation, _ := strings.Cut(target, ".")
	switch operation {
	case "GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan", "Decrypt", "GetSecretValue":
		return true
	}
	return false
}
