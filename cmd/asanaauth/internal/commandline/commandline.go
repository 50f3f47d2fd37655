// Package commandline parses command lines that have flags and arguments in any order.
//
// [Parse] replaces the method Parse of a [flag.FlagSet], which stops at the first argument
// that is not a flag, and whose errors repeat values.
package commandline

import (
	"errors"
	"flag"
	"fmt"
	"strings"
)

// Parse sets the flags of set to the values in args, and returns the other arguments. The
// syntax is that of package flag. Everything after "--" is an argument.
//
// If args contains -h or -help, Parse returns a help text: head, followed by the
// descriptions of the flags. want contains the names of the arguments, such as FILE.
// Parse returns an error if a flag is unknown or malformed, or if the number of arguments
// differs from the number of names in want. The error repeats neither values nor unknown
// names, because a user may type a token at a wrong place.
func Parse(set *flag.FlagSet, head string, args []string, want ...string) (arguments []string, help string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			arguments = append(arguments, args...)
			break
		}
		if arg == "-" || !strings.HasPrefix(arg, "-") {
			arguments = append(arguments, arg)
			continue
		}
		args, err = setFlag(set, arg, args)
		if errors.Is(err, flag.ErrHelp) {
			return nil, helpText(set, head), nil
		}
		if err != nil {
			return nil, "", err
		}
	}
	switch {
	case len(arguments) < len(want):
		return nil, "", errors.New("missing argument: " + want[len(arguments)])
	case len(arguments) > 0 && len(want) == 0:
		return nil, "", fmt.Errorf("unexpected argument: %s takes only flags (write -flag VALUE or -flag=VALUE)", set.Name())
	case len(arguments) > len(want):
		return nil, "", fmt.Errorf("too many arguments: %s takes one %s", set.Name(), strings.Join(want, " and one "))
	}
	return arguments, "", nil
}

// setFlag sets the flag in arg, which begins with "-". If arg contains no value, the value
// is the first of the arguments that follow. setFlag returns the arguments that are left.
func setFlag(set *flag.FlagSet, arg string, following []string) (left []string, err error) {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	name, value, given := strings.Cut(name, "=")
	f := set.Lookup(name)
	switch {
	case f == nil && (name == "h" || name == "help"):
		return nil, flag.ErrHelp
	case f == nil:
		return nil, unknownFlag(set)
	}
	toggle, ok := f.Value.(interface{ IsBoolFlag() bool })
	isBool := ok && toggle.IsBoolFlag()
	switch {
	case given:
	case isBool:
		value = "true"
	case len(following) == 0:
		return nil, fmt.Errorf("-%s: the value is missing", name)
	default:
		value, following = following[0], following[1:]
	}
	err = f.Value.Set(value)
	switch {
	case err != nil && isBool:
		return nil, fmt.Errorf("-%s: must be true or false", name)
	case err != nil:
		return nil, fmt.Errorf("-%s: %w", name, err)
	}
	return following, nil
}

func unknownFlag(set *flag.FlagSet) error {
	var names []string
	set.VisitAll(func(f *flag.Flag) { names = append(names, "-"+f.Name) })
	if names == nil {
		return fmt.Errorf("unknown flag: %s has no flags", set.Name())
	}
	return fmt.Errorf("unknown flag: the flags of %s are %s", set.Name(), strings.Join(names, ", "))
}

func helpText(set *flag.FlagSet, head string) string {
	var text strings.Builder
	text.WriteString(head)
	set.SetOutput(&text)
	set.PrintDefaults()
	return text.String()
}
