// Package commandline reads the command lines of commands that take arguments beside
// flags, in any order.
package commandline

import (
	"errors"
	"flag"
	"strings"
)

// errArguments says that there are more or fewer arguments than a command takes.
// Like all errors here it repeats none: one may be a token in the wrong place.
var errArguments = errors.New("wrong number of arguments")

// Parse reads args, which have want arguments among the flags of set. It returns the
// help text, head and then the flags, where that was asked for; any other error is a
// sentence for the person who typed the line.
func Parse(set *flag.FlagSet, head string, args []string, want int) (arguments []string, help string, err error) {
	var text strings.Builder
	set.Init(set.Name(), flag.ContinueOnError)
	set.SetOutput(&text)
	set.Usage = func() {
		text.WriteString(head)
		set.PrintDefaults()
	}
	for {
		err := set.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			return nil, text.String(), nil
		}
		if err != nil {
			return nil, "", err
		}
		rest := set.Args()
		ended := len(rest) < len(args) && args[len(args)-len(rest)-1] == "--"
		if ended {
			arguments, rest = append(arguments, rest...), nil
		}
		if len(rest) == 0 {
			break
		}
		arguments, args = append(arguments, rest[0]), rest[1:]
	}
	if len(arguments) != want {
		return nil, "", errArguments
	}
	return arguments, "", nil
}
