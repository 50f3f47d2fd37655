package asanaauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// TokenSource gives the connection's access tokens to programs that are made for
// x/oauth2. Each call of Token reads the connection's row, refreshes where it has to
// ([DefaultMinTTL]), and keeps nothing: what was ended or broken meanwhile gives no
// token any more. Expiry is zero where Asana told no end of a long-lived token. ctx
// is that of every call. Safe for concurrent use.
//
// oauth2.NewClient and oauth2.ReuseTokenSource keep a token until its end, past all
// that: use [Connections.HTTPClient] in their place. An id is a name and no proof;
// for one that a browser sent, call [Connections.Open] with the owner first.
//
// Errors of Token: NotFound, ReconnectRequired, TryAgain, AsanaUnavailable,
// Misconfigured, Internal; each an [*Error].
func (c *Connections) TokenSource(ctx context.Context, id string) oauth2.TokenSource {
	return &tokenSource{ctx, c, id}
}

type tokenSource struct {
	ctx context.Context
	c   *Connections
	id  string
}

// Token implements [oauth2.TokenSource].
func (s *tokenSource) Token() (*oauth2.Token, error) {
	t, _, err := s.c.tokenNow(s.ctx, s.id, TokenRequest{MinTTL: DefaultMinTTL})
	if err != nil {
		return nil, err
	}
	token := &oauth2.Token{AccessToken: t.Access.Reveal(), TokenType: "Bearer"}
	if t.ExpiresIn > 0 {
		token.ExpiresIn = int64(t.ExpiresIn / time.Second)
		token.Expiry = s.c.now().Add(t.ExpiresIn)
	}
	return token, nil
}

// tokenNow is Open and TokenOf in one, for programs that name connections alone. The
// row is the one that the token is of.
func (c *Connections) tokenNow(ctx context.Context, id string, r TokenRequest) (Token, *store.Hot, error) {
	ctx, cancel := c.bound(ctx, callerTime)
	defer cancel()
	conn, err := c.Open(ctx, Ref{ID: id}, CallerLibrary)
	if err != nil {
		return Token{}, nil, fromParts(err)
	}
	t, err := c.TokenOf(ctx, conn, r)
	return t, conn.hot, fromParts(err)
}

// HTTPClient speaks to Asana as the connection's person or bot. For each request it
// reads the connection's row, under the request's own context, and sets the header
// Authorization in place of the caller's. Nothing but that context bounds a request.
// Safe for concurrent use; made without a call to anybody.
//
// A 401 is reported as refused, once a request, and the request is sent again with
// the token that came of it, where its body can be sent again (there is none, or
// GetBody gives it). Else the caller gets the 401. So it does where Asana stands by
// the token, and within 30 seconds of the connection's last report: a workspace that
// blocks an app answers every token so, and with a report for each the connection
// would serve nobody, elsewhere either.
//
// Tokens go to the origin of Asana's base URL alone. A request to another one, or a
// redirect there, is refused with InvalidRequest and not sent: what lies elsewhere
// (the download_url of an attachment, say) needs no token, and another client.
//
// Errors, wrapped by net/http: those of [Connections.TokenSource], and
// AsanaUnavailable where Asana was not reached or did not answer, with Timeout where
// the request's time was over; what it asked for may have happened. The answer's
// Request is the caller's, without the token.
func (c *Connections) HTTPClient(id string) *http.Client {
	return &http.Client{Transport: &transport{c, id}}
}

type transport struct {
	c  *Connections
	id string
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
	answer, err := t.send(r, r.Body, access)
	if err != nil || answer.StatusCode != http.StatusUnauthorized || t.c.reportedLately(hot) {
		return answer, err
	}
	return t.again(r, answer, access)
}

// ready gives the token for a request that may have one, and its row.
func (t *transport) ready(r *http.Request) (secret.String, *store.Hot, error) {
	if err := t.c.hasAsana(); err != nil {
		return secret.String{}, nil, err
	}
	if !toOrigin(r, t.c.Asana.BaseURL()) {
		return secret.String{}, nil, errForeign
	}
	token, hot, err := t.c.tokenNow(r.Context(), t.id, TokenRequest{MinTTL: DefaultMinTTL})
	return token.Access, hot, err
}

// reportedLately reports whether one more report would be refused.
func (c *Connections) reportedLately(hot *store.Hot) bool {
	return until(hot.RefusedAt.Add(refusedEvery), c.now(), refusedEvery) > 0
}

var errForeign = &Error{Kind: InvalidRequest, Detail: "This client speaks to Asana alone.", Err: errors.New("a request to another origin than Asana's")}

// send sends a copy of the request: a RoundTripper changes no caller's.
func (t *transport) send(r *http.Request, body io.ReadCloser, access secret.String) (*http.Response, error) {
	sent := r.Clone(r.Context())
	sent.Body = body
	if sent.Header == nil {
		sent.Header = http.Header{}
	}
	for name := range sent.Header {
		if strings.EqualFold(name, "Authorization") {
			delete(sent.Header, name) // however it is written
		}
	}
	sent.Header.Set("Authorization", "Bearer "+access.Reveal())
	answer, err := t.c.Asana.Transport().RoundTrip(sent)
	if err != nil {
		var n net.Error
		timeout := errors.As(err, &n) && n.Timeout() // as context.DeadlineExceeded is, too
		return nil, &Error{Kind: AsanaUnavailable, Timeout: timeout, Err: err}
	}
	answer.Request = r
	return answer, nil
}

// again reports the token that Asana refused, and sends the request once more with
// what came of it. Where that cannot be, the report serves the next request.
func (t *transport) again(r *http.Request, answer *http.Response, refused secret.String) (*http.Response, error) {
	hash := store.HashText(refused.Reveal())
	token, _, err := t.c.tokenNow(r.Context(), t.id, TokenRequest{MinTTL: DefaultMinTTL, Refused: &hash})
	standsBy := err == nil && token.Access.Equal(refused)
	if standsBy || !repeatable(r) {
		return answer, nil
	}
	io.Copy(io.Discard, io.LimitReader(answer.Body, discarded))
	answer.Body.Close()
	if err != nil {
		return nil, err
	}
	body := r.Body
	if r.GetBody != nil {
		if body, err = r.GetBody(); err != nil {
			return nil, &Error{Kind: Internal, Err: fmt.Errorf("getting the body again: %w", err)}
		}
	}
	return t.send(r, body, token.Access)
}

// discarded is how much of an answer is read so that its connection serves again:
// Asana's errors have less.
const discarded = 16 << 10

func repeatable(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}

// toOrigin reports whether a request goes to that origin, and says so in all places:
// a Host of its own, or an opaque URL, could lead elsewhere behind Asana's door.
func toOrigin(r *http.Request, origin string) bool {
	want, err := url.Parse(origin)
	if err != nil || r.URL == nil || r.URL.Opaque != "" {
		return false
	}
	return strings.EqualFold(r.URL.Scheme, want.Scheme) && sameHost(r.URL.Scheme, r.URL.Host, want.Host) &&
		(r.Host == "" || sameHost(r.URL.Scheme, r.Host, want.Host))
}

// sameHost compares host and port, of which the scheme's own may be left out.
func sameHost(scheme, a, b string) bool {
	return strings.EqualFold(withPort(scheme, a), withPort(scheme, b))
}

func withPort(scheme, host string) string {
	u := url.URL{Host: host}
	if u.Port() != "" {
		return host
	}
	port := "443"
	if strings.EqualFold(scheme, "http") {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
