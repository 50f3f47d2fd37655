package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

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
// most once, and nothing after it. encoding/json takes more: it takes the last
// of two equal members, any case, and invalid UTF-8. No body counts as {}.
func parseObject(body []byte, known ...string) (members, error) {
	m := members{}
	if len(body) == 0 {
		return m, nil
	}
	if !utf8.Valid(body) {
		return nil, invalid("The body is not UTF-8.")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, invalid("The body is not a JSON object.")
	}
	for d.More() {
		if err := m.next(d, known); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, invalid("The body is not a JSON object.")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, invalid("There is something after the JSON object.")
	}
	for name, value := range m {
		if string(value) == "null" {
			delete(m, name)
		}
	}
	return m, nil
}

func (m members) next(d *json.Decoder, known []string) error {
	t, err := d.Token()
	name, ok := t.(string)
	if err != nil || !ok {
		return invalid("The body is not a JSON object.")
	}
	if !slices.Contains(known, name) {
		return invalid("The body has a member that is not known here.")
	}
	if _, twice := m[name]; twice {
		return invalid("The body has a member twice.")
	}
	var value json.RawMessage
	if d.Decode(&value) != nil {
		return invalid("The body is not a JSON object.")
	}
	m[name] = value
	return nil
}

// text reads a member that is a string; one that is absent is "" and false.
func (m members) text(name string) (string, bool, error) {
	raw, ok := m[name]
	if !ok {
		return "", false, nil
	}
	var text string
	if json.Unmarshal(raw, &text) != nil || hasLoneSurrogate(raw) {
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

// hasLoneSurrogate reports whether a JSON string has half of a character (RFC 8259
// section 8.2), in place of which encoding/json reads U+FFFD: two names could become
// one.
func hasLoneSurrogate(raw []byte) bool {
	var high bool
	for i := 0; i < len(raw); i++ {
		unit := rune(-1)
		if raw[i] == '\\' && i+5 < len(raw) && raw[i+1] == 'u' {
			n, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 16)
			if err == nil {
				unit = rune(n)
			}
		}
		low := unit >= 0xdc00 && unit <= 0xdfff
		if high != low {
			return true
		}
		high = unit >= 0xd800 && unit <= 0xdbff
		switch {
		case unit >= 0:
			i += 5
		case raw[i] == '\\':
			i++ // what is escaped is no escape
		}
	}
	return high
}
