package awsretry_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"

	"github.com/asanaauth/asanaauth/internal/awsretry"
	"github.com/asanaauth/asanaauth/internal/awstest"
)

// newClient returns a client of DynamoDB whose requests go to a Rejecter. The server
// behind the Rejecter responds to every request with an empty JSON object.
func newClient(t *testing.T) (*dynamodb.Client, *awstest.Rejecter) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.Write([]byte("{}"))
	}))
	t.Cleanup(server.Close)
	rejecter := awstest.NewRejecter(t, server.URL)
	return dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: &rejecter.URL, Retryer: awsretry.New(),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	}), rejecter
}

func call(t *testing.T, c *dynamodb.Client) error {
	_, err := c.ListTables(t.Context(), &dynamodb.ListTablesInput{})
	return err
}

func TestRejectedSignaturesAreTriedThreeTimes(t *testing.T) {
	t.Parallel()
	for _, code := range awstest.SignatureCodes() {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			c, rejecter := newClient(t)
			rejecter.Reject(code, 2)
			if err := call(t, c); err != nil || len(rejecter.Dates()) != 3 {
				t.Errorf("two rejections: got %v after %d requests, want success after 3", err, len(rejecter.Dates()))
			}
			rejecter.Reject(code, 100)
			err := call(t, c)
			api, ok := errors.AsType[smithy.APIError](err)
			if !ok || api.ErrorCode() != code || len(rejecter.Dates()) != 3 {
				t.Errorf("always rejected: got %v after %d requests, want %s after 3", err, len(rejecter.Dates()), code)
			}
		})
	}
}

func TestOtherRejectionsAreNotRepeated(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"AccessDeniedException", "ValidationException", "ResourceNotFoundException"} {
		c, rejecter := newClient(t)
		rejecter.Reject(code, 100)
		if err := call(t, c); err == nil || len(rejecter.Dates()) != 1 {
			t.Errorf("%s: got %v after %d requests, want an error after 1", code, err, len(rejecter.Dates()))
		}
		if awsretry.RejectsSignature(code) {
			t.Errorf("RejectsSignature(%q) = true, want false", code)
		}
	}
}

// If the local clock is wrong, the second request must be signed with the time of AWS.
func TestTheNextSignatureHasTheTimeOfAWS(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		c, rejecter := newClient(t)
		rejecter.SetAhead(ahead)
		if err := call(t, c); err != nil {
			t.Errorf("the clock of AWS is %v ahead: %v", ahead, err)
		}
		if got := len(rejecter.Dates()); got != 2 {
			t.Errorf("the clock of AWS is %v ahead: got %d requests, want 2", ahead, got)
		}
	}
}

func TestPausesAreShort(t *testing.T) {
	t.Parallel()
	r := awsretry.New()
	if got := r.MaxAttempts(); got != 3 {
		t.Errorf("MaxAttempts() = %d, want 3", got)
	}
	for attempt := 1; attempt < 3; attempt++ {
		if d, err := r.RetryDelay(attempt, errors.New("any")); err != nil || d > 200*time.Millisecond {
			t.Errorf("RetryDelay(%d) = %v, %v, want at most 200 ms", attempt, d, err)
		}
	}
}
