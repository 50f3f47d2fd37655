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

// answer is the http.ResponseWriter of one event. It keeps to the contract of
// net/http's own, but for what needs a connection (flushing, hijacking,
// trailers, informational answers), which an event cannot carry.
type answer struct {
	head   bool // the request's method is HEAD
	header http.Header
	sent   http.Header // header as it was at WriteHeader; nil until then
	status int
	body   bytes.Buffer
}

func newAnswer(method string) *answer {
	return &answer{head: method == http.MethodHead, header: make(http.Header)}
}

func (a *answer) Header() http.Header { return a.header }

// WriteHeader fixes status and headers; a second call changes nothing.
func (a *answer) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("lambdahttp: invalid status %d", status))
	}
	if a.sent != nil || status < 200 {
		return
	}
	a.status, a.sent = status, a.header.Clone()
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.bodiless() {
		return 0, http.ErrBodyNotAllowed
	}
	if a.body.Len() == 0 {
		sniff(a.sent, p)
	}
	if a.head {
		return len(p), nil
	}
	return a.body.Write(p)
}

// sniff names an untyped body by its first bytes, as net/http does. Without it
// API Gateway would call it application/json.
func sniff(h http.Header, p []byte) {
	if _, set := h["Content-Type"]; !set && len(p) > 0 && h.Get("Content-Encoding") == "" {
		h.Set("Content-Type", http.DetectContentType(p))
	}
}

// bodiless is RFC 9110 section 6.4.1.
func (a *answer) bodiless() bool {
	return a.status == http.StatusNoContent || a.status == http.StatusNotModified
}

// reply is the answer in payload format 2.0. Every value of a header is one
// string there; cookies are the only header that must not be joined.
type reply struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies,omitempty"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// encode ends the answer. A Content-Length is passed on where the handler set
// one and never made up: API Gateway counts.
func (a *answer) encode() []byte {
	a.WriteHeader(http.StatusOK)
	out := reply{StatusCode: a.status, Headers: make(map[string]string, len(a.sent))}
	for name, values := range a.sent {
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
	out.Body, out.IsBase64Encoded = a.text()
	return marshal(out)
}

// text is the body as a JSON string can carry it, and whether that is base64. A
// body that is no UTF-8 would lose bytes, whatever its type says.
func (a *answer) text() (body string, encoded bool) {
	p := a.body.Bytes()
	if len(p) == 0 || isText(a.sent.Get("Content-Type")) && utf8.Valid(p) {
		return string(p), false
	}
	return base64.StdEncoding.EncodeToString(p), true
}

// marshal leaves <, > and & as they are: a page would grow by a third.
func marshal(v reply) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// Strings, a number and a bool: there is nothing that could fail.
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// oneLine takes line ends out of a header's value, as net/http does, so that a
// value can never begin a header of its own.
func oneLine(v string) string {
	if !strings.ContainsAny(v, "\r\n") {
		return v
	}
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(v)
}

// isText says whether a body of this type is sent as it is: text, JSON, and what
// is written in them. Everything else goes as base64.
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
