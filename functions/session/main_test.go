package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/functions/internal/functest"
)

func function() functest.Main {
	return functest.Main{Name: "session", NewHandler: newHandler, Routes: []string{"ANY /session", "ANY /session/code"}, Required: []string{
		"ALLOWED_ORIGINS", "KMS_KEY_ID", "PUBLIC_URL", "TABLE_NAME"}}
}

func TestFunction(t *testing.T) { function().Run(t) }

func TestOrigins(t *testing.T) {
	for origin, want := range map[string]int{
		"https://app.example.com":   http.StatusNoContent, // no session cookie
		"https://other.example.com": http.StatusForbidden,
	} {
		r := functest.Frontend(t.Context(), http.MethodGet, "/session", "")
		r.Header.Set("Origin", origin)
		w := functest.Serve(function().Handler(t), r)
		isProblem := strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json")
		if w.Code != want || isProblem != (want == http.StatusForbidden) {
			t.Errorf("%s: got %d %s, want %d", origin, w.Code, w.Header().Get("Content-Type"), want)
		}
	}
}
