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

// The keyring is cached for five minutes by default, and an hour at most. After access to
// the KMS key is removed, sealed fields can still be opened for that long.
const (
	defaultKeyTTL = 5 * time.Minute
	maxKeyTTL     = time.Hour
)

// mistakes collects an error for each wrong option.
type mistakes []error

// note adds an error with name and reason if wrong is true.
func (m *mistakes) note(wrong bool, name, reason string) {
	if wrong {
		*m = append(*m, fmt.Errorf("onaws: %s %s", name, reason))
	}
}

const (
	missing         = "is missing"
	missingForLinks = "is missing, but another option for links is set"
)

// check returns the client of Asana, or an error that reports every missing or malformed
// option by name.
func (o Options) check() (*asana.Client, error) {
	var m mistakes
	m.note(o.AWS.Region == "", "AWS.Region", missing)
	m.note(o.AWS.Credentials == nil, "AWS.Credentials", missing)
	m.note(o.TableName == "", "TableName", missing)
	m.note(len(o.KMSKeyIDs) == 0, "KMSKeyIDs", missing)
	for i, id := range o.KMSKeyIDs {
		m.note(!kms.ValidKeyID(id), fmt.Sprintf("KMSKeyIDs[%d]", i), "is neither a key id nor a key ARN (an alias cannot be used)")
	}
	m.note(o.KeyCacheTTL > maxKeyTTL, "KeyCacheTTL", "is more than an hour")
	m.note(o.ClientID == "", "ClientID", missing)
	secret, err := arn.Parse(o.ClientSecretARN)
	m.note(o.ClientSecretARN == "", "ClientSecretARN", missing)
	m.note(o.ClientSecretARN != "" && (err != nil || secret.Service != "secretsmanager"), "ClientSecretARN", "is not an ARN of Secrets Manager")
	if o.makesLinks() {
		m.note(o.AuthorizeURL == "", "AuthorizeURL", missingForLinks)
		m.note(o.AuthorizeURL != "" && !isBaseURL(o.AuthorizeURL), "AuthorizeURL", "is not an absolute URL, or has a query or a fragment")
		m.note(len(o.ReturnURLs) == 0, "ReturnURLs", missingForLinks)
		m.note(o.Scopes == "", "Scopes", missingForLinks)
		m.note(o.Scopes != strings.Join(strings.Fields(o.Scopes), " "), "Scopes", "is not separated by single spaces")
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

// isBaseURL reports whether raw is an absolute URL to which a query can be appended: one
// without a query and a fragment.
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
