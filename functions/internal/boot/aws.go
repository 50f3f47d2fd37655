package boot

import (
	"context"
	"crypto/x509"
	"net/url"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/asanaauth/asanaauth/internal/env"
)

// Attempts and the longest wait between them, for every call to AWS: within the
// time of a request, and at most three because writes recognise themselves.
const (
	awsAttempts = 3
	awsBackoff  = 200 * time.Millisecond
)

// AWS makes the configuration of the SDK's clients from the environment that
// Lambda sets, without the SDK's config package, which would link the clients of
// SSO and STS and look for files. It reads AWS_REGION (else AWS_DEFAULT_REGION),
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ACCOUNT_ID,
// AWS_ACCOUNT_ID_ENDPOINT_MODE, AWS_ENDPOINT_URL and its forms for a service,
// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, AWS_USE_FIPS_ENDPOINT,
// AWS_USE_DUALSTACK_ENDPOINT and AWS_CA_BUNDLE, as the SDKs document them; mistakes
// are r's. Retries are fixed here. Credentials are the function's for as long as
// its process lives; containers' (AWS_CONTAINER_CREDENTIALS_FULL_URI) are not read,
// since only SnapStart needs them, which Go functions cannot have.
//
// Source: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
func AWS(r *env.Reader) aws.Config {
	src := readSources(r)
	cfg := aws.Config{
		Region:      region(r),
		Credentials: credentials(r),
		HTTPClient:  awsClient(caBundle(r)),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.MaxBackoff = awsAttempts, awsBackoff
			})
		},
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

// sources answers what the SDK's clients ask of aws.Config.ConfigSources, by the
// method names they look for. Only there can an endpoint be given for one service.
type sources struct {
	endpoint        string
	services        map[string]string // by the SDK's service id
	fips, dualStack bool
}

func readSources(r *env.Reader) sources {
	s := sources{
		services:  map[string]string{},
		fips:      isTrue(r, "AWS_USE_FIPS_ENDPOINT"),
		dualStack: isTrue(r, "AWS_USE_DUALSTACK_ENDPOINT"),
	}
	if isTrue(r, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
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

// GetServiceBaseEndpoint is asked for the endpoint of one service.
func (s sources) GetServiceBaseEndpoint(_ context.Context, id string) (string, bool, error) {
	u, ok := s.services[id]
	return u, ok, nil
}

// GetUseFIPSEndpoint is asked whether endpoints have to be FIPS's.
func (s sources) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return aws.FIPSEndpointStateEnabled, s.fips, nil
}

// GetUseDualStackEndpoint is asked whether endpoints have to speak IPv6.
func (s sources) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return aws.DualStackEndpointStateEnabled, s.dualStack, nil
}

func isTrue(r *env.Reader, name string) bool {
	return r.OneOf(name, "false", "true", "false") == "true"
}

// endpoint takes http for any host: under sam local the servers are on the
// machine around the container.
func endpoint(r *env.Reader, name string) string {
	v := r.Optional(name, "")
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		r.Mistake(name, "is no absolute URL")
		return ""
	}
	return v
}

// caBundle is nil, the system's roots, unless AWS_CA_BUNDLE names a file.
func caBundle(r *env.Reader) *x509.CertPool {
	file := r.Optional("AWS_CA_BUNDLE", "")
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		r.Mistake("AWS_CA_BUNDLE", "is no readable file of PEM certificates")
		return nil
	}
	return pool
}
