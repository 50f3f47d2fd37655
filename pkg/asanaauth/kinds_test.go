package asanaauth_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
)

// kindPlaces are the places that list the kinds of credentials. In each file, the text
// that matches expression must contain every kind. If imported is true, the text must
// instead contain exactly the kinds whose trait IsImported is true.
var kindPlaces = []struct {
	file, expression string
	imported         bool
}{
	{"docs/openapi.yaml", `(?m)^    Kind: .*`, false},
	{"docs/architecture.md", `(?m)^- \*\*kind\*\*.*`, false},
	{"docs/api.md", "(?m)^\\| `kind` \\| .*", false},
	{"docs/asana.md", `(?s)\n\| kind \| .*?\n\n`, false},
	{"pkg/asanaauth/store/ROWS.md", "(?m)^\\| `kind` \\| S \\| \\| `oauth`.*", false},
	{"docs/openapi.yaml", `(?m)^    ImportToken:(\n      .*)*`, true},
	{"docs/api.md", "(?m)^- `kind` is .*", true},
	{"docs/backend.md", `(?m)^\| .*"token":"…","kind":(.*\n.*"kind":)*.*`, true},
	{"pkg/asanaauth/connection/import.go", `"kind must be .*`, true},
	{"cmd/asanaauth/internal/importer/flags.go", `(?m)^The kind of a token is .*`, true},
}

// If a kind is added to kind.go, it must also be added to row.TraitsOf and to every list
// in kindPlaces.
func TestKindsAreListed(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("kind.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`\bKind = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(found) < 3 {
		t.Fatalf("kind.go has only %d kinds", len(found))
	}
	for _, place := range kindPlaces {
		text, err := os.ReadFile(filepath.Join(repository, place.file))
		if err != nil {
			t.Fatal(err)
		}
		listed := regexp.MustCompile(place.expression).FindString(string(text))
		if listed == "" {
			t.Errorf("nothing in %s matches %s: correct kindPlaces", place.file, place.expression)
			continue
		}
		for _, m := range found {
			want := !place.imported || row.TraitsOf(m[1]).IsImported
			if got := strings.Contains(listed, m[1]); want && !got {
				t.Errorf("%s: add the kind %s to this list:\n%s", place.file, m[1], listed)
			} else if got && !want {
				t.Errorf("%s: remove the kind %s from this list of imported kinds:\n%s", place.file, m[1], listed)
			}
		}
	}
	for _, m := range found {
		if row.TraitsOf(m[1]) == (row.Traits{}) {
			t.Errorf("the kind %s has no traits: add it to TraitsOf in internal/row/kinds.go", m[1])
		}
	}
}
