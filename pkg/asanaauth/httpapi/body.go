package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/internal/strictjson"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// maxBody bounds what is read of a request.
const maxBody = 64 << 10

// hasType reports whether the request's body is of a media type, in UTF-8 and
// not compressed.
func hasType(r *http.Request, mediaType string) bool {
	headers := r.Header["Content-Type"]
	if len(headers) != 1 || r.Header.Get("Content-Encoding") != "" {
		return false
	}
	got, options, err := mime.ParseMediaType(headers[0])
	if err != nil || got != mediaType {
		return false
	}
	for name, value := range options {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return false
		}
	}
	return true
}

var errNotJSON = &asanaauth.Error{Kind: unsupportedMediaType, Detail: "The content type is application/json."}

// readBody reads at most maxBody, whatever Content-Length says.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, failed(payloadTooLarge)
	}
	if r.Body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case len(b) > maxBody:
		return nil, failed(payloadTooLarge)
	case err != nil:
		return nil, &asanaauth.Error{Kind: asanaauth.InvalidRequest, Detail: "The body could not be read.", Err: errors.New("the body ended early")}
	}
	return b, nil
}

// members are those of a JSON object, null ones left out.
type members map[string]json.RawMessage

// parseObject reads one JSON object with some of the known members, each at
// most once, and nothing after it. No body counts as {}.
func parseObject(body []byte, known ...string) (members, error) {
	if len(body) == 0 {
		return members{}, nil
	}
	m, err := strictjson.Object(body, known...)
	switch err {
	case nil:
	case strictjson.ErrUTF8:
		return nil, invalid("The body is not UTF-8.")
	case strictjson.ErrUnknown:
		return nil, invalid("The body has a member that is not known here.")
	case strictjson.ErrTwice:
		return nil, invalid("The body has a member twice.")
	case strictjson.ErrTrailing:
		return nil, invalid("There is something after the JSON object.")
	default:
		return nil, invalid("The body is not a JSON object.")
	}
	maps.DeleteFunc(m, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	return m, nil
}

// text reads a member that is a string; one that is absent is "" and false.
func (m members) text(name string) (string, bool, error) {
	raw, ok := m[name]
	if !ok {
		return "", false, nil
	}
	text, err := strictjson.String(raw)
	if err != nil {
		return "", true, invalid("A member of the body is no string.")
	}
	return text, true, nil
}

// texts reads members that are strings, "" where absent.
func (m members) texts(to map[string]*string) error {
	for name, text := range to {
		var err error
		if *text, _, err = m.text(name); err != nil {
			return err
		}
	}
	return nil
}
