package httpapi_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

func readPage(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile("../../../docs/" + name)
	must(t, err)
	return string(page)
}

// sections returns the sections of docs/problems.md that describe a problem type. The
// keys are the headings. A heading that contains an upper-case letter is not a problem
// type.
func sections(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, section := range strings.Split(readPage(t, "problems.md"), "\n## ")[1:] {
		kind, text, _ := strings.Cut(section, "\n")
		if kind != strings.ToLower(kind) {
			continue
		}
		if _, ok := all[kind]; ok {
			t.Errorf("docs/problems.md has the heading %q twice", kind)
		}
		all[kind] = text
	}
	return all
}

var sourceKind = regexp.MustCompile(`(?m)ErrorKind\s+= "([a-z-]+)"$`)

// TestProblemsPage checks that docs/problems.md has exactly one section for each problem
// type. Each section must list the same statuses as the code, and must say what to do.
// Each ErrorKind in the source code must be a problem type.
func TestProblemsPage(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	for _, p := range httpapi.ProblemTypes() {
		statuses := fmt.Sprint(p.Status)
		if p.Kind == asanaauth.AsanaUnavailable {
			statuses += ", 504" // a time-out
		}
		want[string(p.Kind)] = "Status: " + statuses
	}
	kinds := 0
	for _, name := range []string{"../errors.go", "problem.go"} {
		source, err := os.ReadFile(name)
		must(t, err)
		for _, m := range sourceKind.FindAllStringSubmatch(string(source), -1) {
			kinds++
			if want[m[1]] == "" {
				t.Errorf("%s has no problem type", m[1])
			}
		}
	}
	if kinds != len(want) {
		t.Errorf("got %d kinds in the source, want %d", kinds, len(want))
	}
	got := map[string]string{}
	for kind, text := range sections(t) {
		got[kind], _, _ = strings.Cut(strings.TrimPrefix(text, "\n"), "\n\n")
		if !strings.Contains(text, "What to do: ") {
			t.Errorf("docs/problems.md does not say what to do about %s", kind)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problem types (-code +docs/problems.md):\n%s", diff)
	}
}

// TestProblemsPageAtAGlance checks that the table "At a glance" in docs/problems.md
// contains every problem type.
func TestProblemsPageAtAGlance(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(readPage(t, "problems.md"), "\n## At a glance\n")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, p := range httpapi.ProblemTypes() {
		if !strings.Contains(table, "](#"+string(p.Kind)+")") {
			t.Errorf("the table has no %s", p.Kind)
		}
	}
}

// TestErrorsOnTheReturnURL checks that docs/problems.md lists all values that the
// parameter "asana_error" can have, and no others.
func TestErrorsOnTheReturnURL(t *testing.T) {
	t.Parallel()
	var want []string
	for _, p := range httpapi.ProblemTypes() {
		if p.Kind == httpapi.RedirectKind(&asanaauth.Error{Kind: p.Kind}) {
			want = append(want, string(p.Kind))
		}
	}
	_, table, _ := strings.Cut(readPage(t, "problems.md"), "\n## Errors on the return URL\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| \\[`([a-z-]+)`\\]").FindAllStringSubmatch(table, -1) {
		got = append(got, m[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values of asana_error (-code +docs/problems.md):\n%s", diff)
	}
}

// TestProblemExamples checks that the example problems in the documentation have the
// title and the status of their type.
func TestProblemExamples(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../../docs/*.md")
	must(t, err)
	problem := regexp.MustCompile(`\{"type":"urn:asanaauth:problem:([a-z-]+)","title":"([^"]*)",\s*"status":([0-9]+)`)
	shown := 0
	for _, page := range append(pages, "../../../README.md") {
		text, err := os.ReadFile(page)
		must(t, err)
		for _, m := range problem.FindAllStringSubmatch(string(text), -1) {
			shown++
			if !slices.ContainsFunc(httpapi.ProblemTypes(), func(p httpapi.ProblemRow) bool {
				return m[1] == string(p.Kind) && m[2] == p.Title && m[3] == fmt.Sprint(p.Status)
			}) {
				t.Errorf("%s: the title or the status of this problem is wrong: %s", page, m[0])
			}
		}
	}
	if shown == 0 {
		t.Error("the documentation has no example problem")
	}
}
