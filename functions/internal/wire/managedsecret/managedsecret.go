// Package managedsecret reads the client secret of the Asana app from AWS Secrets
// Manager. Only Lambda functions that send token requests to Asana use this package.
package managedsecret

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana/secretsmanager"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
)

// New returns a source of the Asana app's client secrets. All client secrets are in one
// Secrets Manager secret, whose ARN is the value of ASANA_CLIENT_SECRET_ARN. The first
// use of the source fetches the client secrets.
func New(r *env.Reader, cfg aws.Config) *clientsecret.Secrets {
	arn := r.ARN("ASANA_CLIENT_SECRET_ARN", "secretsmanager")
	source, err := secretsmanager.New(secretsmanager.Config{Client: awssm.NewFromConfig(cfg), ARN: arn})
	if err != nil {
		return nil // r.ARN has already added the error
	}
	s, err := clientsecret.New(clientsecret.Config{Source: source})
	if err != nil {
		r.AddError("ASANA_CLIENT_SECRET_ARN", err.Error())
	}
	return s
}
