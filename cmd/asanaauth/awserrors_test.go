package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// failingTable starts a server that responds to every DynamoDB request with the given
// error code. The result contains the environment variables with which a process uses
// this server.
func failingTable(t *testing.T, code string) []string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":"hunter2"}`, code)
	}))
	t.Cleanup(server.Close)
	return []string{
		"TABLE_NAME=t", "KMS_KEY_ID=11111111-1111-1111-1111-111111111111", "ASANA_CLIENT_ID=1",
		"ASANA_CLIENT_SECRET_ARN=arn:aws:secretsmanager:eu-central-1:111122223333:secret:x",
		"AWS_REGION=eu-central-1", "AWS_ENDPOINT_URL_DYNAMODB=" + server.URL, "AWS_EC2_METADATA_DISABLED=true",
	}
}

// TestErrorsOfAWS checks that the error says what to do next if AWS rejects a request or
// if credentials are missing.
func TestErrorsOfAWS(t *testing.T) {
	t.Parallel()
	credentials := []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"}
	const signIn = "AWS credentials are missing, have expired, or cannot be loaded: sign in to AWS (for example \"aws sso login\") or check the AWS profile, then run this command again\n"
	id := "con_" + strings.Repeat("a", 32)
	for _, test := range []struct {
		code        string // error code in the responses of DynamoDB
		credentials []string
		args        []string
		want        string
	}{
		{"", nil, []string{"connections", "list"}, signIn},
		{"", nil, []string{"import", importFile(t)}, signIn},
		{"ExpiredTokenException", credentials, []string{"connections", "list"}, signIn},
		{"ExpiredTokenException", credentials, []string{"connections", "show", id}, signIn},
		{"ResourceNotFoundException", credentials, []string{"connections", "list"}, "the table in TABLE_NAME does not exist in this region: check TABLE_NAME and AWS_REGION\n"},
		{"AccessDeniedException", credentials, []string{"connections", "disconnect", id}, "these AWS credentials do not allow the operation BatchGetItem on the table: see docs/iam.md\n"},
		{"UnrecognizedClientException", credentials, []string{"connections", "list"}, "AWS does not accept these credentials: check the AWS profile, or the variables that contain the access key\n"},
	} {
		_, stderr := wantOutcome(t, 1, append(failingTable(t, test.code), test.credentials...), test.args...)
		if !strings.HasSuffix(stderr, ": "+test.want) || strings.Contains(stderr, "hunter2") {
			t.Errorf("%s, %s: got stderr %s, want it to end with %s", test.code, test.args[0], stderr, test.want)
		}
		if strings.Contains(stderr, "SDK ") {
			t.Errorf("%s, %s: the AWS SDK logs text to stderr: %s", test.code, test.args[0], stderr)
		}
	}
}

// The SDK's error contains the output of a credential_process command that does not print
// valid JSON. The test checks that the command does not print that output, because it can
// contain credentials.
func TestCredentialProcessIsNotPrinted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config")
	config := `[default]
credential_process = echo warning; echo '{"Version":1,"AccessKeyId":"a","SecretAccessKey":"hunter2"}'
`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr := wantOutcome(t, 1, append(failingTable(t, ""), "PATH="+os.Getenv("PATH"), "AWS_CONFIG_FILE="+file, "AWS_SHARED_CREDENTIALS_FILE=/dev/null"), "connections", "list")
	if !strings.Contains(stderr, "cannot be loaded") || strings.Contains(stdout+stderr, "hunter2") {
		t.Errorf("got stdout %q, stderr %q, want an error without the credentials", stdout, stderr)
	}
}
