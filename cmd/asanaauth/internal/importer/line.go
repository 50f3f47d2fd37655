package importer

import (
	"bufio"
	"bytes"
	"io"
	"iter"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

// mostLine bounds a line, as the HTTP API bounds a body.
const mostLine = 64 << 10

// line is one line of the file, and what it asks for or why that cannot be said.
type line struct {
	number  int64 // from 1
	request connection.ImportRequest
	err     error // an InvalidRequest, which repeats nothing of the line
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
				l.err = &asanaauth.Error{Kind: asanaauth.InvalidRequest, Detail: "The line is longer than 64 KiB."}
			case !blank:
				l.request, l.err = httpapi.ParseImport(bytes.TrimSpace(text))
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
