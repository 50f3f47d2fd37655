package boot_test

import (
	"context"
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
	"github.com/asanaauth/asanaauth/internal/env"
)

func lookup(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

func lambdaEnv(changes map[string]string) map[string]string {
	vars := map[string]string{
		"AWS_REGION":            "eu-central-1",
		"AWS_ACCESS_KEY_ID":     "example-id",
		"AWS_SECRET_ACCESS_KEY": "example-key",
		"AWS_SESSION_TOKEN":     "example-session",
	}
	maps.Copy(vars, changes)
	return vars
}

func awsConfig(t *testing.T, changes map[string]string) aws.Config {
	t.Helper()
	r := env.NewReader(lookup(lambdaEnv(changes)))
	cfg := boot.AWS(r)
	if err := r.Err(); err != nil {
		t.Fatalf("reading the environment: %v", err)
	}
	return cfg
}

func TestAWSErrors(t *testing.T) {
	tests := []struct {
		name string
		vars map[string]string
		want string
	}{
		{"empty", nil, "AWS_REGION: is missing\nAWS_ACCESS_KEY_ID: is missing\nAWS_SECRET_ACCESS_KEY: is missing"},
		{"endpoint", lambdaEnv(map[string]string{"AWS_ENDPOINT_URL": "localhost:8000"}), "AWS_ENDPOINT_URL: is not an absolute URL"},
		{"endpoint of a service", lambdaEnv(map[string]string{"AWS_ENDPOINT_URL_KMS": "/kms"}), "AWS_ENDPOINT_URL_KMS: is not an absolute URL"},
		{"mode", lambdaEnv(map[string]string{"AWS_ACCOUNT_ID_ENDPOINT_MODE": "x"}),
			"AWS_ACCOUNT_ID_ENDPOINT_MODE: is not one of: preferred, required, disabled"},
		{"FIPS", lambdaEnv(map[string]string{"AWS_USE_FIPS_ENDPOINT": "1"}), "AWS_USE_FIPS_ENDPOINT: is neither true nor false"},
		{"CA", lambdaEnv(map[string]string{"AWS_CA_BUNDLE": "/nowhere"}), "AWS_CA_BUNDLE: is not a readable file of PEM certificates"},
	}
	for _, test := range tests {
		r := env.NewReader(lookup(test.vars))
		boot.AWS(r)
		if err := r.Err(); err == nil || err.Error() != test.want {
			t.Errorf("%s: got error %v, want %s", test.name, err, test.want)
		}
	}
}

// originOf returns the origin of the request that call makes, without sending the
// request.
func originOf(t *testing.T, cfg aws.Config, call func(context.Context, aws.Config) error) string {
	t.Helper()
	var host string
	cfg.HTTPClient = doFunc(func(r *http.Request) (*http.Response, error) {
		host = r.URL.Scheme + "://" + r.URL.Host
		return nil, context.Canceled
	})
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	if err := call(t.Context(), cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want context.Canceled", err)
	}
	return host
}

type doFunc func(*http.Request) (*http.Response, error)

func (f doFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

func describeTable(ctx context.Context, cfg aws.Config) error {
	_, err := dynamodb.NewFromConfig(cfg).DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("t")})
	return err
}

func decrypt(ctx context.Context, cfg aws.Config) error {
	_, err := kms.NewFromConfig(cfg).Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: []byte("x")})
	return err
}

func getSecret(ctx context.Context, cfg aws.Config) error {
	_, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
	return err
}

func TestEndpoints(t *testing.T) {
	tests := []struct {
		name                string
		vars                map[string]string
		dynamo, kms, secret string
	}{
		{"none", nil, "https://dynamodb.eu-central-1.amazonaws.com",
			"https://kms.eu-central-1.amazonaws.com", "https://secretsmanager.eu-central-1.amazonaws.com"},
		{"account", map[string]string{"AWS_ACCOUNT_ID": "111122223333"}, "https://111122223333.ddb.eu-central-1.amazonaws.com",
			"https://kms.eu-central-1.amazonaws.com", "https://secretsmanager.eu-central-1.amazonaws.com"},
		{"account, disabled", map[string]string{"AWS_ACCOUNT_ID": "111122223333", "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled"},
			"https://dynamodb.eu-central-1.amazonaws.com",
			"https://kms.eu-central-1.amazonaws.com", "https://secretsmanager.eu-central-1.amazonaws.com"},
		{"one for all", map[string]string{"AWS_ENDPOINT_URL": "http://h:1", "AWS_ACCOUNT_ID": "111122223333"},
			"http://h:1", "http://h:1", "http://h:1"},
		{"each", map[string]string{"AWS_ENDPOINT_URL": "http://h:1", "AWS_ENDPOINT_URL_DYNAMODB": "http://h:2",
			"AWS_ENDPOINT_URL_KMS": "http://h:3", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://h:4"}, "http://h:2", "http://h:3", "http://h:4"},
		{"one", map[string]string{"AWS_ENDPOINT_URL_KMS": "http://h:3"}, "https://dynamodb.eu-central-1.amazonaws.com",
			"http://h:3", "https://secretsmanager.eu-central-1.amazonaws.com"},
		{"ignored", map[string]string{"AWS_ENDPOINT_URL": "http://h:1", "AWS_ENDPOINT_URL_KMS": "http://h:3", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"},
			"https://dynamodb.eu-central-1.amazonaws.com", "https://kms.eu-central-1.amazonaws.com", "https://secretsmanager.eu-central-1.amazonaws.com"},
		{"FIPS", map[string]string{"AWS_USE_FIPS_ENDPOINT": "True"}, "https://dynamodb-fips.eu-central-1.amazonaws.com",
			"https://kms-fips.eu-central-1.amazonaws.com", "https://secretsmanager-fips.eu-central-1.amazonaws.com"},
		// In this AWS partition, Secrets Manager has no separate host name for dual
		// stack.
		{"dual stack, default region", map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "tRUE", "AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-1"},
			"https://dynamodb.eu-west-1.api.aws", "https://kms.eu-west-1.api.aws", "https://secretsmanager.eu-west-1.amazonaws.com"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// SDK clients also read these variables from the environment of the test.
			for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_SECRETS_MANAGER"} {
				t.Setenv(name, "")
				os.Unsetenv(name)
				if v, ok := test.vars[name]; ok {
					t.Setenv(name, v)
				}
			}
			cfg := awsConfig(t, test.vars)
			got := []string{originOf(t, cfg, describeTable), originOf(t, cfg, decrypt), originOf(t, cfg, getSecret)}
			if diff := cmp.Diff([]string{test.dynamo, test.kms, test.secret}, got); diff != "" {
				t.Errorf("hosts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCredentialsAndLimits(t *testing.T) {
	cfg := awsConfig(t, map[string]string{"AWS_ACCOUNT_ID": "111122223333"})
	got, err := cfg.Credentials.Retrieve(t.Context())
	want := aws.Credentials{AccessKeyID: "example-id", SecretAccessKey: "example-key", SessionToken: "example-session",
		AccountID: "111122223333", Source: "environment"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("credentials (-want +got): %v\n%s", err, diff)
	}
	if got := cfg.HTTPClient.(*http.Client).Timeout; got != 2*time.Second {
		t.Errorf("time limit of an attempt = %v, want 2s", got)
	}
	retryer := cfg.Retryer()
	if got := retryer.MaxAttempts(); got != 3 {
		t.Errorf("attempts = %d, want 3", got)
	}
	timeout := &url.Error{Op: "Post", Err: os.ErrDeadlineExceeded}
	if !retryer.IsErrorRetryable(timeout) {
		t.Error("an attempt that timed out is not retried")
	}
	for attempt := 1; attempt <= 20; attempt++ {
		if d, err := retryer.RetryDelay(attempt, timeout); err != nil || d > 200*time.Millisecond {
			t.Errorf("delay after attempt %d = %v, %v; want at most 200ms", attempt, d, err)
		}
	}
}

func TestCABundleIsTrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pemOf(server.Certificate()), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest("GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := awsConfig(t, map[string]string{"AWS_CA_BUNDLE": file}).HTTPClient.Do(r); err != nil {
		t.Errorf("with the bundle: got error %v, want none", err)
	}
	if _, err := awsConfig(t, nil).HTTPClient.Do(r); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the bundle: got error %v, want one for an untrusted certificate", err)
	}
}
