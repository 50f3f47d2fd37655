package lambdahttp

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxEvent bounds what is parsed: API Gateway takes 10 MB from a client and
// Lambda 6 MB from anybody, so nothing real is larger. Smaller limits are the
// handler's business.
const maxEvent = 10 << 20

// Each is a fixed sentence, so that it can be logged: none repeats the event.
var (
	errTooLarge = errors.New("event is larger than API Gateway sends")
	errNotJSON  = errors.New("event is not a JSON object of payload format 2.0")
	errVersion  = errors.New("event is not of payload format 2.0")
	errNoHTTP   = errors.New("event has no HTTP method or path")
	errPath     = errors.New("path has a malformed escape")
	errBody     = errors.New("body is not the base64 that it claims to be")
)

// event is what is used of payload 2.0. It is not aws-lambda-go's type, because
// that one also decodes (and so can fail on) a dozen members nobody reads here.
type event struct {
	Version         string            `json:"version"`
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	RequestContext  struct {
		RequestID  string `json:"requestId"`
		DomainName string `json:"domainName"`
		Stage      string `json:"stage"`
		HTTP       struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
		Authorizer struct {
			IAM *Identity `json:"iam"`
		} `json:"authorizer"`
	} `json:"requestContext"`
}

// parse turns an event into the request that net/http would have made of it. With
// an error comes a bare GET / that has nothing of the event but its request id.
func parse(ctx context.Context, payload []byte) (*http.Request, error) {
	e, path, body, err := decode(payload)
	if err != nil {
		bare := event{RawPath: "/"}
		bare.RequestContext.RequestID = e.RequestContext.RequestID
		bare.RequestContext.HTTP.Method = http.MethodGet
		return request(ctx, &bare, "/", nil), err
	}
	return request(ctx, &e, path, body), nil
}

// decode reads an event and what is encoded in it.
func decode(payload []byte) (e event, path string, body []byte, err error) {
	if len(payload) > maxEvent {
		return e, "", nil, errTooLarge
	}
	if err := json.Unmarshal(payload, &e); err != nil {
		return e, "", nil, errNotJSON
	}
	if e.Version != "2.0" {
		return e, "", nil, errVersion
	}
	if e.RequestContext.HTTP.Method == "" || !strings.HasPrefix(e.RawPath, "/") {
		return e, "", nil, errNoHTTP
	}
	e.RawPath = withoutStage(e.RawPath, e.RequestContext.Stage)
	if path, err = url.PathUnescape(e.RawPath); err != nil {
		return e, "", nil, errPath
	}
	if !e.IsBase64Encoded {
		return e, path, []byte(e.Body), nil
	}
	if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
		return e, "", nil, errBody
	}
	return e, path, body, nil
}

// request is built member by member: no parser gets to see the client's bytes
// and to rewrite, reject or reinterpret them ("//host/path" stays a path).
func request(ctx context.Context, e *event, path string, body []byte) *http.Request {
	r := &http.Request{
		Method:        e.RequestContext.HTTP.Method,
		URL:           &url.URL{Path: path, RawPath: e.RawPath, RawQuery: e.RawQueryString},
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header(e),
		Body:          http.NoBody,
		ContentLength: int64(len(body)),
		Host:          e.RequestContext.DomainName,
		RequestURI:    e.RawPath,
	}
	if e.RawQueryString != "" {
		r.RequestURI += "?" + e.RawQueryString
	}
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	// As in net/http, Host is a field and no header.
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	r.Header.Del("Host")
	if ip := e.RequestContext.HTTP.SourceIP; ip != "" {
		// Handlers split RemoteAddr into host and port; the event tells no port.
		r.RemoteAddr = net.JoinHostPort(ip, "0")
	}
	return r.WithContext(withEvent(ctx, e))
}

// header keeps every value in one piece: payload 2.0 has joined repeated headers
// with commas, and where a comma divides and where it belongs (dates, quoted
// strings) only the reader of that header knows. Names are taken in order, so
// that two spellings of one name do not answer differently from call to call.
func header(e *event) http.Header {
	h := make(http.Header, len(e.Headers)+1)
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		h.Add(name, e.Headers[name])
	}
	// RFC 6265 section 5.4: one header, cookies divided by "; ". Where the event
	// has both forms they are the same cookies, and the array is the exact one.
	if len(e.Cookies) > 0 {
		h.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	return h
}

// withoutStage takes a named stage off the path, where API Gateway puts it for its
// own domain, but not for a custom one; the stage $default is never there. The
// event does not tell the two apart, so a stage must not be named like the first
// segment of a route.
func withoutStage(path, stage string) string {
	if stage == "" || stage == "$default" {
		return path
	}
	rest, ok := strings.CutPrefix(path, "/"+stage)
	switch {
	case ok && rest == "":
		return "/"
	case ok && rest[0] == '/':
		return rest
	}
	return path
}
