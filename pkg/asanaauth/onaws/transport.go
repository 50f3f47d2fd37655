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

// A call to AWS fits into a request of ours, whatever happens to its first attempts:
// three of two seconds, with short waits between them. Left to itself, the SDK waits
// for a silent connection as long as the caller does, and up to 20 seconds between
// attempts, and a lease would run out meanwhile.
const (
	awsAttempt  = 2 * time.Second
	awsAttempts = 3
	awsBackoff  = 200 * time.Millisecond
)

// careful is the program's configuration with these limits. Writes are tried again
// too: each of ours recognises itself.
//
// The functions do more. A Lambda sandbox that thaws finds all of its connections
// dead, so there net/http itself sends reads again, at once; a program that runs
// meets a dead connection now and then, and pays one back-off for it. That also
// leaves the HTTP client the program's own: the SDK's, which knows AWS_CA_BUNDLE, a
// proxy's, a test's.
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

// attempts bounds each attempt, until its answer is read.
type attempts struct{ next aws.HTTPClient }

// Do implements [aws.HTTPClient].
func (a attempts) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), awsAttempt)
	answer, err := a.next.Do(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	answer.Body = ending{answer.Body, cancel}
	return answer, nil
}

type ending struct {
	io.ReadCloser
	end context.CancelFunc
}

// Close implements [io.Closer].
func (e ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

// asanaDial bounds the making of a connection: a token request has eight seconds in
// all.
const asanaDial = 3 * time.Second

// asanaTransport is for Asana alone, so that what a program does to
// http.DefaultTransport happens to no token. HTTP/1.1, as in the functions: a token
// request is written once, on one connection, or not at all.
func asanaTransport() *http.Transport {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: asanaDial}).DialContext,
		TLSHandshakeTimeout:    asanaDial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		Protocols:              &http1,
		MaxIdleConnsPerHost:    32, // a job asks many at once
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
