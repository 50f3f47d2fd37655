package onaws

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/kms"
)

// The keyring is cached for five minutes by default, and for at most an hour. The time is
// limited because a program that loses its access to the KMS key can still open sealed
// fields until the cached keyring expires.
const (
	defaultKeyTTL = 5 * time.Minute
	maxKeyTTL     = time.Hour
)

type mistakes []error

func (m *mistakes) addIf(wrong bool, name, reason string) {
	if wrong {
		*m = append(*m, fmt.Errorf("onaws: %s %s", name, reason))
	}
}

const (
	missing         = "is missing"
	missingForLinks = "is missing, but another option for links is set"
)

// check returns a client for Asana, or an error that names every missing or malformed
// option.
func (o Options) check() (*asana.Client, error) {
	var m mistakes
	m.addIf(o.AWS.Region == "", "AWS.Region", missing)
	m.addIf(o.AWS.Credentials == nil, "AWS.Credentials", missing)
	m.addIf(o.TableName == "", "TableName", missing)
	m.addIf(len(o.KMSKeyIDs) == 0, "KMSKeyIDs", missing)
	for i, id := range o.KMSKeyIDs {
		m.addIf(!kms.ValidKeyID(id), fmt.Sprintf("KMSKeyIDs[%d]", i), "is neither a key ID nor a key ARN (an alias cannot be used)")
	}
	m.addIf(o.KeyCacheTTL > maxKeyTTL, "KeyCacheTTL", "is more than an hour")
	m.addIf(o.ClientID == "", "ClientID", missing)
	secret, err := arn.Parse(o.ClientSecretARN)
	m.addIf(o.ClientSecretARN == "", "ClientSecretARN", missing)
	m.addIf(o.ClientSecretARN != "" && (err != nil || secret.Service != "secretsmanager"), "ClientSecretARN", "is not an ARN of Secrets Manager")
	if o.makesLinks() {
		m.addIf(o.AuthorizeURL == "", "AuthorizeURL", missingForLinks)
		m.addIf(o.AuthorizeURL != "" && !isBaseURL(o.AuthorizeURL), "AuthorizeURL", "is not an absolute URL, or has a query or a fragment")
		m.addIf(len(o.ReturnURLs) == 0, "ReturnURLs", missingForLinks)
		m.addIf(o.Scopes == "", "Scopes", missingForLinks)
		m.addIf(o.Scopes != strings.Join(strings.Fields(o.Scopes), " "), "Scopes", "is not separated by single spaces")
	}
	client, err := o.asanaClient()
	if err != nil && o.ClientID != "" {
		m = append(m, fmt.Errorf("onaws: AsanaBaseURL: %w", err))
	}
	return client, errors.Join(m...)
}

func (o Options) makesLinks() bool {
	return o.AuthorizeURL != "" || len(o.ReturnURLs) > 0 || o.Scopes != ""
}

// isBaseURL reports whether raw is an absolute URL without a query or a fragment, so that
// a query can be appended to raw.
func isBaseURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && !strings.ContainsAny(raw, "?#")
}

func (o Options) installation() string {
	if o.Installation == "" {
		return o.TableName
	}
	return o.Installation
}

func (o Options) keyTTL() time.Duration {
	if o.KeyCacheTTL == 0 {
		return defaultKeyTTL
	}
	return max(0, o.KeyCacheTTL)
}
