package asana

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/internal/strictjson"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const (
	// tokenLimit is the maximum size of a response to a POST request, in bytes. A response
	// of the token endpoint has about 512 bytes today.
	tokenLimit = 64 << 10
	// apiLimit is the maximum size of a response to a GET request, in bytes. A page of a
	// list has at most 100 short records.
	apiLimit = 1 << 20
	// depthLimit is the maximum nesting of JSON. Asana's responses have about five levels.
	depthLimit = 32
)

// response is an HTTP response whose complete body is in memory.
type response struct {
	op         string
	status     int
	header     http.Header
	body       []byte
	retryAfter time.Duration
}

// send makes one request. send calls the transport directly instead of an http.Client, so
// redirects are not followed.
//
// send removes GetBody from the request, because a token request must never be sent
// twice. With GetBody, net/http resends a request if a reused TCP connection fails before
// anything is written. Without GetBody, net/http resends only requests that have no body.
// Requests without a body are GET requests, which can be repeated safely.
func (c *Client) send(op string, limit int64, req *http.Request) (*response, error) {
	ctx := req.Context()
	req = req.Clone(ctx)
	req.GetBody = nil
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, transportError(ctx, op, 0, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	r := &response{op: op, status: resp.StatusCode, header: resp.Header, body: body, retryAfter: retryAfter(resp.Header, c.now())}
	if err != nil {
		return nil, r.withRetryAfter(transportError(ctx, op, r.status, err))
	}
	if int64(len(body)) > limit {
		return nil, r.withRetryAfter(&Error{Op: op, Status: r.status, Err: &cause{text: "the response is too large"}})
	}
	return r, nil
}

func (r *response) withRetryAfter(e *Error) *Error {
	e.RetryAfter = r.retryAfter
	return e
}

// checkStatus returns nil if the status is 200. For every other status, even a redirect,
// it returns an error whose Code is the result of the function code.
func (r *response) checkStatus(code func(*response) string) error {
	if r.status == http.StatusOK {
		return nil
	}
	return r.withRetryAfter(&Error{Op: r.op, Status: r.status, Code: code(r)})
}

func (c *Client) get(ctx context.Context, op, rawURL string, access secret.String, v any) error {
	if access.IsZero() {
		return notSent(op, "the access token is missing")
	}
	return c.read(ctx, op, rawURL, http.Header{"Authorization": {"Bearer " + access.Reveal()}}, v)
}

// read makes a GET request with the headers h, which may be nil, and decodes the JSON
// response into v.
func (c *Client) read(ctx context.Context, op, rawURL string, h http.Header, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return notSent(op, "the request URL is malformed")
	}
	maps.Copy(req.Header, h)
	r, err := c.send(op, apiLimit, req)
	if err != nil {
		return err
	}
	if err := r.checkStatus(apiCode); err != nil {
		return err
	}
	return r.decode(v)
}

// post sends form in a POST request and returns the response, whatever its status. The
// caller must check the status.
func (c *Client) post(ctx context.Context, op, path string, form url.Values) (*response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, notSent(op, "the request URL is malformed")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(op, tokenLimit, req)
}

// jwkSetType is the media type of a key set (RFC 7517 section 8.5.2).
const jwkSetType = "application/jwk-set+json"

// isJSON reports whether the body has a media type of JSON that the operation allows. Some
// providers send a key set with its own type, others with application/json.
func (r *response) isJSON() bool {
	kind := r.mediaType()
	return kind == "application/json" || kind == jwkSetType && r.op == opJWKS
}
func (r *response) isHTML() bool { return r.mediaType() == "text/html" }

// mediaType returns the media type in the header Content-Type, or "" if that header is
// missing or malformed.
func (r *response) mediaType() string {
	kind, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// decode decodes the JSON body into v. A response with status 200 must have a media type
// of JSON. A response with another status may have any media type except text/html,
// because Asana does not document the media type of its errors.
func (r *response) decode(v any) error {
	if !r.isJSON() && (r.status == http.StatusOK || r.isHTML()) {
		return badResponse(r.op, "the response is not JSON")
	}
	if err := checkJSON(r.body); err != nil {
		return badResponse(r.op, err.Error())
	}
	if json.Unmarshal(r.body, v) != nil {
		return badResponse(r.op, "the response's JSON has an unexpected shape")
	}
	return nil
}

func (r *response) object() (map[string]any, error) {
	var m map[string]any
	if err := r.decode(&m); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, badResponse(r.op, "the response's JSON has an unexpected shape")
	}
	return m, nil
}

// checkJSON rejects JSON that two parsers may interpret differently: invalid UTF-8, and
// an object with two equal names or with two names that differ only in case, because
// encoding/json treats such names as equal. checkJSON also rejects nesting deeper than
// depthLimit. It does not reject data after the JSON value, because json.Unmarshal does.
// The errors of checkJSON contain no part of data.
func checkJSON(data []byte) error {
	switch strictjson.Check(data, depthLimit) {
	case nil, strictjson.ErrTrailing:
		return nil
	case strictjson.ErrUTF8:
		return errors.New("the response is not valid UTF-8")
	case strictjson.ErrTwice:
		return errors.New("the response's JSON repeats a member name")
	case strictjson.ErrDepth:
		return errors.New("the response's JSON is nested too deeply")
	default:
		return errors.New("the response is not valid JSON")
	}
}
