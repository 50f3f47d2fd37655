// Package operate shows an operator the connections of a deployment, and ends one:
// "asanaauth connections". It never shows a token.
package operate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/commandline"
	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/deployment"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

const helpHead = `asanaauth connections shows and ends the connections of a deployment.

Usage:

  asanaauth connections list [flags]        a line each
  asanaauth connections show ID [flags]     one, as JSON
  asanaauth connections disconnect ID       end one; exit 1 where it is not done yet

The deployment is the one that the functions' variables name (TABLE_NAME,
KMS_KEY_ID, ASANA_CLIENT_ID, ASANA_CLIENT_SECRET_ARN, and where the functions have
them INSTALLATION, KEY_CACHE_TTL, ASANA_BASE_URL), with AWS credentials as the AWS
CLI takes them; or that of a data folder. No token is ever shown.
`

const flagsHead = helpHead + "\nFlags:\n\n"

// Command is a command line of "asanaauth connections", understood.
type Command struct {
	name   string // list, show or disconnect
	where  deployment.Where
	id     string
	status asanaauth.Status
	owner  string
	json   bool
}

// ParseCommand reads a command line, and returns the help text where that was asked
// for. An error is a sentence for the person who typed the line.
func ParseCommand(args []string) (c Command, help string, err error) {
	if len(args) == 0 {
		return c, "", errors.New("list, show ID or disconnect ID?")
	}
	set := flag.NewFlagSet("connections", flag.ContinueOnError)
	c.where.AddFlag(set)
	want := 1
	switch c.name = args[0]; c.name {
	case "-h", "-help", "--help", "help":
		return c, helpHead, nil
	case "list":
		want = 0
		set.BoolVar(&c.json, "json", false, "print a JSON object a line, with the names of the HTTP API")
		set.Func("owner", "only the connections of this `owner`", c.setOwner)
		set.Func("status", "only those that are `active`, broken, revoking or disconnected", c.setStatus)
	case "show", "disconnect":
	default:
		return c, "", errors.New("there is no such command of connections: list, show ID or disconnect ID")
	}
	arguments, help, err := commandline.Parse(set, flagsHead, args[1:], want)
	if want == 0 || help != "" || err != nil {
		return c, help, err
	}
	c.id = arguments[0]
	if !store.ValidConnectionID(c.id) {
		return c, "", errors.New("that is no connection's id: con_ and 32 letters and digits")
	}
	return c, "", nil
}

func (c *Command) setStatus(v string) error {
	all := []asanaauth.Status{asanaauth.Active, asanaauth.Broken, asanaauth.Revoking, asanaauth.Disconnected}
	if c.status = asanaauth.Status(v); !slices.Contains(all, c.status) {
		return errors.New("is none of active, broken, revoking and disconnected")
	}
	return nil
}

func (c *Command) setOwner(v string) error {
	if c.owner = v; v == "" {
		return errors.New("is empty")
	}
	return nil
}

// Run does what the command says. It prints what it found on stdout; an error is for
// the operator.
func (c Command) Run(ctx context.Context, lookup func(string) (string, bool), stdout, stderr io.Writer) error {
	log := slog.New(slog.NewTextHandler(stderr, nil))
	d, err := c.where.Open(ctx, lookup, log, false)
	if err != nil {
		return err
	}
	defer d.Close()
	switch c.name {
	case "list":
		return c.list(ctx, d, stdout, stderr)
	case "show":
		return c.show(ctx, d, stdout)
	}
	return c.disconnect(ctx, d, stdout)
}

func (c Command) show(ctx context.Context, d *deployment.Deployment, stdout io.Writer) error {
	conn, err := d.Connections.Open(ctx, connection.Ref{ID: c.id})
	if err != nil {
		return inWords(err)
	}
	details, err := d.Connections.Describe(ctx, conn)
	if err != nil {
		return err
	}
	return writeJSON(stdout, httpapi.ConnectionOf(details), "  ")
}

// disconnect ends a connection. One that stays revoking is an error: nobody has been
// told yet that the access is gone, and somebody has to try again.
func (c Command) disconnect(ctx context.Context, d *deployment.Deployment, stdout io.Writer) error {
	conn, err := d.Connections.Open(ctx, connection.Ref{ID: c.id})
	if err != nil {
		return inWords(err)
	}
	ended, err := d.Connections.Disconnect(ctx, conn)
	if err != nil {
		return inWords(err)
	}
	result := map[string]any{"status": ended.Status}
	if ended.Status == asanaauth.Disconnected {
		result["revoked_at_asana"] = ended.Revoked
	}
	if err := writeJSON(stdout, result, ""); err != nil {
		return err
	}
	if ended.Status != asanaauth.Disconnected {
		return errors.New("no token is given out any more, but Asana could not be asked to revoke it yet: run this again")
	}
	return nil
}

// inWords says what an operator can do.
func inWords(err error) error {
	switch asanaauth.KindOf(err) {
	case asanaauth.NotFound:
		return errors.New("there is no such connection")
	case asanaauth.TryAgain:
		return fmt.Errorf("not now, try again: %w", err)
	}
	return err
}
