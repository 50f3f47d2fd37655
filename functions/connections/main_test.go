package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/asanaauth/asanaauth/functions/internal/functest"
)

func function() functest.Main {
	return functest.Main{Name: "connections", NewHandler: newHandler, Signed: true,
		Routes: []string{"ANY /connections", "ANY /connections/{proxy+}", "ANY /links"},
		Required: []string{"ASANA_CLIENT_ID", "ASANA_CLIENT_SECRET_ARN", "ASANA_SCOPES", "KMS_KEY_ID", "PUBLIC_URL",
			"RETURN_URLS", "TABLE_NAME"}}
}

func TestFunction(t *testing.T) { function().Run(t) }

// TestUnauthenticated checks that a request gets a 401 if its event has no IAM identity,
// even if its headers claim one.
func TestUnauthenticated(t *testing.T) {
	h := function().Handler(t)
	for _, path := range []string{"/links", "/connections", "/connections/con_aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb/token"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://auth.example.com"+path, nil)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-central-1/execute-api/aws4_request")
		r.Header.Set("X-Amzn-Request-Context", `{"authorizer":{"iam":{"userArn":"arn:aws:iam::111122223333:role/backend"}}}`)
		if w := functest.Serve(h, r); w.Code != http.StatusUnauthorized {
			t.Errorf("POST %s: got %d, want 401", path, w.Code)
		}
	}
}
