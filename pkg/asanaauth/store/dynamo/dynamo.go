// Package dynamo keeps rows in one DynamoDB table. [New] returns a [store.Store] on a table
// that has the string keys "pk" and "sk". Each row is one item, as [store.Encode] returns
// it. A write of one row is a conditional PutItem or DeleteItem. A write of several rows
// is one TransactWriteItems call.
//
// Use a table in a single region. In a global table, conditions do not hold between
// regions: the later write replaces the earlier one. Two regions could then hold the
// lease of the same connection.
//
// The package does not create the table.
package dynamo

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// client has the methods of [dynamodb.Client] that a Store calls.
type client interface {
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// Store keeps rows in a table. It implements [store.Store] and [store.Scanner], and is
// safe for concurrent use.
//
// Each method needs its own IAM permissions. Read needs dynamodb:BatchGetItem. Write needs
// dynamodb:PutItem and dynamodb:DeleteItem, also for transactions. List needs
// dynamodb:Query and Scan needs dynamodb:Scan.
type Store struct {
	client client
	table  string
	wait   func(ctx context.Context, longest time.Duration) error
}

// Config configures a [Store]. All fields are required.
type Config struct {
	// Client is a *dynamodb.Client. It may retry all requests. The store recognizes a
	// write that was applied before.
	Client client
	// Table is the name of the table.
	Table string
}

// New returns a Store on the table. It sends no requests. The error names every missing
// field.
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
	// tries is the maximum number of requests in a row if DynamoDB leaves keys
	// unprocessed or refuses a write because of another transaction.
	tries = 5
	// firstWait is the maximum wait before the second request. It doubles with each
	// further request, so all waits together take at most 0.6 seconds.
	firstWait = 40 * time.Millisecond
)

// waitForRetry waits after the given try, counted from 1. It returns false if this was the
// last try or if the context ends.
func (s *Store) waitForRetry(ctx context.Context, try int) bool {
	return try < tries && s.wait(ctx, firstWait<<(try-1)) == nil
}

// wait sleeps for a random time of at most longest, or until the context ends. The time is
// random so that two transactions that collided do not collide again.
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
