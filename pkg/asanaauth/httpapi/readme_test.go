package httpapi_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

// later are the types of routes that are not there yet.
var later = map[string]bool{"wrong-account": true, "token-rejected": true, "already-connected": true}

func TestReadmeDocumentsEveryProblem(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range httpapi.ProblemTypes() {
		row := "| `" + string(p.Kind) + "` | "
		_, rest, ok := strings.Cut(string(readme), row)
		if !ok {
			if !later[string(p.Kind)] {
				t.Errorf("the README has no row %q", row)
			}
			continue
		}
		if status := strconv.Itoa(p.Status); !strings.HasPrefix(rest, status) {
			t.Errorf("the README's row %q does not say %s", row, status)
		}
	}
}
