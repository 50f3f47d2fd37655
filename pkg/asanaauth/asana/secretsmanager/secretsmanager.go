// Package secretsmanager fetches the client secret of the Asana app from AWS Secrets
// Manager.
//
// In Secrets Manager, one secret contains a JSON object with the current client secret
// and, during a rotation, the next one. A [Source] reads this object with GetSecretValue,
// which needs the permission secretsmanager:GetSecretValue. A Source does not cache:
// package clientsecret caches the client secrets and decides which one to use. This
// package never writes to Secrets Manager.
package secretsmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// current is the staging label of a secret's current version. Every request names this
// label, because some servers that implement this API do not use it by default.
const current = "AWSCURRENT"

type client interface {
	GetSecretValue(context.Context, *awssm.GetSecretValueInput, ...func(*awssm.Options)) (*awssm.GetSecretValueOutput, error)
}

// Source fetches one secret from AWS Secrets Manager. The secret must be stored as text,
// and the text must be a JSON object:
//
//	{"client_secret":"…","next_client_secret":"…"}
//
// The field "next_client_secret" is optional. Set it during a rotation, when the app has
// two client secrets. A field that is null or "" counts as missing. Other fields are
// ignored.
//
// A Source is safe for concurrent use.
type Source struct {
	client client
	arn    string
}

// Config names the secret that a [Source] fetches. All fields are required.
type Config struct {
	Client client // a *secretsmanager.Client; its retries and time limits apply
	ARN    string // the ARN of the secret
}

// New returns a Source without making a request. The error names every missing field.
func New(c Config) (*Source, error) {
	var errs []error
	if c.Client == nil {
		errs = append(errs, errors.New("secretsmanager: Client is missing"))
	}
	if c.ARN == "" {
		errs = append(errs, errors.New("secretsmanager: ARN is missing"))
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return &Source{c.Client, c.ARN}, nil
}

// ClientSecrets fetches the client secrets of the app. The result contains the current
// client secret. If the app also has a next client secret that differs from the current
// one, the second element of the result is the next client secret. No client secret in
// the result is empty. ClientSecrets calls GetSecretValue once. The SDK client may retry
// that call.
//
// The error wraps [ErrMalformed] if the secret does not have the form that [Source]
// describes. If the request fails, the error wraps the context's error if the context has
// ended, and otherwise the SDK's error. If the SDK cannot decode the response, the error
// does not wrap the SDK's error, because that error contains the response. No error
// contains any part of the secret.
//
// See https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html.
func (s *Source) ClientSecrets(ctx context.Context) ([]secret.String, error) {
	out, err := s.client.GetSecretValue(ctx, &awssm.GetSecretValueInput{
		SecretId: aws.String(s.arn), VersionStage: aws.String(current),
	})
	if err != nil {
		return nil, fetchError(ctx, err)
	}
	if out.SecretString == nil {
		return nil, fmt.Errorf("%w: it has no text; it must not be binary", ErrMalformed)
	}
	return parse(*out.SecretString)
}

// parse returns the client secrets in text, the JSON object that [Source] describes.
// parse does not wrap errors from encoding/json, because they may quote the secret text.
func parse(text string) ([]secret.String, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil {
		return nil, fmt.Errorf("%w: it is not a JSON object", ErrMalformed)
	}
	first, err := member(members, "client_secret")
	if err != nil {
		return nil, err
	}
	if first.IsZero() {
		return nil, fmt.Errorf("%w: it has no client_secret", ErrMalformed)
	}
	next, err := member(members, "next_client_secret")
	if err != nil {
		return nil, err
	}
	if next.IsZero() || next.Equal(first) {
		return []secret.String{first}, nil
	}
	return []secret.String{first, next}, nil
}

// member returns the string in members[name], or zero if it is missing, null or empty.
func member(members map[string]json.RawMessage, name string) (secret.String, error) {
	raw, ok := members[name]
	if !ok {
		return secret.String{}, nil
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return secret.String{}, fmt.Errorf("%w: %s is not a string", ErrMalformed, name)
	}
	if text != strings.TrimSpace(text) {
		return secret.String{}, fmt.Errorf("%w: %s begins or ends with white space", ErrMalformed, name)
	}
	return secret.New(text), nil
}

// ErrMalformed means that the secret exists but does not have the form that [Source]
// describes. Retrying helps only after an operator has corrected the secret.
var ErrMalformed = errors.New("secretsmanager: the client secret is malformed")
