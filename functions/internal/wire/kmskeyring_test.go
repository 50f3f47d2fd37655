package wire_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/asanaauth/asanaauth/functions/internal/wire/kmskeyring"
	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// TestOpenerCreatesNoKeyring checks that a keyring from kmskeyring.Opener neither calls
// KMS nor raises an alarm if the table contains no keyring.
func TestOpenerCreatesNoKeyring(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer server.Close()
	cfg := aws.Config{Region: "eu-central-1", BaseEndpoint: &server.URL, Credentials: aws.AnonymousCredentials{}}
	vars := map[string]string{"TABLE_NAME": "table", "KMS_KEY_ID": "11111111-2222-3333-4444-555555555555"}

	for name, test := range map[string]struct {
		keys  func(*env.Reader, aws.Config, store.Store, *slog.Logger) *keyring.Keyring
		calls int
		fails bool
	}{
		"opener": {kmskeyring.Opener, 0, false},
		"maker":  {kmskeyring.Maker, 1, true},
	} {
		calls = 0
		var log bytes.Buffer
		r := env.NewReader(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
		k := test.keys(r, cfg, &store.Memory{}, slog.New(slog.NewTextHandler(&log, nil)))
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		err := kmskeyring.Warm(k)(t.Context())
		if calls != test.calls || (err != nil) != test.fails {
			t.Errorf("%s: got %d calls of KMS, error %v; want %d calls, an error: %t", name, calls, err, test.calls, test.fails)
		}
		if !test.fails && strings.Contains(log.String(), "alarm") {
			t.Errorf("%s: got an alarm, want none: %s", name, &log)
		}
	}
}
