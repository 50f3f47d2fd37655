package httpapi_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAPIPage checks that docs/api.md has exactly one section for each operation in
// docs/openapi.yaml. HEAD operations have no section, because their response is always an
// empty 204.
func TestAPIPage(t *testing.T) {
	t.Parallel()
	var want []string
	for operation := range readDocument(t).operations() {
		if !strings.HasPrefix(operation, "HEAD ") {
			want = append(want, operation)
		}
	}
	var got []string
	for _, m := range regexp.MustCompile("(?m)^### `([A-Z]+ /[^` ]*)`").FindAllStringSubmatch(readPage(t, "api.md"), -1) {
		got = append(got, m[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		t.Errorf("each operation of docs/openapi.yaml needs a section in docs/api.md with the heading ### `METHOD /path` "+
			"(-docs/openapi.yaml +docs/api.md):\n%s", diff)
	}
}

// TestAPIPageShapes checks that each example in docs/api.md contains all members of its
// schema in docs/openapi.yaml.
func TestAPIPageShapes(t *testing.T) {
	t.Parallel()
	d := readDocument(t)
	page := readPage(t, "api.md")
	for heading, schema := range map[string]string{
		"A connection": "Connection", "A membership": "Membership", "A token response": "Token", "`GET /session`": "Session",
		"`GET /connections/{id}/capabilities`": "Capabilities",
	} {
		_, section, ok := strings.Cut(page, "\n### "+heading+"\n")
		if !ok {
			t.Errorf("docs/api.md has no section %q", heading)
			continue
		}
		section, _, _ = strings.Cut(section, "\n#")
		_, to := d.resolve(node{"$ref": "#/components/schemas/" + schema})
		for name := range to["properties"].(node) {
			if !strings.Contains(section, `"`+name+`":`) {
				t.Errorf("the example of %q has no member %q", heading, name)
			}
		}
	}
}
