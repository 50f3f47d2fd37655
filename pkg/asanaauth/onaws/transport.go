package onaws

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/asanaauth/asanaauth/internal/awsretry"
)

// awsAttempt limits the duration of one attempt. Package awsretry allows three attempts,
// with two pauses of at most 0.2 seconds. A call to AWS therefore takes at most 6.4
// seconds, and ends before a lease of 12 seconds expires. Package dynamo limits the
// attempts of its own calls to less. With the SDK's defaults, an attempt has no time limit
// except the context, and a pause can last 20 seconds.
const awsAttempt = 2 * time.Second

// withLimits returns a copy of cfg that limits the number and the duration of attempts.
// The SDK also repeats writes that may have succeeded. This is safe because the store
// recognizes a repeated write.
//
// withLimits keeps the program's own HTTP client, including its CA bundle and its proxy.
// The Lambda functions use a different client, because often all TCP connections of a
// Lambda sandbox are closed when the sandbox resumes after a freeze. In a program that
// runs all the time, a closed TCP connection is rare, and costs only one retry.
func withLimits(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	cfg.HTTPClient = timeoutClient{cfg.HTTPClient}
	if cfg.Retryer == nil {
		cfg.Retryer = func() aws.Retryer { return awsretry.New() }
	}
	return cfg
}

// timeoutClient is an HTTP client that limits the duration of each attempt. The limit
// includes reading the response's body.
type timeoutClient struct{ next aws.HTTPClient }

// Do implements [aws.HTTPClient].
func (c timeoutClient) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), awsAttempt)
	resp, err := c.next.Do(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = cancelBody{resp.Body, cancel}
	return resp, nil
}

type cancelBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close closes the body and cancels the attempt's context.
func (b cancelBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// asanaDial limits how long the TCP connection to Asana may take, and how long the TLS
// handshake may take. Together, they take at most six seconds, less than the time limit
// for a token request, which is eight seconds.
const asanaDial = 3 * time.Second

// asanaTransport does not return http.DefaultTransport, because other code in the program
// can change that transport. Like the Lambda functions, the returned transport uses only
// HTTP/1.1, so that net/http never sends a token request twice.
func asanaTransport() *http.Transport {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: asanaDial}).DialContext,
		TLSHandshakeTimeout:    asanaDial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		Protocols:              &http1,
		MaxIdleConnsPerHost:    32, // a job may send many requests at once
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
