package asanatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Transport returns an [http.RoundTripper] that passes requests for any host directly to
// this Asana. Transport uses no sockets and no goroutines, and therefore works with
// [testing/synctest]. If a [Fault] prevents the response, RoundTrip returns
// [io.ErrUnexpectedEOF]. If the context of the request has ended, RoundTrip returns the
// context's error.
func (a *Asana) Transport() http.RoundTripper { return transport{a} }

// Client returns an HTTP client that uses [Asana.Transport] and does not follow
// redirects.
func (a *Asana) Client() *http.Client {
	return &http.Client{Transport: a.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type transport struct{ asana *Asana }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	b := buffer{header: http.Header{}}
	if !t.serve(&b, in) {
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: b.status, Status: http.StatusText(b.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: b.header, Body: io.NopCloser(&b.body), ContentLength: int64(b.body.Len()), Request: r}, nil
}

// serve returns false if a fault prevents the response.
func (t transport) serve(b *buffer, r *http.Request) (sent bool) {
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			sent = false
		}
	}()
	t.asana.ServeHTTP(b, r)
	return true
}

// Authorize acts as a person who opens an authorize URL and clicks Allow, and returns the
// URL to which Asana redirects the browser. The returned URL is the app's redirect URI
// with a code, an ID token or an error. If Asana shows a page instead of redirecting the
// browser, Authorize returns a [*PageError]. Authorize ignores the path of authorizeURL.
func (a *Asana) Authorize(ctx context.Context, authorizeURL, personGID string) (redirectURL string, err error) {
	return submitConsent(ctx, a.Transport(), "allow", authorizeURL, personGID)
}

// Deny is like Authorize, but the person clicks Deny.
func (a *Asana) Deny(ctx context.Context, authorizeURL, personGID string) (redirectURL string, err error) {
	return submitConsent(ctx, a.Transport(), "deny", authorizeURL, personGID)
}

// The argument decision is "allow" or "deny".
func submitConsent(ctx context.Context, in http.RoundTripper, decision, authorizeURL, gid string) (string, error) {
	u, err := url.Parse(authorizeURL)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("asanatest: the authorize URL is not an absolute URL")
	}
	u.Path = "/-/oauth_authorize"
	form := url.Values{"person": {gid}, "decision": {decision}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("asanatest: authorizing: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := in.RoundTrip(r)
	if err != nil {
		return "", fmt.Errorf("asanatest: authorizing: %w", err)
	}
	if location := resp.Header.Get("Location"); location != "" {
		return location, nil
	}
	return "", &PageError{Status: resp.StatusCode, Message: resp.Header.Get(pageMessage)}
}

// pageMessage is a header that contains the message of an error page. Authorize and Deny
// read the message from this header.
const pageMessage = "X-Offline-Asana-Message"

// PageError is the error that [Asana.Authorize] and [Asana.Deny] return if Asana shows a
// page instead of redirecting the browser.
type PageError struct {
	Status  int
	Message string // such as "forbidden_scopes: Your app …"; empty for other pages
}

// Error returns a text with the status and the message of the page.
func (e *PageError) Error() string {
	return fmt.Sprintf("asanatest: Asana showed a page (status %d): %s", e.Status, e.Message)
}
