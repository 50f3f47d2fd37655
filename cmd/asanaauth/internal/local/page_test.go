package local_test

import (
	"context"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/cmd/asanaauth/internal/local"
)

// TestConfigurationPage checks that docs/configuration.md lists exactly the variables
// that "asanaauth local" reads, with the offline and with the real Asana.
func TestConfigurationPage(t *testing.T) {
	t.Parallel()
	done, cancel := context.WithCancel(t.Context())
	cancel() // makes Run return immediately
	var want []string
	for _, env := range []map[string]string{
		{},
		{"ASANA_CLIENT_ID": "1", "ASANA_CLIENT_SECRET": "s", "ASANA_NEXT_CLIENT_SECRET": "n", "ASANA_SCOPES": "default",
			"ASANA_ISSUER": "https://asana.test/api/1.0", "PUBLIC_URL": "https://auth.app.test",
			"RETURN_URLS": "https://app.test/", "ALLOWED_ORIGINS": "https://app.test"},
	} {
		flags, _, err := local.ParseFlags([]string{"-addr", "127.0.0.1:0", "-asana-addr", "127.0.0.1:0", "-data", t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		lookup := func(name string) (string, bool) {
			if !slices.Contains(want, name) {
				want = append(want, name)
			}
			v, ok := env[name]
			return v, ok
		}
		if err := local.Run(done, flags, lookup, nil, io.Discard, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile("../../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Variables of the local command\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var got []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\|").FindAllStringSubmatch(section, -1) {
		got = append(got, row[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variables (-read by the local command +in docs/configuration.md):\n%s", diff)
	}
}
