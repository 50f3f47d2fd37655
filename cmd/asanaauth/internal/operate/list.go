package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/deployment"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

const concurrentReads = 8

// If a connection cannot be read, list writes an error to stderr, continues with the next
// connection, and returns an error at the end.
func (c Command) list(ctx context.Context, d *deployment.Deployment, stdout, stderr io.Writer) error {
	out := c.newPrinter(stdout)
	unread := 0
	for cursor := ""; ; {
		page, next, err := d.Rows.Scan(ctx, cursor)
		if err != nil {
			if advice := d.Advice(err); advice != "" {
				return errors.New(advice)
			}
			return fmt.Errorf("reading the table: %w", err)
		}
		found := c.read(ctx, d, page)
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, f := range found {
			switch {
			case f.err == nil:
				err = out.print(f.details)
			case asanaauth.KindOf(f.err) == asanaauth.NotFound:
				continue // the connection was deleted after the scan
			default:
				unread++
				_, err = fmt.Fprintf(stderr, "connection %s could not be read: %v\n", f.id, withAdvice(d, f.err))
			}
			if err != nil {
				return err
			}
		}
		if err := out.flush(); err != nil {
			return err
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if unread > 0 {
		return fmt.Errorf("the list is incomplete: connections that could not be read: %d", unread)
	}
	return nil
}

// found is a connection in the list. If the connection could not be read, err is set
// instead of details.
type found struct {
	id      string
	details asanaauth.Details
	err     error
}

// read reads the connections whose hot rows are in page and match the flags. The result
// has the same order as page.
func (c Command) read(ctx context.Context, d *deployment.Deployment, page []store.Row) []found {
	var list []found
	for _, row := range page {
		if hot, ok := row.(*store.Hot); ok && c.matches(hot) {
			list = append(list, found{id: hot.Connection})
		}
	}
	var group errgroup.Group
	group.SetLimit(concurrentReads)
	for i := range list {
		group.Go(func() error {
			f := &list[i]
			var conn *connection.Connection
			conn, f.err = d.Connections.Open(ctx, connection.Ref{ID: f.id, Owner: c.owner})
			if f.err == nil {
				f.details, f.err = d.Connections.Describe(ctx, conn)
			}
			return nil
		})
	}
	group.Wait()
	return list
}

// matches does not compare the owner in the row, because someone may have changed it. If
// so, Open returns an error, and list reports the error.
func (c Command) matches(hot *store.Hot) bool {
	return (c.status == "" || hot.Status == string(c.status)) && (c.owner == "" || hot.Key().PK == store.OwnerPartition(store.HashText(c.owner)))
}

// printer prints connections. It may buffer the output until flush is called.
type printer interface {
	print(asanaauth.Details) error
	flush() error
}

func (c Command) newPrinter(w io.Writer) printer {
	if c.json {
		return jsonLines{w}
	}
	return &table{w: tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
}

type jsonLines struct{ w io.Writer }

func (j jsonLines) print(d asanaauth.Details) error {
	return writeJSON(j.w, httpapi.ConnectionOf(d), "")
}
func (jsonLines) flush() error { return nil }

// The widths of the columns may differ between pages of the scan, because list flushes
// the table after each page.
type table struct {
	w      *tabwriter.Writer
	headed bool
}

func (t *table) print(d asanaauth.Details) error {
	var err error
	if !t.headed {
		_, err = fmt.Fprintln(t.w, "ID\tKIND\tSTATUS\tREASON\tASANA USER\tLAST REFRESHED\tOWNER")
		t.headed = true
	}
	_, err2 := fmt.Fprintln(t.w, strings.Join([]string{
		d.ID, quoteIfNeeded(string(d.Kind)), quoteIfNeeded(string(d.Status)), orDash(d.StatusReason), orDash(quoteIfNeeded(d.AttributedTo.GID)), when(d.LastRefreshed), quoteIfNeeded(d.Owner),
	}, "\t"))
	return errors.Join(err, err2)
}

func (t *table) flush() error { return t.w.Flush() }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// quoteIfNeeded quotes s if s contains spaces, or characters that a terminal may
// interpret.
func quoteIfNeeded(s string) string {
	odd := func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == '"' }
	if s == "-" || strings.ContainsFunc(s, odd) {
		return strconv.QuoteToGraphic(s)
	}
	return orDash(s)
}
