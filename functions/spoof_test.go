package functions_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/internal/lambdatest"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// spoofed returns headers with which a client could try to impersonate the IAM identity
// with the given ARN.
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

// TestSpoofedHeaders checks that headers neither authenticate a request, nor change the
// identity of an authenticated request.
func TestSpoofedHeaders(t *testing.T) {
	t.Parallel()
	const claimed = "arn:aws:iam::111122223333:role/claimed"
	d := deploy(t)
	f := d.start(t, "connections")
	ask := func(identity bool, header, value string) response {
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
		return readResponse(t, resp)
	}
	for header, value := range spoofed(claimed) {
		if a := ask(false, header, value); a.status != http.StatusUnauthorized {
			t.Errorf("%s without an identity: got %d, want 401", header, a.status)
		}
		if a := ask(true, header, value); a.status != http.StatusNotFound {
			t.Errorf("%s with an identity: got %d, want 404", header, a.status)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, public+"/connections?owner=o", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := f.Do(lambdatest.As(r, lambdatest.Identity{AccountID: "111122223333", AccessKey: "ASIA"}))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("identity without an ARN: got %v, %v; want 401", resp, err)
	}
	// The audit line must contain the identity from the event, not the claimed identity.
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
		t.Fatalf("importing a token: got %v, %v; want 201", resp, err)
	}
	f.Kill() // the log is complete only when the process has ended
	audited := 0
	for _, line := range f.Logs() {
		if strings.Contains(line, `"audit":`) {
			audited++
			if !strings.Contains(line, `"caller":"`+saasARN+`"`) {
				t.Errorf("got audit line %s, want the caller %s", line, saasARN)
			}
		}
	}
	if audited == 0 {
		t.Error("the log has no audit line")
	}
	if strings.Contains(d.logged(), claimed) {
		t.Error("the log contains the value of a spoofed header")
	}
}
