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
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/refresher"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// HTTPClient returns a client of Asana's API that acts as the connection's user. For each
// request it reads the connection's row, and replaces the Authorization header. A request
// has no time limit except its own context. The client is safe for concurrent use.
//
// If Asana responds with 401, the client reports the token as refused, once for each
// request, and sends the request again with the token that it gets then. If the body
// cannot be sent again (there is one, and GetBody is nil), the caller gets the 401. The
// caller also gets the 401 if introspection says that a long-lived token is active, or if
// a token of the connection was reported within the last 30 seconds. Some workspaces
// block an app and respond to every token with 401; a report for each would make the
// connection useless to other callers.
//
// Tokens are sent only to the origin of Asana's base URL. A request or a redirect to
// another origin is not sent, and returns InvalidRequest. Use another client for files
// stored elsewhere, such as an attachment's download_url. They need no token.
//
// Errors, wrapped by net/http: those of the Source's Token method, and AsanaUnavailable if
// Asana could not be reached or did not respond. After AsanaUnavailable, Asana may have
// processed the request; the error's Timeout reports whether the request timed out. The
// response's Request is the caller's, without the token.
func (t *Tokens) HTTPClient(id string) *http.Client {
	return &http.Client{Transport: &transport{t, id}}
}

type transport struct {
	tokens *Tokens
	id     string
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	access, hot, err := t.ready(r)
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	resp, err := t.send(r, r.Body, access)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || refresher.UntilNextReport(hot, t.tokens.rows.Now()) > 0 {
		return resp, err
	}
	return t.again(r, resp, access)
}

// ready returns the token for a request, and the row that the token is from. It returns
// InvalidRequest if the request is addressed to another origin than Asana's.
func (t *transport) ready(r *http.Request) (secret.String, *store.Hot, error) {
	if !weburl.AddressedTo(r, t.tokens.asana.BaseURL()) {
		return secret.String{}, nil, errForeign
	}
	token, hot, err := t.tokens.tokenNow(r.Context(), t.id, Request{MinTTL: DefaultMinTTL})
	return token.Access, hot, err
}

var errForeign = &asanaauth.Error{
	Kind: asanaauth.InvalidRequest, Detail: "This client sends requests to Asana only. Use another client for other servers.",
	Err: errors.New("a request to another origin than Asana's"),
}

// send sends a copy of the request, because a RoundTripper must not change the caller's.
func (t *transport) send(r *http.Request, body io.ReadCloser, access secret.String) (*http.Response, error) {
	sent := r.Clone(r.Context())
	sent.Body = body
	if sent.Header == nil {
		sent.Header = http.Header{}
	}
	for name := range sent.Header {
		if strings.EqualFold(name, "Authorization") {
			delete(sent.Header, name) // also "authorization", which Header.Del leaves
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

// again reports the token that Asana refused, and sends the request once more with the
// token that it gets then. If the request cannot be sent again, it returns resp; the next
// request gets the new token.
func (t *transport) again(r *http.Request, resp *http.Response, refused secret.String) (*http.Response, error) {
	token, _, err := t.tokens.tokenNow(r.Context(), t.id, Request{MinTTL: DefaultMinTTL, Refused: refused})
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

// maxDiscard is the most bytes of a response that are read so that its TCP connection can
// be used again. Asana's error responses are shorter.
const maxDiscard = 16 << 10

func isRepeatable(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}
