package functest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/functions/internal/functest/template"
)

// page checks that docs/configuration.md lists exactly the variables that the function
// reads. Variables whose names begin with AWS_ are ignored, because a different section
// of the page describes them.
func (m Main) page(t *testing.T) {
	r := recorder{env: Env()}
	if _, err := m.NewHandler(t.Context(), r.lookup, discard()); err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(r.read, func(name string) bool { return strings.HasPrefix(name, "AWS_") })
	slices.Sort(want)
	if diff := cmp.Diff(want, m.documented(t)); diff != "" {
		t.Errorf("variables (-read by newHandler +in docs/configuration.md):\n%s", diff)
	}
}

var pageRow = regexp.MustCompile("(?m)^\\| \\[`([A-Z_]+)`\\]\\([^)]*\\) \\| ([^|]*) \\|")

func (m Main) documented(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(filepath.Dir(template.Path(t)), "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range pageRow.FindAllStringSubmatch(string(page), -1) {
		readers := strings.Split(row[2], ", ")
		if except, ok := strings.CutPrefix(row[2], "all but "); ok && except != m.Name ||
			row[2] == "all" || slices.Contains(readers, m.Name) {
			names = append(names, row[1])
		}
	}
	slices.Sort(names)
	return names
}
