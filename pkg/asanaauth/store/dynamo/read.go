package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// batch is DynamoDB's maximum number of keys in one BatchGetItem request.
const batch = 100

// Read implements [store.Store]. Each BatchGetItem request contains up to 100 keys.
func (s *Store) Read(ctx context.Context, keys ...store.Key) (store.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rows := store.Rows{}
	for some := range slices.Chunk(distinct(keys), batch) {
		if err := s.read(ctx, some, rows); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// distinct removes duplicate keys and the zero Key, because DynamoDB rejects both.
func distinct(keys []store.Key) []store.Key {
	seen := map[store.Key]bool{{}: true}
	out := make([]store.Key, 0, len(keys))
	for _, key := range keys {
		if !seen[key] {
			seen[key] = true
			out = append(out, key)
		}
	}
	return out
}

// read adds the rows with the given keys to rows. If DynamoDB leaves keys unprocessed,
// read requests these keys again. If DynamoDB processes no key in several consecutive
// requests, read returns an error.
func (s *Store) read(ctx context.Context, keys []store.Key, rows store.Rows) error {
	for try := 1; ; try++ {
		out, err := s.client.BatchGetItem(ctx, s.batchGet(keys), limitAttempts)
		if err != nil {
			return failure(ctx, "BatchGetItem", err)
		}
		if err := decodeInto(rows, out.Responses[s.table]); err != nil {
			return err
		}
		left := s.unprocessed(keys, out)
		if len(left) == 0 {
			return nil
		}
		if len(left) < len(keys) {
			try = 1
		}
		if !s.waitForRetry(ctx, try) {
			return unavailable(ctx, "BatchGetItem", errors.New("unprocessed keys"))
		}
		keys = left
	}
}

func (s *Store) batchGet(keys []store.Key) *dynamodb.BatchGetItemInput {
	wanted := types.KeysAndAttributes{ConsistentRead: aws.Bool(true), Keys: make([]values, len(keys))}
	for i, key := range keys {
		wanted.Keys[i] = keyValues(key)
	}
	return &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{s.table: wanted}}
}

// unprocessed returns the keys that must be requested again. Normally, these are the
// UnprocessedKeys in the response. If the response has no entry for the table, or if
// UnprocessedKeys contains a key that was not requested, unprocessed returns all keys.
func (s *Store) unprocessed(keys []store.Key, out *dynamodb.BatchGetItemOutput) []store.Key {
	if _, ok := out.Responses[s.table]; !ok {
		return keys
	}
	var left []store.Key
	for _, table := range out.UnprocessedKeys {
		for _, v := range table.Keys {
			key := keyOf(v)
			if !slices.Contains(keys, key) {
				return keys
			}
			left = append(left, key)
		}
	}
	return left
}

func decodeInto(rows store.Rows, items []values) error {
	for _, item := range items {
		row, err := decode(item)
		if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
		rows[row.Key()] = row
	}
	return nil
}
