package importer

import (
	"context"
	"io"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
)

// Import is a function that imports a line. Tests use it in place of
// [connection.Connections.Import].
type Import func(ctx context.Context, line int64, r connection.ImportRequest) error

// RunWith reads lines from in, and calls do for each line instead of importing the line
// into a deployment.
func RunWith(ctx context.Context, in io.Reader, out, stderr io.Writer, workers int, do Import) error {
	r := newRun(func(ctx context.Context, l line) (entry, error) {
		return entry{Line: l.number, Status: imported}, do(ctx, l.number, l.request)
	}, workers, newReport(out))
	stop := r.report.showProgress(stderr)
	defer stop()
	return r.importAll(ctx, in)
}

// Parse parses the first line of text.
func Parse(text string) (connection.ImportRequest, error) {
	var err error
	for l := range lines(strings.NewReader(text), &err) {
		return l.request, l.err
	}
	return connection.ImportRequest{}, err
}
