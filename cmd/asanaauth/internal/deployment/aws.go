package deployment

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/onaws"
)

// onAWS opens the deployment that the variables name, by the rules of the functions.
// AWS itself is reached as people reach it: by profiles, SSO and the SDK's variables.
func onAWS(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (*Deployment, error) {
	r := env.NewReader(lookup)
	o := onaws.Options{
		TableName:       r.String("TABLE_NAME"),
		Installation:    r.Optional("INSTALLATION", ""),
		KMSKeyIDs:       r.KMSKeyIDs("KMS_KEY_ID"),
		KeyCacheTTL:     keyCacheTTL(r),
		ClientID:        r.String("ASANA_CLIENT_ID"),
		ClientSecretARN: r.ARN("ASANA_CLIENT_SECRET_ARN", "secretsmanager"),
		Log:             log,
	}
	if r.Set("ASANA_BASE_URL") {
		o.AsanaBaseURL = r.Origin("ASANA_BASE_URL")
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err == nil && cfg.Region == "" {
		r.AddError("AWS_REGION", "is missing, and no profile names a region")
	}
	if mistakes := r.Err(); mistakes != nil {
		return nil, fmt.Errorf("variables (-data DIR works on the folder of an asanaauth local):\n%w", mistakes)
	}
	if err != nil {
		return nil, fmt.Errorf("loading the configuration of AWS: %w", err)
	}
	o.AWS = cfg
	d, err := onaws.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Deployment{Connections: d.Connections(), Rows: d.Scanner(), close: func() error { return nil }}, nil
}

// keyCacheTTL gives Options' word for the variable's 0.
func keyCacheTTL(r *env.Reader) time.Duration {
	if d := r.Duration("KEY_CACHE_TTL", 5*time.Minute, 0, time.Hour); d > 0 {
		return d
	}
	return -1
}
