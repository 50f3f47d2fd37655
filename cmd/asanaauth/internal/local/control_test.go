package local_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/local"
)

// A killed "asanaauth local" leaves its control file. The port in the file may now belong
// to a process of another user, and that process must not receive commands.
func TestNoCommandIsSentToTheAddressOfAnEndedProcess(t *testing.T) {
	requests := 0
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		fmt.Fprint(w, `{"stdout":"forged\n"}`)
	}))
	defer other.Close()
	folder := t.TempDir()
	file := filepath.Join(folder, "control.json")
	left := fmt.Sprintf(`{"host":%q,"key":"old"}`, strings.TrimPrefix(other.URL, "http://"))
	if err := os.WriteFile(file, []byte(left), 0o600); err != nil {
		t.Fatal(err)
	}
	unset := func(string) (string, bool) { return "", false }
	_, rows, err := local.Open(folder, unset, slog.New(slog.DiscardHandler)) // for example, an import
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var stdout, stderr bytes.Buffer
	if err := local.Operate(t.Context(), folder, []string{"list"}, &stdout, &stderr); !errors.Is(err, local.ErrInUse) {
		t.Errorf("Operate() = %v, want ErrInUse", err)
	}
	if requests > 0 || stdout.Len() > 0 {
		t.Errorf("got %d requests and the output %q, want none", requests, stdout.String())
	}
}
