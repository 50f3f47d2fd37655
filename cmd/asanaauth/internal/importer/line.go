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

// maxLine is the size limit for a line, in bytes. The HTTP API has the same limit for
// request bodies.
const maxLine = 64 << 10

// byteOrderMark is the UTF-8 form of U+FEFF, with which some editors begin a file.
const byteOrderMark = "\xef\xbb\xbf"

// If a line is malformed, err is set and request is empty.
type line struct {
	number  int64 // from 1
	request connection.ImportRequest
	err     error // has the kind InvalidRequest, and does not repeat the line
}

// lines returns the lines of r, except blank lines, and keeps only one line in memory. If
// a read fails, the sequence ends and *err is set to the error.
func lines(r io.Reader, err *error) iter.Seq[line] {
	return func(yield func(line) bool) {
		in := bufio.NewReaderSize(r, maxLine+2) // a line and \r\n
		if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
			in.Discard(len(byteOrderMark))
		}
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

// aboutLine replaces "The body" with "The line" in an error of [httpapi.ParseImport].
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

// next reads a line, including its line ending. If the line is too long, text is
// incomplete and tooLong is true.
func next(in *bufio.Reader) (text []byte, tooLong bool, err error) {
	text, err = in.ReadSlice('\n')
	for err == bufio.ErrBufferFull {
		tooLong = true
		_, err = in.ReadSlice('\n')
	}
	return text, tooLong || len(bytes.TrimRight(text, "\r\n")) > maxLine, err
}
