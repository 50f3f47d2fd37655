// Package onaws gives a Go program direct access to a deployment of asanaauth on AWS. The
// program needs access to the deployment's table and KMS key. For example, a SaaS backend
// can get tokens without an HTTP call. The command asanaauth, for operators, also uses
// onaws. [Open] returns a [Deployment], whose methods return the main type of each
// package. Call Open once, when the program starts.
//
// Package onaws imports the code for DynamoDB, KMS and Secrets Manager. The Lambda
// functions do not use onaws, because each of them imports only the code that it needs.
//
// docs/iam.md lists the IAM permissions that the program's role needs. A program that
// gets tokens, lists connections, reports licenses and makes links needs the permissions
// in docs/iam/library.json. A program that redeems codes, imports credentials or
// disconnects connections needs the permissions of ConnectionsRole in template.yaml.
// [Deployment.Scanner] also needs dynamodb:Scan. A program that has the permissions in
// library.json can act as any of the deployment's backends.
package onaws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana/secretsmanager"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/kms"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/dynamo"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

// Options identifies a deployment. A field's comment names an environment variable of the
// Lambda functions, and the field must have the same value as that variable. A field is
// required unless its comment says otherwise.
type Options struct {
	// AWS is the configuration of the AWS SDK, for example from config.LoadDefaultConfig.
	// If the field HTTPClient or Retryer of the configuration is set, Open uses that
	// client or retryer.
	AWS aws.Config

	TableName       string        // TABLE_NAME
	Installation    string        // INSTALLATION; optional, the default is TableName
	KMSKeyIDs       []string      // KMS_KEY_ID: key ids or ARNs; the first key wraps, the others only unwrap
	KeyCacheTTL     time.Duration // KEY_CACHE_TTL, at most an hour; 0 means five minutes, a negative value means no cache
	ClientID        string        // ASANA_CLIENT_ID
	ClientSecretARN string        // ASANA_CLIENT_SECRET_ARN
	AsanaBaseURL    string        // ASANA_BASE_URL; optional, the default is https://app.asana.com

	// Only programs that make links need the next three fields. Set all three or none.
	AuthorizeURL string   // PUBLIC_URL + "/authorize"
	ReturnURLs   []string // RETURN_URLS
	Scopes       string   // ASANA_SCOPES, separated by single spaces

	// Log receives audit lines and alarms. Log is optional. If Log is nil, nothing is
	// logged, not even the alarm that a rotated token was lost.
	Log *slog.Logger
}

// Deployment gives access to the table, the keys and the Asana app of one deployment. Get
// a Deployment from [Open]. The methods of Deployment are safe for concurrent use.
type Deployment struct {
	connections  *connection.Connections
	tokens       *token.Tokens
	memberships  *membership.Memberships
	links        *link.Links
	connectCodes *link.Redeemer
	sessionCodes *session.Redeemer
	scanner      store.Scanner
}

// Connections returns the Connections of the deployment, which finds, lists, imports and
// disconnects connections.
func (d *Deployment) Connections() *connection.Connections { return d.connections }

// Tokens returns the Tokens of the deployment, which gets access tokens. Before the
// program ends, call [token.Tokens.Wait], so that a refresh in progress can save its
// token.
func (d *Deployment) Tokens() *token.Tokens { return d.tokens }

// Memberships returns the Memberships of the deployment, which reports licenses and
// capabilities.
func (d *Deployment) Memberships() *membership.Memberships { return d.memberships }

// Links returns the Links of the deployment, which makes links, or nil if AuthorizeURL,
// ReturnURLs and Scopes were not set in the Options.
func (d *Deployment) Links() *link.Links { return d.links }

// ConnectCodes returns the Redeemer that redeems the connect codes of links.
func (d *Deployment) ConnectCodes() *link.Redeemer { return d.connectCodes }

// SessionCodes returns the Redeemer that redeems the session codes of frontends.
func (d *Deployment) SessionCodes() *session.Redeemer { return d.sessionCodes }

// Scanner returns a Scanner that reads the whole table. The Scanner's calls have no time
// limit except their context, because a page can contain up to a megabyte of rows.
// Scanner needs the permission dynamodb:Scan.
func (d *Deployment) Scanner() store.Scanner { return d.scanner }

// openTime limits how long Open waits for the table.
const openTime = 3 * time.Second

// Open opens a deployment. The error names every option that is wrong, and never contains
// an option's value. Open reads one row to check the table's name and the program's
// permission. If the table is unavailable, Open logs a warning and returns no error. Open
// writes nothing, and sends no request to KMS or Asana.
func Open(ctx context.Context, o Options) (*Deployment, error) {
	client, err := o.check()
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	cfg := withLimits(o.AWS)
	rows, err := dynamo.New(dynamo.Config{Client: dynamodb.NewFromConfig(cfg), Table: o.TableName})
	if err != nil {
		return nil, err
	}
	if err := checkTable(ctx, rows, o.Log); err != nil {
		return nil, fmt.Errorf("onaws: reading the table: %w", err)
	}
	source, err1 := secretsmanager.New(secretsmanager.Config{Client: awssm.NewFromConfig(cfg), ARN: o.ClientSecretARN})
	wrapper, err2 := kms.New(kms.Config{Client: awskms.NewFromConfig(cfg), KeyIDs: o.KMSKeyIDs})
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	secrets, err1 := clientsecret.New(clientsecret.Config{Source: source})
	keys, err2 := keyring.New(keyring.Config{
		Store: rows, Wrapper: wrapper, Installation: o.installation(), TTL: o.keyTTL(), Log: o.Log,
	})
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	d, err := o.deployment(rows, keys, client, secrets)
	if err != nil {
		return nil, err
	}
	d.scanner, err = dynamo.New(dynamo.Config{Client: dynamodb.NewFromConfig(o.AWS), Table: o.TableName})
	return d, err
}

// deployment returns a Deployment without a scanner.
func (o Options) deployment(rows store.Store, keys *keyring.Keyring, client *asana.Client, secrets *clientsecret.Secrets) (*Deployment, error) {
	var d Deployment
	errs := make([]error, 6)
	d.connections, errs[0] = connection.New(connection.Config{Store: rows, Keys: keys, Asana: client, Secrets: secrets, Log: o.Log})
	d.tokens, errs[1] = token.New(token.Config{Store: rows, Keys: keys, Asana: client, Secrets: secrets, Log: o.Log})
	d.memberships, errs[2] = membership.New(membership.Config{Store: rows, Keys: keys, Asana: client, Secrets: secrets, Log: o.Log})
	d.connectCodes, errs[3] = link.NewRedeemer(link.RedeemerConfig{Store: rows, Keys: keys, Log: o.Log})
	d.sessionCodes, errs[4] = session.NewRedeemer(session.Config{Store: rows, Keys: keys, Log: o.Log})
	if o.makesLinks() {
		d.links, errs[5] = link.New(link.Config{
			Store: rows, AuthorizeURL: o.AuthorizeURL, ReturnURLs: o.ReturnURLs, Scopes: o.Scopes, Log: o.Log,
		})
	}
	return &d, errors.Join(errs...)
}

// checkTable reads the keyring's row to check that the table can be read. The row's
// contents are ignored. If the table is unavailable, checkTable logs a warning and
// returns nil.
func checkTable(ctx context.Context, rows store.Store, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	_, err := rows.Read(ctx, store.KeyringKey)
	if errors.Is(err, store.ErrUnavailable) {
		log.WarnContext(ctx, "the table is unavailable", "err", err)
		return nil
	}
	return err
}

func (o Options) asanaClient() (*asana.Client, error) {
	return asana.New(asana.Config{BaseURL: o.AsanaBaseURL, ClientID: o.ClientID, Transport: asanaTransport()})
}
