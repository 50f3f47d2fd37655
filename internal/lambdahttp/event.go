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

// maxEvent is the size limit for an event in bytes. Lambda accepts events of at most 6
// MB, so no event from API Gateway reaches this limit. Handlers have their own limits for
// request bodies.
const maxEvent = 10 << 20

// The errors of decode contain no part of the event, so they can be logged.
var (
	errTooLarge = errors.New("event is larger than API Gateway sends")
	errNotJSON  = errors.New("event is not a JSON object of payload format 2.0")
	errVersion  = errors.New("event is not of payload format 2.0")
	errNoHTTP   = errors.New("event has no HTTP method or path")
	errPath     = errors.New("path of the event has a malformed escape")
	errBody     = errors.New("body of the event is not valid base64")
)

// event contains the members of an event in payload format 2.0 that this package uses.
// aws-lambda-go has a type with all members, but decoding into that type fails even if a
// member that this package does not use is malformed.
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

// parse converts an event to a request like those of a net/http server. If the event is
// not an HTTP request, parse returns an error and a request for GET /, whose context
// contains the event's request ID.
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

// decode parses an event. path is the event's path with decoded escapes, and body is the
// event's body with decoded base64.
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

// request sets each field directly instead of parsing a URL, because a parser could
// change or reject parts of the URL. For example, url.Parse interprets "//host/path" as a
// host and a path.
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
	// As in net/http, the host is in the field Host and not in Header.
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	r.Header.Del("Host")
	if ip := e.RequestContext.HTTP.SourceIP; ip != "" {
		// Handlers expect a port in RemoteAddr, but the event does not contain the port.
		r.RemoteAddr = net.JoinHostPort(ip, "0")
	}
	return r.WithContext(withEvent(ctx, e))
}

// header returns the headers of the request. In payload format 2.0, the values of a
// repeated header are joined with commas. header does not split them, because a comma may
// also be part of a value, for example in a date.
//
// header adds the names in sorted order, so that the result is deterministic if two names
// differ only in case.
func header(e *event) http.Header {
	h := make(http.Header, len(e.Headers)+1)
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		h.Add(name, e.Headers[name])
	}
	// A request has one Cookie header, in which "; " separates the cookies (RFC 6265
	// section 5.4). If an event contains both a Cookie header and the member "cookies",
	// they contain the same cookies. The member is a list and therefore unambiguous, so
	// it replaces the header.
	if len(e.Cookies) > 0 {
		h.Set("Cookie", strings.Join(e.Cookies, "; "))
	}
	return h
}

// withoutStage removes the stage name from the beginning of a path. API Gateway adds the
// stage name to the path of requests to its own domain, unless the stage is $default, but
// not to the path of requests to a custom domain. withoutStage does not check to which
// kind of domain a request was sent. Therefore do not give a stage the name of a route's
// first segment.
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
