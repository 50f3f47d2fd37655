package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/internal/cursor"
)

// pageRows bounds a page of a list: hot and cold row of a hundred connections, as
// many as anybody asks for at once. DynamoDB counts what it reads, and would read
// a megabyte.
const pageRows = 200

// List implements [store.Store]: a Query.
func (s *Store) List(ctx context.Context, pk, after string) ([]store.Row, string, error) {
	sk, err := cursor.In(pk, after)
	if err != nil {
		return nil, "", err
	}
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	in := &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: aws.Bool(true),
		Limit:                     aws.Int32(pageRows),
		KeyConditionExpression:    aws.String("pk = :pk"),
		ExpressionAttributeValues: values{":pk": text(pk)},
	}
	if sk != "" {
		in.ExclusiveStartKey = keyValues(store.Key{PK: pk, SK: sk})
	}
	out, err := s.client.Query(ctx, in)
	if err != nil {
		return nil, "", failure(ctx, "Query", err)
	}
	return page(out.Items, out.LastEvaluatedKey)
}

// Scan implements [store.Scanner].
func (s *Store) Scan(ctx context.Context, after string) ([]store.Row, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	in := &dynamodb.ScanInput{TableName: &s.table, ConsistentRead: aws.Bool(true)}
	if after != "" {
		pk, sk, err := cursor.Decode(after)
		if err != nil {
			return nil, "", err
		}
		in.ExclusiveStartKey = keyValues(store.Key{PK: pk, SK: sk})
	}
	out, err := s.client.Scan(ctx, in)
	if err != nil {
		return nil, "", failure(ctx, "Scan", err)
	}
	return page(out.Items, out.LastEvaluatedKey)
}

func page(items []values, last values) ([]store.Row, string, error) {
	rows := make([]store.Row, len(items))
	for i, item := range items {
		row, err := decode(item)
		if err != nil {
			return nil, "", err
		}
		rows[i] = row
	}
	if len(last) == 0 {
		return rows, "", nil
	}
	key := keyOf(last)
	return rows, cursor.Encode(key.PK, key.SK), nil
}
