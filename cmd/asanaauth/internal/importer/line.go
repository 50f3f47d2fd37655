package importer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"unicode/utf8"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// mostLine bounds a line, as the HTTP API bounds a body.
const mostLine = 64 << 10

// line is one line of the file, and what it asks for or why that cannot be said.
type line struct {
	number  int64 // from 1
	request asanaauth.ImportRequest
	err     error // a fixed sentence: nothing of what the line holds
}

// lines reads a file line by line, and holds no more of it than one. Lines of white
// space are left out. What could not be read is in err when it ends.
func lines(r io.Reader, err *error) iter.Seq[line] {
	return func(yield func(line) bool) {
		in := bufio.NewReaderSize(r, mostLine+2) // with its end, \r\n at most
		for number := int64(1); ; number++ {
			text, tooLong, readErr := next(in)
			if readErr != nil && readErr != io.EOF {
				*err = readErr
				return
			}
			l, blank := line{number: number}, len(bytes.TrimSpace(text)) == 0
			switch {
			case tooLong:
				l.err = errors.New("the line has more than 64 KiB")
			case !blank:
				l.request, l.err = parse(text)
			}
			if (tooLong || !blank) && !yield(l) || readErr == io.EOF {
				return
			}
		}
	}
}

// next reads a line with its end. One that is too long is read over.
func next(in *bufio.Reader) (text []byte, tooLong bool, err error) {
	text, err = in.ReadSlice('\n')
	for err == bufio.ErrBufferFull {
		tooLong = true
		_, err = in.ReadSlice('\n')
	}
	return text, tooLong || len(bytes.TrimRight(text, "\r\n")) > mostLine, err
}

var (
	errNoObject = errors.New("the line is no JSON object")
	errMember   = errors.New("the line has a member that does not belong there")
	errTwice    = errors.New("the line has a member twice")
	errType     = errors.New("a member is of another type than it has to be")
)

// parse reads one JSON object. encoding/json alone takes more: the last of two equal
// members, names in any case, and invalid UTF-8.
func parse(text []byte) (asanaauth.ImportRequest, error) {
	var r asanaauth.ImportRequest
	if !utf8.Valid(text) {
		return r, errors.New("the line is not UTF-8")
	}
	members, err := object(text)
	if err != nil {
		return r, err
	}
	var token, refresh, kind string
	known := map[string]any{"owner": &r.Owner, "token": &token, "kind": &kind}
	if _, ok := members["refresh_token"]; ok {
		known = map[string]any{"owner": &r.Owner, "refresh_token": &refresh, "replace": &r.Replace}
	}
	for name, to := range known {
		raw, ok := members[name]
		delete(members, name)
		if ok && json.Unmarshal(raw, to) != nil {
			return r, errType
		}
	}
	if len(members) > 0 {
		return r, errMember
	}
	r.Token, r.RefreshToken, r.Kind = secret.New(token), secret.New(refresh), store.Kind(kind)
	return r, nil
}

// object gives the members of an object, each there once, null ones left out.
func object(text []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNoObject
	}
	members, seen := map[string]json.RawMessage{}, map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return nil, errNoObject
		}
		if seen[name] {
			return nil, errTwice
		}
		if seen[name] = true; string(value) != "null" {
			members[name] = value
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errNoObject
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is something after the JSON object")
	}
	return members, nil
}
