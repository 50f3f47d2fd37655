package onaws

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// A call to AWS has at most three attempts of two seconds each, with short waits between
// them, so that it ends before a lease does. By default, the SDK waits for a response as
// long as the context allows, and up to 20 seconds between attempts.
const (
	awsAttempt  = 2 * time.Second
	awsAttempts = 3
	awsBackoff  = 200 * time.Millisecond
)

// careful returns a copy of cfg with these limits. The SDK retries writes too, because the
// store recognises a repeated write.
//
// Package boot of the Lambda functions also lets net/http repeat reads at once, because a
// sandbox that was frozen often finds all of its connections closed. A running program
// rarely finds one closed, and then waits for one back-off. So careful keeps the program's
// own HTTP client, with its AWS_CA_BUNDLE and its proxy.
func careful(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	cfg.HTTPClient = attempts{cfg.HTTPClient}
	if cfg.Retryer == nil {
		cfg.Retryer = func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.MaxBackoff = awsAttempts, awsBackoff
			})
		}
	}
	return cfg
}

// attempts is an HTTP client that limits the time of each attempt, until the response's
// body is closed.
type attempts struct{ next aws.HTTPClient }

// Do implements [aws.HTTPClient]: it sends r with a deadline.
func (a attempts) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), awsAttempt)
	resp, err := a.next.Do(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = ending{resp.Body, cancel}
	return resp, nil
}

// ending is a response's body that ends the attempt's context when it is closed.
type ending struct {
	io.ReadCloser
	end context.CancelFunc
}

// Close closes the body and ends the attempt's context.
func (e ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

// asanaDial is the time limit to connect to Asana, and for the TLS handshake. A token
// request may take eight seconds in all.
const asanaDial = 3 * time.Second

// asanaTransport returns a transport for requests to Asana. It is not
// http.DefaultTransport, which other code in the program can change. It uses only HTTP/1.1,
// like the Lambda functions, so that net/http sends a token request at most once.
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
