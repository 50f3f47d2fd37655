package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/internal/strictjson"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// maxBody is the maximum size of a request body, in bytes.
const maxBody = 64 << 10

// hasType reports whether the body of r has the given media type. hasType returns false
// for a charset other than UTF-8, for any other media type parameter, and for a
// compressed body.
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

var errNotJSON = &asanaauth.Error{Kind: unsupportedMediaType, Detail: "Send the body as application/json in UTF-8, without Content-Encoding."}

// readBody returns the body of r. It returns payload-too-large if either the body or its
// Content-Length is larger than maxBody.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, errorOf(payloadTooLarge)
	}
	if r.Body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case len(b) > maxBody:
		return nil, errorOf(payloadTooLarge)
	case err != nil:
		return nil, &asanaauth.Error{Kind: asanaauth.InvalidRequest, Detail: "The body ended early. Send it again.", Err: errors.New("the body ended early")}
	}
	return b, nil
}

// members contains the members of a JSON object by name. Members with the value null are
// omitted.
type members map[string]json.RawMessage

// parseObject returns the members of the JSON object in body. It returns InvalidRequest
// if body is not exactly one JSON object, or if a member is repeated or not in known. An
// empty body counts as {}.
func parseObject(body []byte, known ...string) (members, error) {
	if len(body) == 0 {
		return members{}, nil
	}
	m, err := strictjson.Object(body, known...)
	switch err {
	case nil:
	case strictjson.ErrUTF8:
		return nil, invalid("The body must be valid UTF-8.")
	case strictjson.ErrUnknown:
		return nil, invalid("The body has an unknown member. " + accepted(known))
	case strictjson.ErrTwice:
		return nil, invalid("The body has a member twice. Give each member once.")
	case strictjson.ErrTrailing:
		return nil, invalid("The body must end after the JSON object.")
	default:
		return nil, invalid("The body must be a JSON object.")
	}
	maps.DeleteFunc(m, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	return m, nil
}

// text returns the value of a string member, or an error if the value is not a string. ok
// is false if the member is absent.
func (m members) text(name string) (value string, ok bool, err error) {
	raw, ok := m[name]
	if !ok {
		return "", false, nil
	}
	value, err = strictjson.String(raw)
	if err != nil {
		return "", true, invalid(name + " must be a string of valid Unicode.")
	}
	return value, true, nil
}

// texts sets variables to the values of string members. The keys of to are the members'
// names, and the values of to point to the variables. If a member is absent, its variable
// becomes "". If a value is not a string, texts returns an error.
func (m members) texts(to map[string]*string) error {
	for _, name := range slices.Sorted(maps.Keys(to)) {
		var err error
		if *to[name], _, err = m.text(name); err != nil {
			return err
		}
	}
	return nil
}
