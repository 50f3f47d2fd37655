package token_test

import (
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

func TestAnEmptyConfigReportsEveryMissingField(t *testing.T) {
	t.Parallel()
	got, err := token.New(token.Config{})
	if got != nil {
		t.Error("got a value and an error, want only an error")
	}
	authtest.WantMistakes(t, err,
		"asanaauth: Asana is missing", "asanaauth: Keys is missing", "asanaauth: Secrets is missing", "asanaauth: Store is missing",
	)
}
