// Command asanaauth runs asanaauth on this machine and manages deployments.
//
// "asanaauth local" runs the whole service in one process, without an AWS account or an
// Asana app. "asanaauth connections" and "asanaauth import" work on a deployment on AWS, or
// on the data folder of "asanaauth local".
//
// Every command exits with status 0 on success, 1 on failure, and 2 on wrong usage.
// Errors are written to stderr. "asanaauth COMMAND -h" prints the help for a command.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/commandline"
	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/importer"
	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/local"
	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/operate"
	"github.com/asanaauth/asanaauth/internal/version"
)

const usage = `asanaauth is an auth backend for apps that use the Asana API.

Usage:

  asanaauth COMMAND [arguments]

Commands:

  local                        run asanaauth on this machine, with an offline Asana
  connections list             list the connections of a deployment
  connections show ID          print a connection as JSON
  connections disconnect ID    revoke a connection and erase its tokens
  import FILE                  import Asana credentials from a file
  version                      print the version and the commit of this program

Run "asanaauth COMMAND -h" for the flags of a command.
asanaauth is not affiliated with Asana.
`

const versionHelp = `Version prints the version and the commit that this program was built from.

Usage:

  asanaauth version

It prints "(devel)" if the version is unknown, and "modified" if the source had
changes that were not committed.
`

const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal, restore the default behavior, so that a second signal ends
	// the process immediately.
	context.AfterFunc(ctx, stop)
	// If the reader of stdout has exited, as in "import FILE | head", SIGPIPE would end
	// this process, possibly during a refresh. If SIGPIPE is ignored, the write returns
	// an error instead.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code of the command. If ctx is canceled, the command stops.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	switch name, rest := args[0], args[1:]; name {
	case "local":
		return runLocal(ctx, rest, stdout, stderr)
	case "connections":
		return runConnections(ctx, rest, stdout, stderr)
	case "import":
		return runImport(ctx, rest, stdout, stderr)
	case "version":
		return runVersion(rest, stdout, stderr)
	case "-h", "-help", "--help", "help":
		fmt.Fprint(stdout, usage)
		return 0
	default:
		// The message does not repeat name, because a user may type a token by mistake.
		fmt.Fprint(stderr, "asanaauth: unknown command\nRun \"asanaauth -h\" for a list of commands.\n")
		return exitUsage
	}
}

func runLocal(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags, help, err := local.ParseFlags(args)
	if code, done := afterParsing("local", help, err, stdout, stderr); done {
		return code
	}
	return exitCode("local", local.Run(ctx, flags, os.LookupEnv, operate.RunLocal, stdout, stderr), stderr)
}

func runConnections(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command, help, err := operate.ParseCommand(args)
	if code, done := afterParsing(command.Name(), help, err, stdout, stderr); done {
		return code
	}
	return exitCode("connections", command.Run(ctx, os.LookupEnv, stdout, stderr), stderr)
}

func runImport(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command, help, err := importer.ParseCommand(args)
	if code, done := afterParsing("import", help, err, stdout, stderr); done {
		return code
	}
	return exitCode("import", command.Run(ctx, os.LookupEnv, os.Stdin, stdout, stderr), stderr)
}

func runVersion(args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("version", flag.ContinueOnError)
	_, help, err := commandline.Parse(set, versionHelp, args)
	if code, done := afterParsing("version", help, err, stdout, stderr); done {
		return code
	}
	_, err = fmt.Fprintln(stdout, "asanaauth", version.Of())
	return exitCode("version", err, stderr)
}

// afterParsing prints err or help. If either was printed, done is true, and the command
// must exit with code.
func afterParsing(name, help string, err error, stdout, stderr io.Writer) (code int, done bool) {
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "asanaauth %s: %v\nRun \"asanaauth %s -h\" for usage.\n", name, err, name)
		return exitUsage, true
	case help != "":
		fmt.Fprint(stdout, help)
		return 0, true
	}
	return 0, false
}

func exitCode(name string, err error, stderr io.Writer) int {
	if err != nil {
		fmt.Fprintf(stderr, "asanaauth %s: %v\n", name, err)
		return exitFailure
	}
	return 0
}
