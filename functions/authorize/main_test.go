package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/functions/internal/functest"
)

func function() functest.Main {
	return functest.Main{Name: "authorize", NewHandler: newHandler, Required: []string{
		"ASANA_CLIENT_ID", "ASANA_SCOPES", "PUBLIC_URL", "RETURN_URLS", "TABLE_NAME"}}
}

func TestFunction(t *testing.T) { function().Run(t) }

// TestIDTokenWithoutOpenID checks that newHandler returns an error if the response type
// contains "id_token" but the scope "openid" is missing. Without that scope, Asana issues
// no ID token.
func TestIDTokenWithoutOpenID(t *testing.T) {
	env := functest.Env()
	env["ASANA_RESPONSE_TYPE"], env["ASANA_SCOPES"] = "code id_token", "email profile"
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	_, err := newHandler(t.Context(), lookup, slog.New(slog.DiscardHandler))
	const want = `ASANA_SCOPES: must contain openid, because ASANA_RESPONSE_TYPE is "code id_token"`
	if err == nil || err.Error() != want {
		t.Errorf("newHandler returned %v, want %s", err, want)
	}
}

// TestSettings checks that RETURN_URLS and SIGN_IN take effect. The table is unavailable,
// so a handler that reads the table responds with 503. A 400 shows that the setting made
// the handler refuse the request.
func TestSettings(t *testing.T) {
	tests := []struct {
		name, query string
		env         []string
		want        int
		contentType string
	}{
		{"foreign return URL", "?return_to=https://evil.example/", nil, 400, "text/html"},
		{"links only", "", []string{"SIGN_IN", "links"}, 400, "text/html"},
		{"table unavailable", "", nil, 503, "text/html"},
	}
	for _, test := range tests {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://auth.example.com/authorize"+test.query, nil)
		w := functest.Serve(function().Handler(t, test.env...), r)
		if w.Code != test.want || !strings.HasPrefix(w.Header().Get("Content-Type"), test.contentType) {
			t.Errorf("%s: got %d %s, want %d %s", test.name, w.Code, w.Header().Get("Content-Type"), test.want, test.contentType)
		}
	}
}
