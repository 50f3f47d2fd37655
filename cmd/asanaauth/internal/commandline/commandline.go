// Package commandline parses command lines that have flags and arguments in any order.
//
// The flag package stops at the first argument. Parse continues after it, so that
// "import FILE -dry-run" and "import -dry-run FILE" mean the same.
package commandline

import (
	"errors"
	"flag"
	"fmt"
	"strings"
)

// Parse parses args into the flags of set and returns the arguments between them.
// Everything after "--" is an argument.
//
// If args ask for help, Parse returns the help text, which is head followed by the
// flags. It returns an error if args do not fit set, or do not have exactly want
// arguments. The error does not repeat arguments, because one may be a token in the
// wrong place.
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
		return nil, "", fmt.Errorf("wrong number of arguments: got %d, want %d", len(arguments), want)
	}
	return arguments, "", nil
}
