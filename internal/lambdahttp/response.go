package lambdahttp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

// response is the http.ResponseWriter for one event. Unlike the ResponseWriter of a
// net/http server, response does not support flushing, hijacking, trailers and 1xx
// responses, because the response to an event is one JSON object.
type response struct {
	head   bool // the request's method is HEAD
	header http.Header
	sent   http.Header // copy of header that WriteHeader made, or nil
	status int
	body   bytes.Buffer
}

func newResponse(method string) *response {
	return &response{head: method == http.MethodHead, header: make(http.Header)}
}

func (w *response) Header() http.Header { return w.header }

// WriteHeader sets the status and the headers of the response. Only the first call has an
// effect. Calls with a 1xx status are ignored. WriteHeader panics if the status is not a
// three-digit number.
func (w *response) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("lambdahttp: invalid status %d", status))
	}
	if w.sent != nil || status < 200 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.bodiless() {
		return 0, http.ErrBodyNotAllowed
	}
	if w.body.Len() == 0 {
		sniff(w.sent, p)
	}
	if w.head {
		return len(p), nil
	}
	return w.body.Write(p)
}

// sniff sets Content-Type from the first bytes of the body, as net/http does, unless the
// handler has set it. Without Content-Type, API Gateway would set application/json.
func sniff(h http.Header, p []byte) {
	if _, set := h["Content-Type"]; !set && len(p) > 0 && h.Get("Content-Encoding") == "" {
		h.Set("Content-Type", http.DetectContentType(p))
	}
}

// bodiless reports whether a response with w's status must not have a body (RFC 9110
// section 6.4.1).
func (w *response) bodiless() bool {
	return w.status == http.StatusNoContent || w.status == http.StatusNotModified
}

// payload is a response in payload format 2.0. The format allows one value for each
// header, so the values of a repeated header are joined with commas. Set-Cookie headers
// cannot be joined, so they are in Cookies.
type payload struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies,omitempty"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// encode does not add Content-Length, because API Gateway does.
func (w *response) encode() []byte {
	w.WriteHeader(http.StatusOK)
	out := payload{StatusCode: w.status, Headers: make(map[string]string, len(w.sent))}
	for name, values := range w.sent {
		switch {
		case len(values) == 0:
		case name == "Set-Cookie":
			for _, v := range values {
				out.Cookies = append(out.Cookies, oneLine(v))
			}
		default:
			out.Headers[name] = oneLine(strings.Join(values, ", "))
		}
	}
	out.Body, out.IsBase64Encoded = w.text()
	return marshal(out)
}

// text returns the body, and whether it is encoded in base64. A body that is not UTF-8
// must be encoded, because a JSON string cannot contain such bytes.
func (w *response) text() (body string, encoded bool) {
	p := w.body.Bytes()
	if len(p) == 0 || isText(w.sent.Get("Content-Type")) && utf8.Valid(p) {
		return string(p), false
	}
	return base64.StdEncoding.EncodeToString(p), true
}

// marshal does not escape <, > and &, because escapes would make HTML pages much larger.
func marshal(v payload) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // cannot happen: all fields of payload can be encoded
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// oneLine replaces line ends in a header value with spaces, as net/http does, because a
// line end could add a header to the response.
func oneLine(v string) string {
	if !strings.ContainsAny(v, "\r\n") {
		return v
	}
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(v)
}

// isText reports whether a body with this content type is sent as text, not in base64.
func isText(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch t {
	case "application/json", "application/javascript", "application/xml", "application/x-www-form-urlencoded":
		return true
	}
	return strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "+json") || strings.HasSuffix(t, "+xml")
}
