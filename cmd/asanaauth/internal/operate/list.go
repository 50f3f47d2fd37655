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

// readers is how many connections are read at once.
const readers = 8

// list prints a line for each connection that the whole table has, a page of the scan
// at a time. One that cannot be read is told on stderr, and the rest is listed.
func (c Command) list(ctx context.Context, d *deployment.Deployment, stdout, stderr io.Writer) error {
	out := c.newPrinter(stdout)
	unread := 0
	for cursor := ""; ; {
		page, next, err := d.Rows.Scan(ctx, cursor)
		if err != nil {
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
				continue // it has gone since
			default:
				unread++
				_, err = fmt.Fprintf(stderr, "%s cannot be read: %v\n", f.id, f.err)
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
		return fmt.Errorf("%d connections could not be read", unread)
	}
	return nil
}

// found is a connection of a page, or why there is none.
type found struct {
	id      string
	details asanaauth.Details
	err     error
}

// read reads the connections whose hot rows a page has, in the page's order.
func (c Command) read(ctx context.Context, d *deployment.Deployment, page []store.Row) []found {
	var list []found
	for _, row := range page {
		if hot, ok := row.(*store.Hot); ok && c.wants(hot) {
			list = append(list, found{id: hot.Connection})
		}
	}
	var group errgroup.Group
	group.SetLimit(readers)
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

func (c Command) wants(hot *store.Hot) bool {
	return (c.status == "" || hot.Status == string(c.status)) && (c.owner == "" || hot.Owner == store.HashText(c.owner))
}

// printer prints connections.
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

// table is for eyes: columns are as wide as a page of the scan needs.
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
		d.ID, shown(string(d.Kind)), shown(string(d.Status)), orDash(d.StatusReason), orDash(shown(d.AttributedTo.GID)), when(d.LastRefreshed), shown(d.Owner),
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

// shown quotes an owner that a terminal, or an eye, could take for something else.
func shown(owner string) string {
	odd := func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == '"' }
	if owner == "-" || strings.ContainsFunc(owner, odd) {
		return strconv.QuoteToGraphic(owner)
	}
	return orDash(owner)
}
