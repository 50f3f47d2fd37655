package token_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

func TestAnEmptyConfigReportsEveryMissingField(t *testing.T) {
	t.Parallel()
	got, err := token.New(token.Config{})
	if got != nil || err == nil {
		t.Fatalf("New() = %v, %v", got, err)
	}
	missing := strings.Split(err.Error(), "\n")
	slices.Sort(missing)
	want := []string{
		"asanaauth: Asana is missing", "asanaauth: Keys is missing", "asanaauth: Secrets is missing", "asanaauth: Store is missing",
	}
	if !slices.Equal(missing, want) {
		t.Errorf("got %q, want %q", missing, want)
	}
}
