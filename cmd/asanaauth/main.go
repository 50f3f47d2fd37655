// Command asanaauth is asanaauth for people. "asanaauth local" runs all of it on
// this machine, with nothing but Go.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/local"
)

const usage = `asanaauth is an auth backend for Asana.

Usage:

  asanaauth local [flags]    run all of it on this machine, with an offline Asana

"asanaauth local -h" tells the flags. Not affiliated with Asana.
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
	switch {
	case help != "":
		fmt.Fprint(stdout, help)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "asanaauth local: %v\n(\"asanaauth local -h\" tells the flags)\n", err)
		return exitUsage
	}
	if err := local.Run(ctx, flags, os.LookupEnv, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "asanaauth local: %v\n", err)
		return exitFailure
	}
	return 0
}
