package functions_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/internal/lambdatest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// spoofed are headers in which somebody could claim to be a backend.
func spoofed(arn string) map[string]string {
	context := `{"authorizer":{"iam":{"userArn":"` + arn + `","accountId":"111122223333"}}}`
	return map[string]string{
		"Authorization":          "AWS4-HMAC-SHA256 Credential=" + arn + "/20260101/eu-central-1/execute-api/aws4_request, SignedHeaders=host, Signature=0",
		"X-Amzn-Request-Context": context,
		"X-Amzn-Requestcontext":  context,
		"X-Amz-Security-Token":   arn,
		"X-Amzn-Iam-User-Arn":    arn,
		"X-Amzn-Lambda-Context":  `{"identity":{"userArn":"` + arn + `"}}`,
		"Requestcontext":         context,
		"X-Apigateway-Event":     `{"requestContext":` + context + `}`,
	}
}

// What a header says makes nobody a backend, and no backend another one.
func TestSpoofedHeaders(t *testing.T) {
	t.Parallel()
	const claimed = "arn:aws:iam::111122223333:role/claimed"
	d := deploy(t)
	f := d.start(t, "connections")
	ask := func(identity bool, header, value string) answer {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, public+"/connections/con_aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(header, value)
		if identity {
			r = lambdatest.As(r, lambdatest.Identity{UserARN: saasARN})
		}
		resp, err := f.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return read(t, resp)
	}
	for header, value := range spoofed(claimed) {
		if a := ask(false, header, value); a.status != http.StatusUnauthorized {
			t.Errorf("%s alone: %d, want 401", header, a.status)
		}
		if a := ask(true, header, value); a.status != http.StatusNotFound {
			t.Errorf("%s beside an identity: %d, want 404", header, a.status)
		}
	}
	// An identity without an ARN is none.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, public+"/connections?owner=o", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := f.Do(lambdatest.As(r, lambdatest.Identity{AccountID: "111122223333", AccessKey: "ASIA"}))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("an identity without an ARN: %v, %v; want 401", resp, err)
	}
	// Audit lines name who the event says it is.
	r, err = http.NewRequestWithContext(t.Context(), http.MethodPost, public+"/connections", strings.NewReader(
		`{"token":`+quoted(d.asana.PersonalAccessToken(asanatest.Bot))+`,"owner":"o","kind":"personal_access_token"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for header, value := range spoofed(claimed) {
		r.Header.Set(header, value)
	}
	resp, err = f.Do(lambdatest.As(r, lambdatest.Identity{UserARN: saasARN}))
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("an import: %v, %v", resp, err)
	}
	f.Kill() // its log is whole once it has ended
	audited := 0
	for _, line := range f.Logs() {
		if strings.Contains(line, `"audit":`) {
			audited++
			if !strings.Contains(line, `"caller":"`+saasARN+`"`) {
				t.Errorf("an audit line names another caller: %s", line)
			}
		}
	}
	if audited == 0 {
		t.Error("there is no audit line")
	}
	if strings.Contains(d.logged(), claimed) {
		t.Error("a log repeats what a header claimed")
	}
}
