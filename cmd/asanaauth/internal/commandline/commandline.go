// Package commandline parses command lines that have flags and arguments in any order.
//
// The flag package stops at the first argument that is not a flag. [Parse] continues, so
// "import FILE -dry-run" has the same meaning as "import -dry-run FILE".
package commandline

import (
	"errors"
	"flag"
	"fmt"
	"strings"
)

// Parse parses the flags in args with set, and returns the other arguments. Everything
// after "--" is an argument.
//
// If args contains -h or -help, Parse returns a help text: head, followed by the
// descriptions of the flags. want contains the names of the arguments, such as FILE.
// Parse returns an error if set does not accept a flag, or if the number of arguments
// differs from the number of names in want. The error does not repeat arguments, because
// a user may type a token as an argument by mistake.
func Parse(set *flag.FlagSet, head string, args []string, want ...string) (arguments []string, help string, err error) {
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
	switch {
	case len(arguments) < len(want):
		return nil, "", errors.New("missing argument: " + want[len(arguments)])
	case len(arguments) > 0 && len(want) == 0:
		return nil, "", fmt.Errorf("too many arguments: %s takes only flags", set.Name())
	case len(arguments) > len(want):
		return nil, "", fmt.Errorf("too many arguments: %s takes one %s", set.Name(), strings.Join(want, " and one "))
	}
	return arguments, "", nil
}
