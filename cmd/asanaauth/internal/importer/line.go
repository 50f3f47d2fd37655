package importer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

// maxLine is the maximum length of a line in bytes. Request bodies of the HTTP API have
// the same limit.
const maxLine = 64 << 10

// line is a parsed line of the file. If the line is malformed, err is set and request is
// not.
type line struct {
	number  int64 // from 1
	request connection.ImportRequest
	err     error // an error with the kind InvalidRequest, which does not repeat the line
}

// lines returns the lines of a file, without blank lines. Only one line is in memory at a
// time. If a read fails, the sequence ends and *err is set to the error.
func lines(r io.Reader, err *error) iter.Seq[line] {
	return func(yield func(line) bool) {
		in := bufio.NewReaderSize(r, maxLine+2) // a line and \r\n
		for number := int64(1); ; number++ {
			text, tooLong, readErr := next(in)
			if readErr != nil && readErr != io.EOF {
				*err = readErr
				return
			}
			l, blank := line{number: number}, len(bytes.TrimSpace(text)) == 0
			switch {
			case tooLong:
				l.err = &asanaauth.Error{Kind: asanaauth.InvalidRequest, Detail: "The line is longer than 64 KiB."}
			case !blank:
				l.request, l.err = httpapi.ParseImport(bytes.TrimSpace(text))
				l.err = aboutLine(l.err)
			}
			if (tooLong || !blank) && !yield(l) || readErr == io.EOF {
				return
			}
		}
	}
}

// aboutLine changes the subject of the detail of err from "The body" to "The line". err is
// an error of [httpapi.ParseImport] or nil.
func aboutLine(err error) error {
	var e *asanaauth.Error
	if !errors.As(err, &e) {
		return err
	}
	if rest, ok := strings.CutPrefix(e.Detail, "The body "); ok {
		changed := *e
		changed.Detail = "The line " + rest
		return &changed
	}
	return err
}

// next reads a line, including its line ending. If the line is too long, next skips it
// and tooLong is true.
func next(in *bufio.Reader) (text []byte, tooLong bool, err error) {
	text, err = in.ReadSlice('\n')
	for err == bufio.ErrBufferFull {
		tooLong = true
		_, err = in.ReadSlice('\n')
	}
	return text, tooLong || len(bytes.TrimRight(text, "\r\n")) > maxLine, err
}
