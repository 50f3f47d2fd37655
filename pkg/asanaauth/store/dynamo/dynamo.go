// Package dynamo stores rows in one DynamoDB table. [New] returns a [store.Store] for an
// existing table. The table must have the partition key "pk" and the sort key "sk", both
// of type string. Each item is the result of [store.Encode] for one row. A write of one
// row is a conditional PutItem or DeleteItem request. A write of several rows is one
// TransactWriteItems request.
//
// Use a table in a single region. In a global table, DynamoDB does not check conditions
// across regions, and if two regions write the same row, the last write replaces the
// other. As a result, processes in two regions could hold the lease for the same
// connection at the same time.
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

type client interface {
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// Store stores rows in one DynamoDB table. A Store implements [store.Store] and
// [store.Scanner], and is safe for concurrent use.
//
// Each method needs different IAM permissions. Read needs dynamodb:BatchGetItem. Write
// needs dynamodb:PutItem and dynamodb:DeleteItem, even for transactions. List needs
// dynamodb:Query, and Scan needs dynamodb:Scan.
type Store struct {
	client client
	table  string
	wait   func(ctx context.Context, longest time.Duration) error
}

// Config contains the client and the table of a [Store]. Both fields are required.
type Config struct {
	// Client is a *dynamodb.Client. The client may retry any request, because the store
	// recognizes a write that has already been applied.
	Client client
	// Table is the name of an existing table.
	Table string
}

// New returns a Store and sends no request to DynamoDB. If fields are missing, the error
// names all missing fields.
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
	// tries is the maximum number of consecutive requests without progress. A request
	// makes no progress if DynamoDB processes none of its keys, or refuses its write
	// because of a conflict with another transaction.
	tries = 5
	// firstWait is the maximum wait before the second request. The maximum doubles with
	// each further request. The four waits take at most 40 + 80 + 160 + 320 = 600
	// milliseconds.
	firstWait = 40 * time.Millisecond
)

// waitForRetry waits before the next request and returns true. The argument try is the
// number of requests sent so far. If try has reached the maximum or the context ends,
// waitForRetry returns false, and the caller must not send another request.
func (s *Store) waitForRetry(ctx context.Context, try int) bool {
	return try < tries && s.wait(ctx, firstWait<<(try-1)) == nil
}

// wait sleeps for a random time, which is at most longest, or until the context ends. The
// time is random so that two conflicting transactions do not retry at the same moment.
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
