// Command asanaauth is asanaauth for people. "asanaauth local" runs all of it on
// this machine, with nothing but Go; the others work on what was deployed.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/importer"
	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/local"
	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/operate"
)

const usage = `asanaauth is an auth backend for Asana.

Usage:

  asanaauth local [flags]                  run all of it on this machine, with an offline Asana
  asanaauth connections list [flags]       show the connections of a deployment
  asanaauth connections show ID            show one of them
  asanaauth connections disconnect ID      end one of them
  asanaauth import FILE [flags]            bring credentials in that were held elsewhere

Each tells its flags with -h. Not affiliated with Asana.
`

// The exit codes of every command, besides 0: something failed, or it was not
// called as it has to be.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal is not caught: it ends the process at once.
	context.AfterFunc(ctx, stop)
	// A reader of our output that goes away ("import FILE | head") must not end us in
	// the middle of a refresh: the write fails, and we stop in order.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run carries out a command line and returns the exit code. An end of ctx is the
// person's wish to stop.
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
	case "-h", "-help", "--help", "help":
		fmt.Fprint(stdout, usage)
		return 0
	default:
		fmt.Fprintf(stderr, "asanaauth: there is no command %q\n\n%s", name, usage)
		return exitUsage
	}
}

func runLocal(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags, help, err := local.ParseFlags(args)
	if code, over := afterParsing("local", help, err, stdout, stderr); over {
		return code
	}
	return exitCode("local", local.Run(ctx, flags, os.LookupEnv, stdout, stderr), stderr)
}

func runConnections(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command, help, err := operate.ParseCommand(args)
	if code, over := afterParsing("connections", help, err, stdout, stderr); over {
		return code
	}
	return exitCode("connections", command.Run(ctx, os.LookupEnv, stdout, stderr), stderr)
}

func runImport(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command, help, err := importer.ParseCommand(args)
	if code, over := afterParsing("import", help, err, stdout, stderr); over {
		return code
	}
	return exitCode("import", command.Run(ctx, os.LookupEnv, os.Stdin, stdout, stderr), stderr)
}

// afterParsing tells a command's help, or what is wrong with its line; over says that
// nothing is to be done any more.
func afterParsing(name, help string, err error, stdout, stderr io.Writer) (code int, over bool) {
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "asanaauth %s: %v\n(\"asanaauth %s -h\" tells how it is called)\n", name, err, name)
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
