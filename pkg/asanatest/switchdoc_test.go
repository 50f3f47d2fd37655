package asanatest_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

var update = flag.Bool("update", false, "write SWITCHES.md from the comments in switches.go")

// TestSwitchesDocumented checks that SWITCHES.md contains the same texts as the comments
// of the fields. With the flag -update, the test writes the file.
func TestSwitchesDocumented(t *testing.T) {
	t.Parallel()
	want := switchesMarkdown(t)
	if *update {
		if err := os.WriteFile("SWITCHES.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("SWITCHES.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("SWITCHES.md differs from the comments in switches.go; run go test -run %s -update", t.Name())
	}
}

func TestSwitchTable(t *testing.T) {
	t.Parallel()
	table := asanatest.SwitchTable()
	if got, want := len(table), reflect.TypeFor[asanatest.Switches]().NumField(); got != want {
		t.Fatalf("got %d switches, want %d", got, want)
	}
	for _, info := range table {
		if info.Name == "" || info.Group == "" || info.Meaning == "" || info.StandsFor == "" || info.Default == "" {
			t.Errorf("a field is empty: got %+v", info)
		}
	}
}

func switchesMarkdown(t *testing.T) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "switches.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if field, ok := n.(*ast.Field); ok && len(field.Names) == 1 && field.Doc != nil {
			docs[field.Names[0].Name] = field.Doc.Text()
		}
		return true
	})
	var b strings.Builder
	b.WriteString("# Switches of the offline Asana\n\nA switch makes requests slow, makes requests fail, or selects how the offline Asana behaves. Set switches on the page `/_offline/`,\n" +
		"with `PUT /_offline/switches`, or in Go with `SetSwitches`. If Asana's documentation leaves a behavior open, or if Asana's own clients contradict it,\n" +
		"the default accepts the clients that people use. Otherwise, the default is our best guess.\n" +
		"If the values of a switch are `true` and `false`, the column *meaning* describes the value `true`. The column *real Asana* says what is known about\n" +
		"the behavior of the real Asana.\n\n" +
		"This page is generated from the comments in switches.go. To update it, run `go test -run TestSwitchesDocumented -update`.\n")
	group := ""
	for i, info := range asanatest.SwitchTable() {
		if info.Group != group {
			group = info.Group
			fmt.Fprintf(&b, "\n## %s\n\n| name | default | meaning | real Asana |\n| --- | --- | --- | --- |\n", group)
		}
		name := reflect.TypeFor[asanatest.Switches]().Field(i).Name
		meaning, standsFor, ok := strings.Cut(strings.TrimSpace(docs[name]), "\n\nReal Asana: ")
		if !ok || !strings.HasPrefix(meaning, name+" ") {
			t.Fatalf("the comment of %s must begin with its name and end with a paragraph that begins with Real Asana", name)
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", info.Name, info.Default, oneLine(strings.TrimPrefix(strings.TrimPrefix(meaning, name+" "), "is ")), oneLine(standsFor))
	}
	return b.String()
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.ReplaceAll(strings.ToUpper(s[:1])+s[1:], "|", "\\|")
}
