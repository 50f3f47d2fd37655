package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/functions/internal/functest"
)

func function() functest.Main {
	return functest.Main{Name: "refresh", NewHandler: newHandler, Required: []string{
		"ALLOWED_ORIGINS", "ASANA_CLIENT_ID", "ASANA_CLIENT_SECRET_ARN", "KMS_KEY_ID", "PUBLIC_URL", "TABLE_NAME"}}
}

func TestFunction(t *testing.T) { function().Run(t) }

func TestOrigins(t *testing.T) {
	for origin, want := range map[string]int{
		"https://app.example.com":   http.StatusUnauthorized, // no session cookie
		"https://other.example.com": http.StatusForbidden,
	} {
		r := functest.Frontend(t.Context(), http.MethodPost, "/refresh", "")
		r.Header.Set("Origin", origin)
		w := functest.Serve(function().Handler(t), r)
		if w.Code != want || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json") {
			t.Errorf("%s: got %d %s, want %d and a problem", origin, w.Code, w.Header().Get("Content-Type"), want)
		}
	}
}
