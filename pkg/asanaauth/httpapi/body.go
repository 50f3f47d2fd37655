package httpapi

import (
	"bytes"
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

const jsonSpace = " \t\r\n" // the whitespace of JSON (RFC 8259 section 2)

// hasType reports whether the body of r has the given media type. hasType returns false
// for a charset other than UTF-8, and for any other media type parameter.
func hasType(r *http.Request, mediaType string) bool {
	headers := r.Header["Content-Type"]
	if len(headers) != 1 {
		return false
	}
	got, options, err := mime.ParseMediaType(headers[0])
	if err != nil || got != mediaType {
		return false
	}
	for name, value := range options {
		// "utf8" is not a registered name, but some clients send it.
		if name != "charset" || !strings.EqualFold(value, "utf-8") && !strings.EqualFold(value, "utf8") {
			return false
		}
	}
	return true
}

// isEncoded reports whether the body of r is compressed, or has another content coding
// that changes it (RFC 9110 section 8.4).
func isEncoded(r *http.Request) bool {
	return slices.ContainsFunc(r.Header["Content-Encoding"], func(coding string) bool {
		return coding != "" && !strings.EqualFold(coding, "identity")
	})
}

var errNotJSON = &asanaauth.Error{
	Kind:   unsupportedMediaType,
	Detail: "Content-Type must be application/json, with the charset utf-8 or without one. Content-Encoding must be absent or identity.",
}

// content returns the body of r. If the body is not empty, its type must be
// application/json. The Content-Type of an empty body is ignored, because many clients
// send none or an unrelated one.
func content(r *http.Request) ([]byte, error) {
	b, err := readBody(r)
	switch {
	case err != nil:
		return nil, err
	case isEncoded(r), len(b) > 0 && !hasType(r, "application/json"):
		return nil, errNotJSON
	}
	return b, nil
}

// objectOf returns the members of the JSON object in the body of r. known are the names
// that a member may have.
func objectOf(r *http.Request, known ...string) (members, error) {
	b, err := content(r)
	if err != nil {
		return nil, err
	}
	return parseObject(b, known...)
}

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
// empty body and the body null count as {}.
func parseObject(body []byte, known ...string) (members, error) {
	if len(body) == 0 || string(bytes.Trim(body, jsonSpace)) == "null" {
		return members{}, nil
	}
	m, err := strictjson.Object(body, known...)
	var twice *strictjson.TwiceError
	if errors.As(err, &twice) {
		return nil, invalid(twice.Name + " must not be repeated.")
	}
	switch err {
	case nil:
	case strictjson.ErrUTF8:
		return nil, invalid("The body must be valid UTF-8.")
	case strictjson.ErrUnknown:
		return nil, invalid("The body has an unknown member. " + accepted(known))
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

// flag returns the value of a boolean member, or false if the member is absent. If the value
// is not a boolean, flag returns an error.
func (m members) flag(name string) (bool, error) {
	raw, ok := m[name]
	if !ok {
		return false, nil
	}
	var value bool
	if json.Unmarshal(raw, &value) != nil {
		return false, invalid(name + " must be true or false.")
	}
	return value, nil
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
