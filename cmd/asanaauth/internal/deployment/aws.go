package deployment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/onaws"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/dynamo"
)

// onAWS reads the environment variables of the Lambda functions. AWS credentials and the
// region come from the SDK's default sources: environment variables, profiles and SSO.
func onAWS(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (*Deployment, error) {
	r := env.NewReader(lookup)
	o := onaws.Options{
		TableName:       r.TableName("TABLE_NAME"),
		Installation:    r.Optional("INSTALLATION", ""),
		KMSKeyIDs:       r.KMSKeyIDs("KMS_KEY_ID"),
		KeyCacheTTL:     keyCacheTTL(r),
		ClientID:        r.Digits("ASANA_CLIENT_ID"),
		AsanaBaseURL:    r.ServerOrigin("ASANA_BASE_URL", ""),
		ClientSecretARN: r.ARN("ASANA_CLIENT_SECRET_ARN", "secretsmanager"),
		Log:             log,
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithLogger(logging.Nop{})) // the SDK logs text
	if err == nil && cfg.Region == "" {
		r.AddError("AWS_REGION", "is missing, and no AWS profile sets a region")
	}
	if mistakes := r.Err(); mistakes != nil {
		return nil, fmt.Errorf("set or correct these environment variables, or use -data DIR for the data folder of \"asanaauth local\":\n%w", mistakes)
	}
	if err != nil {
		return nil, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	// The SDK's error can contain the output of a profile's credential_process, and with it
	// the credentials. Therefore, the error is neither logged nor returned.
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, cmp.Or(ctx.Err(), errors.New(signIn))
	}
	o.AWS = cfg
	d, err := onaws.Open(ctx, o)
	if advice := awsAdvice(err); advice != "" {
		return nil, errors.New(advice)
	}
	if err != nil {
		return nil, err
	}
	return &Deployment{
		Connections: d.Connections(), Rows: d.Scanner(), close: func() error { return nil }, advice: awsAdvice,
	}, nil
}

const signIn = "AWS credentials are missing, have expired, or cannot be loaded: sign in to AWS (for example \"aws sso login\") or check the AWS profile, then run this command again"

// awsAdvice implements [Deployment.Advice] for a deployment on AWS.
func awsAdvice(err error) string {
	if errors.Is(err, seal.ErrDenied) {
		return "KMS does not allow the use of the key: check KMS_KEY_ID and INSTALLATION, and see docs/iam.md for the permissions"
	}
	response, ok := errors.AsType[*dynamo.ResponseError](err)
	if !ok {
		return ""
	}
	switch response.Code {
	case "ExpiredToken", "ExpiredTokenException":
		return signIn
	case "ResourceNotFoundException":
		return "the table in TABLE_NAME does not exist in this region: check TABLE_NAME and AWS_REGION"
	case "AccessDeniedException":
		return "these AWS credentials do not allow the operation " + response.Operation + " on the table: see docs/iam.md"
	case "UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException":
		return "AWS does not accept these credentials: check the AWS profile, or the variables that contain the access key"
	}
	return ""
}

// keyCacheTTL returns -1 if KEY_CACHE_TTL is 0, because only a negative duration disables
// the cache in [onaws.Options].
func keyCacheTTL(r *env.Reader) time.Duration {
	if d := r.Duration("KEY_CACHE_TTL", 5*time.Minute, 0, time.Hour); d > 0 {
		return d
	}
	return -1
}
