// Package secretsmanager fetches the Asana app's client secret from AWS
// Secrets Manager.
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

// current is the stage that a finished rotation gives a version. It is always
// named: not every server of this API takes it for granted.
const current = "AWSCURRENT"

// client is what is used of a *secretsmanager.Client.
type client interface {
	GetSecretValue(context.Context, *awssm.GetSecretValueInput, ...func(*awssm.Options)) (*awssm.GetSecretValueOutput, error)
}

// Source is one secret, which is a JSON object:
//
//	{"client_secret":"…","next_client_secret":"…"}
//
// next_client_secret is there while the app's secret is being changed; absent,
// null and "" are the same. Other members are left alone. It is safe for
// concurrent use.
type Source struct {
	client client
	arn    string
}

// Config configures a [Source]. All fields are required.
type Config struct {
	Client client // a *secretsmanager.Client
	ARN    string // of the secret
}

// New returns a Source. The error reports every missing field.
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

// ClientSecrets fetches the app's client secrets, the current one first: one
// or two, none of them empty, no two alike. Each call is a call to AWS; who
// calls keeps what it got. An error wraps ErrMalformed where the secret has to
// be mended. No error holds anything of the secret.
func (s *Source) ClientSecrets(ctx context.Context) ([]secret.String, error) {
	out, err := s.client.GetSecretValue(ctx, &awssm.GetSecretValueInput{
		SecretId: aws.String(s.arn), VersionStage: aws.String(current),
	})
	if err != nil {
		return nil, failed(ctx, err)
	}
	if out.SecretString == nil {
		return nil, fmt.Errorf("%w: it is binary, or empty", ErrMalformed)
	}
	return parse(*out.SecretString)
}

// parse reads the secret's text. What the JSON package says of bad input
// quotes it, and is left out.
func parse(text string) ([]secret.String, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil {
		return nil, fmt.Errorf("%w: it is no JSON object", ErrMalformed)
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

// member gives the text of a member, which is optional.
func member(members map[string]json.RawMessage, name string) (secret.String, error) {
	raw, ok := members[name]
	if !ok {
		return secret.String{}, nil
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return secret.String{}, fmt.Errorf("%w: %s is no text", ErrMalformed, name)
	}
	if text != strings.TrimSpace(text) {
		return secret.String{}, fmt.Errorf("%w: %s has white space around it", ErrMalformed, name)
	}
	return secret.New(text), nil
}

var (
	// ErrMalformed says that the secret is there and is not what it should be.
	ErrMalformed = errors.New("secretsmanager: the client secret is malformed")
)
