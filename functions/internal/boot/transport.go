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

// Time limits for AWS. Connections stay in one region, so one second is enough to connect.
// Three attempts of two seconds each fit into the time limit of a request.
const (
	awsDial    = time.Second
	awsAttempt = 2 * time.Second
)

// asanaDial is the time limit for connecting to Asana, and another one for the TLS
// handshake. A token request may take eight seconds in total.
const asanaDial = 3 * time.Second

// awsClient returns the HTTP client for the SDK's clients. It trusts the certificates that
// roots have signed, or the system's roots if roots is nil.
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

// AsanaTransport returns a transport for requests to Asana. It uses only HTTP/1.1. After a
// sandbox was frozen, requests on a dead HTTP/2 connection would wait until a ping times
// out, whereas [DropStaleConns] can close idle HTTP/1.1 connections.
//
// The transport sets time limits only for connecting. The caller sets a deadline for each
// request.
func AsanaTransport() *http.Transport { return transport(asanaDial) }

// transport returns an HTTP/1.1 transport. dial is the time limit for connecting, and for
// the TLS handshake.
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

// replaying is a RoundTripper for AWS. It allows net/http to send a read operation again at
// once if the connection turns out to be closed. Write operations are only retried by the
// SDK.
//
// It copies the request's body, because the SDK closes the body as soon as it has the
// response. If net/http has not read the whole body by then, it treats this as a failed
// write: it closes the connection and sometimes loses the response.
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
		// An empty Idempotency-Key is not sent. It allows net/http to send the request
		// again.
		again.Header = r.Header.Clone()
		again.Header["Idempotency-Key"] = []string{}
	}
	return t.next.RoundTrip(&again)
}

// CloseIdleConnections implements the interface that http.Client.CloseIdleConnections uses.
func (t replaying) CloseIdleConnections() { t.next.CloseIdleConnections() }

// isRead reports whether target, the value of an X-Amz-Target header, names an operation
// that changes nothing.
func isRead(target string) bool {
	_, operation, _ := strings.Cut(target, ".")
	switch operation {
	case "GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan", "Decrypt", "GetSecretValue":
		return true
	}
	return false
}
