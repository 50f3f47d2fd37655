package secretsmanager_test

import (
	"errors"
	"net/http"
	"testing"

	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/asanaauth/asanaauth/internal/awsretry"
	"github.com/asanaauth/asanaauth/internal/awstest"
)

func TestRejectedSignatures(t *testing.T) {
	admin := server(t)
	arn := create(t, admin, `{"client_secret":"one"}`)
	for _, code := range awstest.SignatureCodes() {
		rejecter := awstest.NewRejecter(t, *admin.Options().BaseEndpoint)
		o := client(rejecter.URL, http.DefaultTransport).Options()
		o.Retryer = awstest.NoPause{Standard: awsretry.New()}
		s := newSource(t, awssm.New(o), arn)
		rejecter.Reject(code, 2)
		wantSecrets(t, s, "one")
		rejecter.Reject(code, 100)
		_, err := s.ClientSecrets(t.Context())
		api, ok := errors.AsType[smithy.APIError](err)
		if !ok || api.ErrorCode() != code || len(rejecter.Dates()) != 3 {
			t.Errorf("always %s: got %v after %d requests, want this code after 3", code, err, len(rejecter.Dates()))
		}
	}
}
