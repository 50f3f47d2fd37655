package wire_test

import (
	"net/http"
	"testing"

	"github.com/asanaauth/asanaauth/functions/internal/wire"
	"github.com/asanaauth/asanaauth/internal/env"
)

func TestAsanaVariables(t *testing.T) {
	for _, test := range []struct{ id, base, issuer, want string }{
		{"1200000000000001", "", "", ""},
		{"1200000000000001", "http://host.docker.internal:8485", "", ""},
		{"1200000000000001", "http://host.docker.internal:8485", "http://host.docker.internal:8485/api/1.0", ""},
		{"asana-app", "", "", "ASANA_CLIENT_ID: must consist of digits only"},
		{"", "", "", "ASANA_CLIENT_ID: is missing"},
		{"1", "http://docker.internal", "", "ASANA_BASE_URL: is http, which is allowed only for loopback hosts and host.docker.internal"},
		{"1", "https://app.asana.com/", "", "ASANA_BASE_URL: has more than a scheme, host and port (remove a slash at the end)"},
		{`"1"`, "", "'x'", "ASANA_ISSUER: begins or ends with a quotation mark: remove the quotation marks\n" +
			"ASANA_CLIENT_ID: begins or ends with a quotation mark: remove the quotation marks"},
	} {
		vars := map[string]string{"ASANA_CLIENT_ID": test.id, "ASANA_BASE_URL": test.base, "ASANA_ISSUER": test.issuer}
		r := env.NewReader(func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
		client := wire.AsanaOpenID(r, http.DefaultTransport)
		switch err := r.Err(); {
		case test.want == "" && (err != nil || test.base != "" && client.BaseURL() != test.base):
			t.Errorf("%v: got error %v, want a client for the base URL", vars, err)
		case test.want != "" && (err == nil || err.Error() != test.want):
			t.Errorf("%v: got error %v, want %s", vars, err, test.want)
		}
	}
}
