package commandline_test

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/commandline"
)

type parsed struct {
	Text      string
	Number    int
	On        bool
	Checked   string
	Arguments []string
}

func parse(args ...string) (p parsed, help string, err error) {
	set := flag.NewFlagSet("try", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&p.Text, "text", "", "a `word`")
	set.IntVar(&p.Number, "number", 4, "a number")
	set.BoolVar(&p.On, "on", false, "a switch")
	set.Func("checked", "a value", func(v string) error {
		if p.Checked = v; v == "bad" {
			return errors.New("must not be that")
		}
		return nil
	})
	p.Arguments, help, err = commandline.Parse(set, "Head\n", args, "FILE")
	return p, help, err
}

func TestParse(t *testing.T) {
	for text, want := range map[string]parsed{
		"f":                                {Number: 4, Arguments: []string{"f"}},
		"f -text a --number=5 -on":         {Text: "a", Number: 5, On: true, Arguments: []string{"f"}},
		"-text= -on=false --checked x=y f": {Number: 4, Checked: "x=y", Arguments: []string{"f"}},
		"-on f -text -on":                  {Text: "-on", Number: 4, On: true, Arguments: []string{"f"}},
		"-on -":                            {Number: 4, On: true, Arguments: []string{"-"}},
		"-on -- -text":                     {Number: 4, On: true, Arguments: []string{"-text"}},
	} {
		got, help, err := parse(strings.Fields(text)...)
		if diff := cmp.Diff(want, got); diff != "" || help != "" || err != nil {
			t.Errorf("%s: got help %q, error %v (-want +got):\n%s", text, help, err, diff)
		}
	}
}

// TestErrorsRepeatNoValue checks the errors for wrong flags. Every wrong value and every
// unknown name is a secret that the user typed at the wrong place.
func TestErrorsRepeatNoValue(t *testing.T) {
	const secret = "hunter2"
	for text, want := range map[string]string{
		"f -number hunter2":          "-number: parse error",
		"f -number=hunter2":          "-number: parse error",
		"f -on=hunter2":              "-on: must be true or false",
		"f -hunter2":                 "unknown flag: the flags of try are -checked, -number, -on, -text",
		"f -texthunter2":             "unknown flag: the flags of try are -checked, -number, -on, -text",
		"f -hunter2=x":               "unknown flag: the flags of try are -checked, -number, -on, -text",
		"f ---hunter2":               "unknown flag: the flags of try are -checked, -number, -on, -text",
		"f -=hunter2":                "unknown flag: the flags of try are -checked, -number, -on, -text",
		"hunter2 -checked bad":       "-checked: must not be that",
		"hunter2 -text":              "-text: the value is missing",
		"f hunter2":                  "too many arguments: try takes one FILE",
		"-text hunter2":              "missing argument: FILE",
		"f -- -text=hunter2 hunter2": "too many arguments: try takes one FILE",
	} {
		_, _, err := parse(strings.Fields(text)...)
		if err == nil || err.Error() != want || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got error %v, want %s", text, err, want)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, text := range []string{"-h", "f --help", "-on -help"} {
		_, help, err := parse(strings.Fields(text)...)
		if err != nil || !strings.HasPrefix(help, "Head\n") || !strings.Contains(help, "-text word") {
			t.Errorf("%s: got help %q, error %v; want the head and the flags", text, help, err)
		}
	}
}
