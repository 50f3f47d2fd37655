package boot

import (
	"context"
	"crypto/x509"
	"net/url"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/asanaauth/asanaauth/internal/awsretry"
	"github.com/asanaauth/asanaauth/internal/env"
)

// AWS returns the configuration for clients of the AWS SDK, which it reads from
// environment variables. Lambda sets most of these variables. AWS does not use the SDK's
// config package, because that package adds the clients of SSO and STS to the program,
// and looks for configuration files.
//
// The variables are AWS_REGION (otherwise AWS_DEFAULT_REGION), AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ACCOUNT_ID, AWS_ACCOUNT_ID_ENDPOINT_MODE,
// AWS_ENDPOINT_URL, the AWS_ENDPOINT_URL_ variables of DynamoDB, KMS and Secrets Manager,
// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT
// and AWS_CA_BUNDLE. The variables are documented at
// https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html. AWS records an
// error in r for each variable that is missing or malformed.
//
// No environment variable changes how calls are retried. The credentials are read once
// and do not change while the process runs. AWS_CONTAINER_CREDENTIALS_FULL_URI is
// ignored, because Lambda sets it only with SnapStart, which Go functions do not support.
func AWS(r *env.Reader) aws.Config {
	src := readSources(r)
	cfg := aws.Config{
		Region:      region(r),
		Credentials: credentials(r),
		HTTPClient:  awsClient(caBundle(r)),
		Retryer:     func() aws.Retryer { return awsretry.New() },
		AccountIDEndpointMode: aws.AccountIDEndpointMode(
			r.OneOf("AWS_ACCOUNT_ID_ENDPOINT_MODE", "preferred", "preferred", "required", "disabled")),
		ConfigSources: []any{src},
	}
	if src.endpoint != "" {
		cfg.BaseEndpoint = aws.String(src.endpoint)
	}
	return cfg
}

func region(r *env.Reader) string {
	if !r.Set("AWS_REGION") && r.Set("AWS_DEFAULT_REGION") {
		return r.String("AWS_DEFAULT_REGION")
	}
	return r.String("AWS_REGION")
}

func credentials(r *env.Reader) aws.CredentialsProvider {
	c := aws.Credentials{
		AccessKeyID:     r.String("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: r.String("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    r.Optional("AWS_SESSION_TOKEN", ""),
		AccountID:       r.Optional("AWS_ACCOUNT_ID", ""),
		Source:          "environment",
	}
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
}

// sources contains settings for which aws.Config has no field. It is in
// aws.Config.ConfigSources, and SDK clients call its methods.
type sources struct {
	endpoint        string
	services        map[string]string // endpoint of each service, by the SDK's service ID
	fips, dualStack bool
}

func readSources(r *env.Reader) sources {
	s := sources{
		services:  map[string]string{},
		fips:      r.Bool("AWS_USE_FIPS_ENDPOINT"),
		dualStack: r.Bool("AWS_USE_DUALSTACK_ENDPOINT"),
	}
	if r.Bool("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
		return s
	}
	s.endpoint = endpoint(r, "AWS_ENDPOINT_URL")
	for id, name := range map[string]string{
		"DynamoDB":        "AWS_ENDPOINT_URL_DYNAMODB",
		"KMS":             "AWS_ENDPOINT_URL_KMS",
		"Secrets Manager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
	} {
		if u := endpoint(r, name); u != "" {
			s.services[id] = u
		}
	}
	return s
}

func (s sources) GetServiceBaseEndpoint(_ context.Context, id string) (string, bool, error) {
	u, ok := s.services[id]
	return u, ok, nil
}

// GetUseFIPSEndpoint always returns "enabled" as the first result. SDK clients ignore the
// first result if the second result is false.
func (s sources) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return aws.FIPSEndpointStateEnabled, s.fips, nil
}

func (s sources) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return aws.DualStackEndpointStateEnabled, s.dualStack, nil
}

// endpoint returns the endpoint URL in a variable, or "" if the variable is not set. The
// scheme may be http for any host, not only for loopback hosts. With "sam local", the
// function runs in a container, so the host of a local endpoint is not a loopback host.
func endpoint(r *env.Reader, name string) string {
	v := r.Optional(name, "")
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		r.AddError(name, "is not an absolute URL")
		return ""
	}
	return v
}

// caBundle returns the certificates in the file AWS_CA_BUNDLE. If the variable is not
// set, caBundle returns nil, which makes an HTTP client trust the system's roots.
func caBundle(r *env.Reader) *x509.CertPool {
	file := r.Optional("AWS_CA_BUNDLE", "")
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		r.AddError("AWS_CA_BUNDLE", "is not a readable file of PEM certificates")
		return nil
	}
	return pool
}
