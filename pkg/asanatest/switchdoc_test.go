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

// TestSwitchesDocumented keeps SWITCHES.md equal to the comments of the fields.
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
		t.Errorf("SWITCHES.md is not what switches.go says; run go test -run %s -update", t.Name())
	}
}

// TestSwitchTable checks that the table of the page describes every switch.
func TestSwitchTable(t *testing.T) {
	t.Parallel()
	table := asanatest.SwitchTable()
	if got, want := len(table), reflect.TypeFor[asanatest.Switches]().NumField(); got != want {
		t.Fatalf("table has %d switches, want %d", got, want)
	}
	for _, info := range table {
		if info.Name == "" || info.Group == "" || info.Meaning == "" || info.StandsFor == "" || info.Default == "" {
			t.Errorf("switch without name, group, meaning, unknown or default: %+v", info)
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
	b.WriteString("# Switches of offline Asana\n\nMade from the comments in switches.go by `go test -run TestSwitchesDocumented -update`. Set them on the page at\n" +
		"`/_offline/`, with `PUT /_offline/switches`, or from Go. Each default that is not documented by Asana is our guess.\n")
	group := ""
	for i, info := range asanatest.SwitchTable() {
		if info.Group != group {
			group = info.Group
			fmt.Fprintf(&b, "\n## %s\n\n| name | default | meaning | stands for |\n| --- | --- | --- | --- |\n", group)
		}
		name := reflect.TypeFor[asanatest.Switches]().Field(i).Name
		meaning, unknown, ok := strings.Cut(strings.TrimSpace(docs[name]), "\n\nStands for: ")
		if !ok || !strings.HasPrefix(meaning, name+" ") {
			t.Fatalf("the comment of %s does not begin with its name or has no last paragraph that begins with Stands for", name)
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", info.Name, info.Default, oneLine(strings.TrimPrefix(meaning, name+" ")), oneLine(unknown))
	}
	return b.String()
}

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.ReplaceAll(strings.ToUpper(s[:1])+s[1:], "|", "\\|")
}
