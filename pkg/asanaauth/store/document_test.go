package store_test

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// parsePage parses ROWS.md. The result maps a kind and a format, such as "hot-1", to a
// map from attribute names to attribute types. The type of a sealed attribute ends with
// " sealed".
func parsePage(t *testing.T) map[string]map[string]string {
	t.Helper()
	page, err := os.ReadFile("ROWS.md")
	if err != nil {
		t.Fatal(err)
	}
	heading := regexp.MustCompile(`^## ([a-z-]+), format (\d+)$`)
	attribute := regexp.MustCompile("^\\| `([a-z_]+)` \\| (S|N|B|BOOL) \\| (sealed)? ?\\|")
	out := map[string]map[string]string{}
	kind := ""
	for line := range strings.Lines(string(page)) {
		if m := heading.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			kind = m[1] + "-" + m[2]
			out[kind] = map[string]string{}
		}
		if m := attribute.FindStringSubmatch(line); m != nil && kind != "" {
			out[kind][m[1]] = strings.TrimSpace(m[2] + " " + m[3])
		}
	}
	return out
}

func TestRowsAreDocumented(t *testing.T) {
	want := map[string]map[string]string{}
	for kind, row := range samples() {
		item := store.Encode(row)
		sealed := sealedAttributes(row)
		for _, common := range []string{"pk", "sk", "format", "rev", "writer"} {
			delete(item, common)
		}
		want[kind] = map[string]string{}
		for name, value := range item {
			want[kind][name] = typeOf(value)
			if sealed[name] {
				want[kind][name] += " sealed"
			}
		}
	}
	if diff := cmp.Diff(want, parsePage(t)); diff != "" {
		t.Errorf("ROWS.md (-code +page):\n%s", diff)
	}
}

// sealedAttributes returns the names of the sealed attributes. It clears one sealed field
// at a time, and looks for the attribute that is then missing from the encoded item.
func sealedAttributes(row store.Row) map[string]bool {
	all := store.Encode(row)
	sealed := map[string]bool{}
	v := reflect.ValueOf(row).Elem()
	for i := range v.NumField() {
		if _, ok := v.Field(i).Interface().(secret.Sealed); !ok {
			continue
		}
		v.Field(i).SetZero()
		left := maps.Clone(all)
		for name := range store.Encode(row) {
			delete(left, name)
		}
		for name := range left {
			sealed[name] = true
		}
	}
	return sealed
}

func typeOf(value any) string {
	switch value.(type) {
	case string:
		return "S"
	case int64:
		return "N"
	case bool:
		return "BOOL"
	}
	return "B"
}
