// Package operate implements the command "asanaauth connections". Operators use the
// command to list, show and disconnect the connections in a deployment. The command never
// prints a token.
package operate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/commandline"
	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/deployment"
	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

const helpHead = `Connections lists, shows and disconnects the connections of a deployment.
It never prints a token.

Usage:

  asanaauth connections list [flags]             list connections, one per line
  asanaauth connections show ID [flags]          print a connection as JSON
  asanaauth connections disconnect ID [flags]    revoke a connection and erase its tokens

Disconnect exits with 1 if Asana could not revoke the connection yet. asanaauth gives
out no token of it from then on. Run the command again to revoke it at Asana.

With -data, the command works on the data folder of "asanaauth local", even while it
runs.

Without -data, the command works on the deployment on AWS. It takes credentials as
the AWS CLI does, and reads the environment variables of the functions:

  TABLE_NAME, KMS_KEY_ID, ASANA_CLIENT_ID, ASANA_CLIENT_SECRET_ARN
  INSTALLATION, KEY_CACHE_TTL, ASANA_BASE_URL    only if the functions have them
  AWS_REGION                                     unless the AWS profile sets a region

Examples:

  asanaauth connections list -status broken
  asanaauth connections list -owner acme -json
  asanaauth connections disconnect con_... -data ./data
`

const flagsHead = helpHead + "\nFlags:\n\n"

// Command contains the arguments and the flags of "asanaauth connections".
type Command struct {
	name   string // list, show or disconnect
	where  deployment.Where
	id     string
	status asanaauth.Status
	owner  string
	json   bool
}

// ParseCommand parses the arguments that follow "connections". If the arguments contain
// -h or -help, ParseCommand returns the help text. Returned errors are shown to users.
func ParseCommand(args []string) (c Command, help string, err error) {
	if len(args) == 0 {
		return c, "", errors.New("missing command: use list, show ID or disconnect ID")
	}
	set := flag.NewFlagSet(args[0], flag.ContinueOnError)
	c.where.AddFlag(set)
	want := []string{"ID"}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		return c, helpHead + "\nRun \"asanaauth connections list -h\" for the flags of list.\n", nil
	case "list":
		want = nil
		set.BoolVar(&c.json, "json", false, "print each connection as a JSON object on one line, as GET /connections returns it")
		set.Func("owner", "list only connections of this `owner`", c.setOwner)
		set.Func("status", "list only connections with this `status`: active, broken, revoking or disconnected", c.setStatus)
	case "show", "disconnect":
	default:
		return c, "", errors.New("unknown command: use list, show ID or disconnect ID")
	}
	c.name = args[0]
	arguments, help, err := commandline.Parse(set, flagsHead, args[1:], want...)
	if want == nil || help != "" || err != nil {
		return c, help, err
	}
	c.id = arguments[0]
	if !store.ValidConnectionID(c.id) {
		return c, "", errors.New(`malformed ID: a connection ID is "con_" and 32 characters of a-z and 2-7: copy it from "connections list"`)
	}
	return c, "", nil
}

// Name returns the command's name as users type it, for example "connections list". If
// the subcommand is missing or unknown, Name returns "connections".
func (c Command) Name() string { return strings.TrimSpace("connections " + c.name) }

func (c *Command) setStatus(v string) error {
	all := []asanaauth.Status{asanaauth.Active, asanaauth.Broken, asanaauth.Revoking, asanaauth.Disconnected}
	if c.status = asanaauth.Status(v); !slices.Contains(all, c.status) {
		return errors.New("must be active, broken, revoking or disconnected")
	}
	return nil
}

func (c *Command) setOwner(v string) error {
	if c.owner = v; v == "" {
		return errors.New("must not be empty")
	}
	return nil
}

// Run executes the command. lookup returns environment variables, like [os.LookupEnv].
// Run prints results to stdout and logs to stderr. Returned errors are shown to users.
func (c Command) Run(ctx context.Context, lookup func(string) (string, bool), stdout, stderr io.Writer) error {
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	d, err := c.where.Open(ctx, lookup, log, false)
	if errors.Is(err, local.ErrInUse) {
		return local.Operate(ctx, c.where.Folder(), c.arguments(), stdout, stderr)
	}
	if err != nil {
		return err
	}
	defer d.Close()
	return c.run(ctx, d, stdout, stderr)
}

// RunLocal implements [local.Operator].
func RunLocal(ctx context.Context, conns *connection.Connections, rows store.Scanner, args []string, stdout, stderr io.Writer) error {
	c, help, err := ParseCommand(args)
	if err != nil || help != "" {
		return errors.Join(err, errors.New("malformed arguments: use the same version of asanaauth as the running asanaauth local"))
	}
	return c.run(ctx, deployment.OfFolder(conns, rows), stdout, stderr)
}

// arguments returns the arguments from which [ParseCommand] makes c, except -data.
func (c Command) arguments() []string {
	args := []string{c.name}
	if c.id != "" {
		args = append(args, c.id)
	}
	if c.json {
		args = append(args, "-json")
	}
	if c.owner != "" {
		args = append(args, "-owner="+c.owner)
	}
	if c.status != "" {
		args = append(args, "-status="+string(c.status))
	}
	return args
}

func (c Command) run(ctx context.Context, d *deployment.Deployment, stdout, stderr io.Writer) error {
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
		return withAdvice(d, err)
	}
	details, err := d.Connections.Describe(ctx, conn)
	if err != nil {
		return withAdvice(d, err)
	}
	return writeJSON(stdout, httpapi.ConnectionOf(details), "  ")
}

// If the connection's status remains "revoking", disconnect returns an error, because the
// operator must run the command again.
func (c Command) disconnect(ctx context.Context, d *deployment.Deployment, stdout io.Writer) error {
	conn, err := d.Connections.Open(ctx, connection.Ref{ID: c.id})
	if err != nil {
		return withAdvice(d, err)
	}
	ended, err := d.Connections.Disconnect(ctx, conn)
	if err != nil {
		return withAdvice(d, err)
	}
	result := map[string]any{"status": ended.Status}
	if ended.Status == asanaauth.Disconnected {
		result["revoked_at_asana"] = ended.Revoked
	}
	if err := writeJSON(stdout, result, ""); err != nil {
		return err
	}
	if ended.Status != asanaauth.Disconnected {
		return errors.New("not revoked at Asana yet: run this command again (no token is given out meanwhile)")
	}
	return nil
}

// withAdvice returns an error that says what the operator must do, or err if no advice
// exists.
func withAdvice(d *deployment.Deployment, err error) error {
	if advice := d.Advice(err); advice != "" {
		return errors.New(advice)
	}
	switch asanaauth.KindOf(err) {
	case asanaauth.NotFound:
		return errors.New("connection not found: check its ID and the deployment")
	case asanaauth.TryAgain:
		return fmt.Errorf("temporarily unavailable: run this command again (%w)", err)
	}
	return err
}
