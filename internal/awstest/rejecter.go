package awstest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// Rejecter is a proxy in front of a server that stands in for an AWS service. It rejects
// requests as AWS does if the signature, the time or the credentials are wrong, and
// forwards all other requests. The servers that the tests use check no signature. A
// Rejecter is safe for concurrent use.
type Rejecter struct {
	URL string

	target *url.URL
	mu     sync.Mutex
	code   string
	left   int           // how many more requests to reject
	ahead  time.Duration // how far the clock of the service is ahead
	dates  []string      // the signed time of each request
}

// NewRejecter starts a Rejecter in front of the server at the URL target. At first, it
// forwards every request. It stops at the end of the test.
func NewRejecter(t testing.TB, target string) *Rejecter {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &Rejecter{target: u}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// Reject makes the proxy reject the next n requests with status 400 and an error code.
func (p *Rejecter) Reject(code string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.code, p.left, p.dates = code, n, nil
}

// SetAhead sets how far the clock of the service is ahead of the system clock. The proxy
// then rejects each request whose signed time differs from that clock by more than five
// minutes.
func (p *Rejecter) SetAhead(ahead time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead, p.dates = ahead, nil
}

// Dates returns the signed time of each request since the last call of Reject or
// SetAhead, as in the header X-Amz-Date.
func (p *Rejecter) Dates() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.dates)
}

// ServeHTTP implements [http.Handler].
func (p *Rejecter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	code, now := p.check(r)
	date := now.UTC().Format(http.TimeFormat)
	if code == "" {
		forward := &httputil.ReverseProxy{
			Rewrite:        func(pr *httputil.ProxyRequest) { pr.SetURL(p.target) },
			ModifyResponse: func(resp *http.Response) error { resp.Header.Set("Date", date); return nil },
		}
		forward.ServeHTTP(w, r)
		return
	}
	io.Copy(io.Discard, r.Body)
	w.Header().Set("Date", date)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"__type":"com.amazon.coral.service#%s","message":"rejected"}`, code)
}

// check returns the error code with which to reject r, or "", and the service's time.
func (p *Rejecter) check(r *http.Request) (code string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dates = append(p.dates, r.Header.Get("X-Amz-Date"))
	now = time.Now().Add(p.ahead)
	signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	switch {
	case p.left > 0:
		p.left--
		return p.code, now
	case err != nil || now.Sub(signed).Abs() > 5*time.Minute:
		return "InvalidSignatureException", now
	}
	return "", now
}

// SignatureCodes are the error codes with which AWS rejects a request because of the
// caller's clock or of credentials that are very new.
func SignatureCodes() []string {
	return []string{"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed",
		"SignatureDoesNotMatch", "IncompleteSignatureException", "UnrecognizedClientException"}
}
