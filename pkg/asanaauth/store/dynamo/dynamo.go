// Package dynamo is a [store.Store] in one DynamoDB table, whose keys are the
// strings "pk" and "sk". A row is an item, as [store.Encode] makes it.
//
// The table belongs to one region: a global table settles two writes of a row
// by the later clock, and the lease in a connection's row would hold nobody.
package dynamo

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// client is what a Store asks of a [dynamodb.Client].
type client interface {
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// Store keeps rows in a table. It implements [store.Store] and
// [store.Scanner], and is safe for concurrent use.
//
// It needs dynamodb:BatchGetItem to Read, dynamodb:PutItem and
// dynamodb:DeleteItem to Write (for transactions too), dynamodb:Query to List,
// and dynamodb:Scan to Scan.
type Store struct {
	client client
	table  string
	wait   func(ctx context.Context, longest time.Duration) error
}

// Config configures a [Store]. All fields are required.
type Config struct {
	// Client is a *dynamodb.Client. It may repeat its requests, also writes: a repeated
	// write is recognised.
	Client client
	Table  string // its name
}

// New returns a Store in the table. The error reports every missing field.
func New(c Config) (*Store, error) {
	var errs []error
	if c.Client == nil {
		errs = append(errs, errors.New("dynamo: Client is missing"))
	}
	if c.Table == "" {
		errs = append(errs, errors.New("dynamo: Table is missing"))
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return &Store{client: c.Client, table: c.Table, wait: wait}, nil
}

const (
	// tries bounds how often DynamoDB is asked again for what it did not say:
	// keys it left unprocessed, a transaction that met another one. With
	// firstWait this takes half a second at most.
	tries     = 5
	firstWait = 40 * time.Millisecond
)

// again waits before the next try, and reports whether there is one.
func (s *Store) again(ctx context.Context, try int) bool {
	return try < tries && s.wait(ctx, firstWait<<(try-1)) == nil
}

// wait sleeps for a random part of longest, so that those who met once do not
// meet again, or until the context ends.
func wait(ctx context.Context, longest time.Duration) error {
	timer := time.NewTimer(rand.N(longest) + 1)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
