package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// pageRows is the maximum number of rows in a page of List. Callers need at most 100
// connections per page, and each connection has two rows. Without a limit, DynamoDB would
// read and bill up to one megabyte per page.
const pageRows = 200

// List implements [store.Store] with one Query request.
func (s *Store) List(ctx context.Context, pk, after string) ([]store.Row, string, error) {
	last, err := store.ParseListCursor(pk, after)
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
	if last.SK != "" {
		in.ExclusiveStartKey = keyValues(last)
	}
	out, err := s.client.Query(ctx, in, limitAttempts)
	if err != nil {
		return nil, "", failure(ctx, "Query", err)
	}
	return page(out.Items, out.LastEvaluatedKey)
}

// Scan implements [store.Scanner] with one Scan request.
func (s *Store) Scan(ctx context.Context, after string) ([]store.Row, string, error) {
	last, err := store.ParseCursor(after)
	if err != nil {
		return nil, "", err
	}
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	in := &dynamodb.ScanInput{TableName: &s.table, ConsistentRead: aws.Bool(true)}
	if last.SK != "" {
		in.ExclusiveStartKey = keyValues(last)
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
	return rows, store.After(keyOf(last)), nil
}
