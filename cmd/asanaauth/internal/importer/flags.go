package importer

import (
	"errors"
	"flag"
	"strconv"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/commandline"
	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/deployment"
)

const helpHead = `Import imports Asana credentials from a file into a deployment.

Usage:

  asanaauth import FILE [flags]

FILE has one JSON object per line, with the members of POST /connections. If FILE is
"-", import reads standard input. There are two forms:

  {"owner":"...","token":"...","kind":"personal_access_token"}
  {"owner":"...","refresh_token":"..."}

The kind of a token is "personal_access_token" or "service_account". Add
"replace":true to a refresh token if the owner already has an active connection of
that Asana user.

Import verifies each credential at Asana before it stores it. To verify a refresh
token, it refreshes once. If Asana rotates refresh tokens, the old token then stops
working, so the app that used it must stop first.

For each line of FILE, import prints a JSON object on stdout, with "line" and
"status", and with "connection", "attributed_to", "type" and "reason" if they are
known. If "type" is "token-rejected", "reason" is a code and "detail" explains it.
Import never prints a token. The statuses are:

  imported        the credential was imported
  already         the credential was imported before
  rejected        the line or the credential is not acceptable: correct the line
  failed          the import failed, maybe only for now: run the command again
  would-import    the credential would be imported (with -dry-run)

The command exits with 1 if a line was rejected or failed. You can run it again with
the same file, because it recognizes what it has imported.

On a terminal, import shows its progress on stderr. Otherwise, it logs JSON there.

FILE contains tokens: make it readable only for you (chmod 600), and delete it after
the import.

Without -data, import works on the deployment on AWS. Run "asanaauth connections -h"
for the environment variables that it reads.

Examples:

  asanaauth import credentials.jsonl -dry-run
  asanaauth import credentials.jsonl > report.jsonl

Flags:

`

const maxParallel = 64

// Command contains the argument and the flags of "asanaauth import".
type Command struct {
	where    deployment.Where
	file     string // "-" for standard input
	dryRun   bool
	parallel int
}

// ParseCommand parses the arguments that follow "import". If the arguments contain -h or
// -help, ParseCommand returns the help text. Returned errors are shown to users, and do not
// repeat arguments, because a user may type a token as an argument by mistake.
func ParseCommand(args []string) (c Command, help string, err error) {
	set := flag.NewFlagSet("import", flag.ContinueOnError)
	c.where.AddFlag(set)
	set.BoolVar(&c.dryRun, "dry-run", false, "check each credential at Asana, but do not use refresh tokens and store nothing")
	c.parallel = 4
	set.Func("parallel", "import up to this `number` of lines at once, from 1 to 64; lines of one owner are imported in order (default 4)", func(v string) (err error) {
		if c.parallel, err = strconv.Atoi(v); err != nil || c.parallel < 1 || c.parallel > maxParallel {
			return errors.New("must be a number from 1 to 64")
		}
		return nil
	})
	arguments, help, err := commandline.Parse(set, helpHead, args, "FILE")
	if help != "" || err != nil {
		return c, help, err
	}
	c.file = arguments[0]
	return c, "", nil
}
