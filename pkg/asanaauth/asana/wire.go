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
	tokenLimit = 64 << 10 // bytes of an answer with tokens: today's have half a KB
	apiLimit   = 1 << 20  // bytes of any other answer: a page has at most 100 short records
	depthLimit = 32       // nesting of an answer; Asana's have about five levels
)

// answer is a whole answer, read to its end within its limit.
type answer struct {
	op         string
	status     int
	header     http.Header
	body       []byte
	retryAfter time.Duration
}

// send makes one request, with at most one answer. It follows no redirect, since
// it does not pass an http.Client.
//
// GetBody is taken off: with it, net/http sends a request again on a connection
// of its own choice where a reused one died before anything was written. Nobody
// has to believe that here: a token request is written once or not at all. (Reads
// have no body; those net/http may send again, and that is wanted.)
func (c *Client) send(op string, limit int64, req *http.Request) (*answer, error) {
	ctx := req.Context()
	req = req.Clone(ctx)
	req.GetBody = nil
	req.Header.Set("Accept", "application/json")
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, broken(ctx, op, 0, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	a := &answer{op: op, status: resp.StatusCode, header: resp.Header, body: body, retryAfter: retryAfter(resp.Header, c.now())}
	if err != nil {
		return nil, a.failed(broken(ctx, op, a.status, err))
	}
	if int64(len(body)) > limit {
		return nil, a.failed(&Error{Op: op, Status: a.status, Err: &cause{text: "the answer is too large"}})
	}
	return a, nil
}

// failed completes e with the response's Retry-After.
func (a *answer) failed(e *Error) *Error {
	e.RetryAfter = a.retryAfter
	return e
}

// expect returns an error for every status but 200, also for a redirect.
func (a *answer) expect(code func(*answer) string) error {
	if a.status == http.StatusOK {
		return nil
	}
	return a.failed(&Error{Op: a.op, Status: a.status, Code: code(a)})
}

// get asks with a token, and reads the answer's JSON into v, a pointer.
func (c *Client) get(ctx context.Context, op, rawURL string, access secret.String, v any) error {
	if access.IsZero() {
		return refused(op, "the access token is missing")
	}
	return c.read(ctx, op, rawURL, http.Header{"Authorization": {"Bearer " + access.Reveal()}}, v)
}

// read is get for what is public where h is nil.
func (c *Client) read(ctx context.Context, op, rawURL string, h http.Header, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return refused(op, "the request's URL is malformed")
	}
	maps.Copy(req.Header, h)
	a, err := c.send(op, apiLimit, req)
	if err != nil {
		return err
	}
	if err := a.expect(apiCode); err != nil {
		return err
	}
	return a.decode(v)
}

// post sends a form and returns the answer, whatever its status.
func (c *Client) post(ctx context.Context, op, path string, form url.Values) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, refused(op, "the request's URL is malformed")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(op, tokenLimit, req)
}

func (a *answer) isJSON() bool { return a.kind() == "application/json" }
func (a *answer) isPage() bool { return a.kind() == "text/html" }

// kind is the answer's media type, "" where it has none that can be read.
func (a *answer) kind() string {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// decode reads the answer's JSON into v, a pointer. That of an error may call
// itself something else than JSON, though not a page: how Asana labels its errors
// is not documented.
func (a *answer) decode(v any) error {
	if !a.isJSON() && (a.status == http.StatusOK || a.isPage()) {
		return nonsense(a.op, "the answer is no JSON")
	}
	if err := plainJSON(a.body); err != nil {
		return nonsense(a.op, err.Error())
	}
	if json.Unmarshal(a.body, v) != nil {
		return nonsense(a.op, "the answer's JSON has another shape")
	}
	return nil
}

// object is decode for an answer that is one object.
func (a *answer) object() (map[string]any, error) {
	var m map[string]any
	if err := a.decode(&m); err != nil {
		return nil, err
	}
	if m == nil {
		return nil, nonsense(a.op, "the answer's JSON has another shape")
	}
	return m, nil
}

// plainJSON refuses what two readers could read in two ways: invalid UTF-8, an
// object that has a name twice (or twice but for its case, which encoding/json
// ignores), and what is nested without end. What else is no JSON is left to
// encoding/json, data after the value included. Its errors hold nothing of data.
func plainJSON(data []byte) error {
	switch strictjson.Check(data, depthLimit) {
	case nil, strictjson.ErrTrailing:
		return nil
	case strictjson.ErrUTF8:
		return errors.New("the answer is not UTF-8")
	case strictjson.ErrTwice:
		return errors.New("the answer has a member twice")
	case strictjson.ErrDepth:
		return errors.New("the answer is nested too deeply")
	default:
		return errors.New("the answer is no JSON")
	}
}
