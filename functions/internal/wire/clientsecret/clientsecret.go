// Package clientsecret makes the client secrets of the functions that ask Asana
// for tokens: a secret in AWS Secrets Manager.
package clientsecret

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana/secretsmanager"
)

// Secrets reads ASANA_CLIENT_SECRET_ARN. Nothing is fetched before its first use.
func Secrets(r *env.Reader, cfg aws.Config) *asanaauth.Secrets {
	arn := r.ARN("ASANA_CLIENT_SECRET_ARN", "secretsmanager")
	return asanaauth.NewSecrets(secretsmanager.New(awssm.NewFromConfig(cfg), arn), nil)
}
