package importer

import (
	"errors"
	"flag"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/commandline"
	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/deployment"
)

const helpHead = `asanaauth import brings credentials that were held elsewhere into a deployment.

Usage:

  asanaauth import FILE [flags]

FILE ("-" for standard input) has a JSON object a line, as POST /connections takes:

  {"owner":"…","token":"…","kind":"personal_access_token"}   or "service_account"
  {"owner":"…","refresh_token":"…"}                          "replace":true, if need be

Each is verified at Asana first. For each line one is printed on stdout, a JSON
object with line, status (imported, already, rejected, failed, would-import), and
what is known of connection, attributed_to, type and reason; never a token. What was
imported before is recognised: after an interruption, or failures, run the same line
again. Importing a refresh token uses it: where Asana rotates it, the old holder has
to stop. Give the file to nobody else (chmod 600), and delete it when all is done.

Flags:

`

const mostParallel = 64

// Command is a command line of "asanaauth import", understood.
type Command struct {
	where    deployment.Where
	file     string // "-": standard input
	dryRun   bool
	parallel int
}

// ParseCommand reads a command line, and returns the help text where that was asked
// for. An error is a sentence for the person who typed the line; it repeats nothing.
func ParseCommand(args []string) (c Command, help string, err error) {
	set := flag.NewFlagSet("import", flag.ContinueOnError)
	c.where.AddFlag(set)
	set.BoolVar(&c.dryRun, "dry-run", false, "ask Asana about each credential, without using it, and keep nothing")
	set.IntVar(&c.parallel, "parallel", 4, "`lines` under way at once; those of one owner follow each other")
	arguments, help, err := commandline.Parse(set, helpHead, args, 1)
	switch {
	case help != "" || err != nil:
		return c, help, err
	case c.parallel < 1 || c.parallel > mostParallel:
		return c, "", errors.New("-parallel is 1 to 64")
	}
	c.file = arguments[0]
	return c, "", nil
}
