package token

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/internal/weburl"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// HTTPClient returns an HTTP client for Asana's API that acts as the connection's user.
// For each request, the client gets the connection's current token from the table,
// refreshes the token if necessary, and sets the Authorization header. Getting the token
// takes at most 25 seconds. The request to Asana has no time limit except its context.
// The client is safe for concurrent use.
//
// If Asana responds with 401, the client gets a new token, as if a caller had set
// [Request.Refused], and sends the request once more with the new token. The caller gets
// the 401 in these cases:
//
//   - The body cannot be sent again: the request has a body, and GetBody is nil.
//   - Introspection shows that the token is active, or showed this in the last 30 seconds.
//     If a workspace blocks the app, Asana responds to every token with 401. For an OAuth
//     token, the first 401 in 30 seconds causes a refresh instead of an introspection.
//
// The client sends tokens only to the origin of Asana's base URL. For a request or a
// redirect to a different origin, it returns InvalidRequest and sends nothing. Use a
// different client for files that are stored elsewhere, such as an attachment's
// download_url. Such downloads need no token.
//
// Errors, wrapped by net/http: the errors of the Source's Token method, and
// AsanaUnavailable if Asana could not be reached or did not respond. After
// AsanaUnavailable, Asana may have processed the request. The error's field Timeout
// reports whether the request timed out.
//
// The field Request of a response is the caller's request, without the token.
func (t *Tokens) HTTPClient(id string) *http.Client {
	return &http.Client{Transport: &transport{t, id}}
}

type transport struct {
	tokens *Tokens
	id     string
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	access, err := t.ready(r)
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	resp, err := t.send(r, r.Body, access)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	return t.retryOnce(r, resp, access)
}

// ready returns the token for a request, or InvalidRequest if the request is not
// addressed to Asana's origin.
func (t *transport) ready(r *http.Request) (secret.String, error) {
	if !weburl.AddressedTo(r, t.tokens.asana.BaseURL()) {
		return secret.String{}, errForeign
	}
	token, err := t.tokens.openToken(r.Context(), t.id, Request{MinTTL: DefaultMinTTL})
	return token.Access, err
}

var errForeign = &asanaauth.Error{
	Kind: asanaauth.InvalidRequest, Detail: "This client sends requests to Asana only. Use another client for other servers.",
	Err: errors.New("the request is not addressed to Asana's origin"),
}

// send sends a copy of r, because a RoundTripper must not modify the caller's request.
func (t *transport) send(r *http.Request, body io.ReadCloser, access secret.String) (*http.Response, error) {
	sent := r.Clone(r.Context())
	sent.Body = body
	if sent.Header == nil {
		sent.Header = http.Header{}
	}
	for name := range sent.Header {
		if strings.EqualFold(name, "Authorization") {
			delete(sent.Header, name) // including "authorization", which Header.Del would not delete
		}
	}
	sent.Header.Set("Authorization", "Bearer "+access.Reveal())
	resp, err := t.tokens.asana.Transport().RoundTrip(sent)
	if err != nil {
		var n net.Error
		timeout := errors.As(err, &n) && n.Timeout() // context.DeadlineExceeded is a net.Error too
		return nil, &asanaauth.Error{Kind: asanaauth.AsanaUnavailable, Timeout: timeout, Err: err}
	}
	resp.Request = r
	return resp, nil
}

// retryOnce gets a new token instead of the one that Asana refused, and sends the request
// once more. If the body cannot be sent again, or the connection still has the refused
// token, retryOnce returns resp.
func (t *transport) retryOnce(r *http.Request, resp *http.Response, refused secret.String) (*http.Response, error) {
	token, err := t.tokens.openToken(r.Context(), t.id, Request{MinTTL: DefaultMinTTL, Refused: refused})
	isSame := err == nil && token.Access.Equal(refused)
	if isSame || !isRepeatable(r) {
		return resp, nil
	}
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxDiscard))
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	body := r.Body
	if r.GetBody != nil {
		if body, err = r.GetBody(); err != nil {
			return nil, &asanaauth.Error{Kind: asanaauth.Internal, Err: fmt.Errorf("getting the body again: %w", err)}
		}
	}
	return t.send(r, body, token.Access)
}

// maxDiscard limits how many bytes of a discarded response are read. The response is read
// because the TCP connection can be reused only after the whole body was read. Asana's
// error responses are shorter than this limit.
const maxDiscard = 16 << 10

func isRepeatable(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}
