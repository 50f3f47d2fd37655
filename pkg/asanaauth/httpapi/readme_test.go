package httpapi_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

func TestReadmeDocumentsEveryProblem(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range httpapi.ProblemTypes() {
		row := "| `" + string(p.Kind) + "` | "
		_, rest, ok := strings.Cut(string(readme), row)
		if !ok {
			t.Errorf("the README has no row %q", row)
			continue
		}
		if status := strconv.Itoa(p.Status); !strings.HasPrefix(rest, status) {
			t.Errorf("the README's row %q does not say %s", row, status)
		}
	}
}
