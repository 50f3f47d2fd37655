package dynamo

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// batch is how many keys one BatchGetItem takes.
const batch = 100

// Read implements [store.Store]: one BatchGetItem for up to 100 keys.
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

// distinct leaves out what DynamoDB refuses: keys that come twice, and the
// zero key, under which there is nothing.
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

// read asks for keys, and again for those that were left unprocessed, until
// all are answered or nothing moves any more.
func (s *Store) read(ctx context.Context, keys []store.Key, rows store.Rows) error {
	for try := 1; ; try++ {
		out, err := s.client.BatchGetItem(ctx, s.batchGet(keys))
		if err != nil {
			return failure(ctx, "BatchGetItem", err)
		}
		if err := decodeInto(rows, out.Responses[s.table]); err != nil {
			return err
		}
		left := s.unanswered(keys, out)
		if len(left) == 0 {
			return nil
		}
		if len(left) < len(keys) {
			try = 1
		}
		if !s.again(ctx, try) {
			return unanswered(ctx, "BatchGetItem", "unprocessed keys")
		}
		keys = left
	}
}

func (s *Store) batchGet(keys []store.Key) *dynamodb.BatchGetItemInput {
	asked := types.KeysAndAttributes{ConsistentRead: aws.Bool(true), Keys: make([]values, len(keys))}
	for i, key := range keys {
		asked.Keys[i] = keyValues(key)
	}
	return &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{s.table: asked}}
}

// unanswered returns the keys of which an answer says nothing: those that it
// names as unprocessed, and all of them where it does not speak of the table,
// or names keys that nobody asked for.
func (s *Store) unanswered(keys []store.Key, out *dynamodb.BatchGetItemOutput) []store.Key {
	if _, spoken := out.Responses[s.table]; !spoken {
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
