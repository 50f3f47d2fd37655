// Package onaws opens a deployment of asanaauth from a Go program that may use its
// table and its KMS key: a SaaS backend that wants tokens without an HTTP call, or
// the operator's command. It is the one package that imports every AWS adapter; the
// functions wire only what each of them needs.
//
// What the program's role needs is in docs/iam.md: docs/iam/library.json for tokens,
// lists, licences and links; to redeem, import and end connections what template.yaml
// gives ConnectionsRole; and dynamodb:Scan for [Deployment.Rows] alone. Whoever has
// these is every backend at once.
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

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana/secretsmanager"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/kms"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/dynamo"
)

// Options say which deployment, in the words of the functions' variables: the values
// have to be the same. What is not marked optional is required.
type Options struct {
	// AWS is the program's own configuration, as config.LoadDefaultConfig of the
	// SDK gives it. Its HTTPClient is used; a Retryer of its own is kept.
	AWS aws.Config

	TableName       string        // TABLE_NAME
	Installation    string        // INSTALLATION; optional: TableName
	KMSKeyIDs       []string      // KMS_KEY_ID: key ids or ARNs, the first wraps
	KeyCacheTTL     time.Duration // KEY_CACHE_TTL; 0 means five minutes, below 0 asks KMS every time; at most an hour
	ClientID        string        // ASANA_CLIENT_ID
	ClientSecretARN string        // ASANA_CLIENT_SECRET_ARN
	AsanaBaseURL    string        // ASANA_BASE_URL; optional: https://app.asana.com

	// For programs that make links: all three or none.
	AuthorizeURL string   // PUBLIC_URL + "/authorize"
	ReturnURLs   []string // RETURN_URLS
	Scopes       string   // ASANA_SCOPES, divided by single spaces

	// Log gets audit and alarm lines; optional. Without it nobody learns that a
	// rotated token was lost.
	Log *slog.Logger
}

// Deployment is an opened deployment. Safe for concurrent use.
type Deployment struct {
	// Connections hands out tokens, and imports, lists and ends connections. Before
	// the program ends it calls Connections.Wait: a refresh may be under way.
	Connections *asanaauth.Connections
	Memberships *asanaauth.Memberships
	// Links makes links; nil where Options has nothing of them.
	Links *asanaauth.Links
	// Rows goes through the whole table. Only the context limits the time of a
	// call: a page is up to a megabyte.
	Rows store.Scanner
}

// openTime bounds how long Open waits for the table.
const openTime = 3 * time.Second

// Open opens a deployment. It tells everything that is wrong with the options at
// once, by name and never with a value, and reads one row, so that a wrong table name
// or a missing permission is an error here. A table that is away is none: it is
// logged, and asked again by whoever needs it. Nothing is written, and neither KMS
// nor Asana is asked.
func Open(ctx context.Context, o Options) (*Deployment, error) {
	client, err := o.check()
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	cfg := careful(o.AWS)
	rows := dynamo.New(dynamodb.NewFromConfig(cfg), o.TableName)
	if err := touch(ctx, rows, o.Log); err != nil {
		return nil, fmt.Errorf("onaws: reading the table: %w", err)
	}
	parts := asanaauth.Parts{
		Store: rows,
		Asana: client,
		Keys: asanaauth.NewKeys(asanaauth.KeysConfig{
			Store: rows, Wrapper: kms.New(awskms.NewFromConfig(cfg), o.KMSKeyIDs...),
			Installation: o.installation(), TTL: o.keyTTL(), Log: o.Log,
		}),
		Secrets: asanaauth.NewSecrets(secretsmanager.New(awssm.NewFromConfig(cfg), o.ClientSecretARN), nil),
		Log:     o.Log,
	}
	d := &Deployment{Rows: dynamo.New(dynamodb.NewFromConfig(o.AWS), o.TableName)}
	if d.Connections, err = asanaauth.NewConnections(parts, asanaauth.ConnectionsOptions{}); err != nil {
		return nil, err
	}
	d.Memberships = asanaauth.NewMemberships(d.Connections)
	if o.makesLinks() {
		d.Links, err = asanaauth.NewLinks(parts, asanaauth.LinksOptions{
			AuthorizeURL: o.AuthorizeURL, ReturnURLs: o.ReturnURLs, Scopes: o.Scopes,
		})
	}
	return d, err
}

// touch reads the keyring's row, which every program needs: of what is in it nothing
// is used.
func touch(ctx context.Context, rows store.Store, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	_, err := rows.Read(ctx, store.KeyringKey)
	if errors.Is(err, store.ErrUnavailable) {
		log.WarnContext(ctx, "the table is away", "err", err)
		return nil
	}
	return err
}

// asanaClient makes the client whose transport is Asana's alone.
func (o Options) asanaClient() (*asana.Client, error) {
	return asana.New(asana.Config{BaseURL: o.AsanaBaseURL, ClientID: o.ClientID, Transport: asanaTransport()})
}
