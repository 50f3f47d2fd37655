package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/functions/internal/functest"
)

func function() functest.Main {
	return functest.Main{Name: "callback", NewHandler: newHandler, Required: []string{
		"ASANA_CLIENT_ID", "ASANA_CLIENT_SECRET_ARN", "KMS_KEY_ID", "PUBLIC_URL", "RETURN_URLS", "TABLE_NAME"}}
}

func TestFunction(t *testing.T) { function().Run(t) }

func TestResponseType(t *testing.T) {
	for responseType, want := range map[string]int{"code": 400, "code id_token": 200} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://auth.example.com/callback", nil)
		w := functest.Serve(function().Handler(t, "ASANA_RESPONSE_TYPE", responseType), r)
		if w.Code != want || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: GET /callback: got %d %s, want %d and a page", responseType, w.Code, w.Header().Get("Content-Type"), want)
		}
	}
}
