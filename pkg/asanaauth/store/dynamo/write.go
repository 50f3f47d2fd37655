package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Write implements [store.Store]. A single change is a conditional PutItem or DeleteItem
// request, which costs one write unit per kilobyte. Several changes are a transaction,
// which costs two write units per kilobyte.
func (s *Store) Write(ctx context.Context, changes ...store.Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := store.Validate(changes...); err != nil {
		return err
	}
	switch len(changes) {
	case 0:
		return nil
	case 1:
		return s.writeOne(ctx, changes[0])
	default:
		return s.writeAll(ctx, changes)
	}
}

// condition returns the condition expression for a change, and the values of the
// placeholders in the expression. DynamoDB applies the change only if the stored row
// satisfies the expression. For the syntax, see
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html.
func condition(c store.Change) (expression *string, with values) {
	if c.Row != nil && c.Replaces == store.Absent {
		return aws.String("attribute_not_exists(pk)"), nil
	}
	with = values{":replaces": number(c.Replaces)}
	if c.Row == nil {
		return aws.String("attribute_not_exists(pk) OR rev = :replaces"), with
	}
	return aws.String("rev = :replaces"), with
}

// returnStored makes DynamoDB return the stored row if a condition fails. A separate read
// request could return a row that was written after the condition failed.
const returnStored = types.ReturnValuesOnConditionCheckFailureAllOld

func (s *Store) writeOne(ctx context.Context, c store.Change) error {
	send, op, err := s.singleRequest(c)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := send(ctx)
		if err == nil {
			return nil
		}
		if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
			return refusal([]store.Change{c}, refused.Item)
		}
		if _, met := errors.AsType[*types.TransactionConflictException](err); !met || !s.waitForRetry(ctx, try) {
			return failure(ctx, op, err)
		}
	}
}

func (s *Store) singleRequest(c store.Change) (send func(context.Context) error, op string, err error) {
	expression, with := condition(c)
	if c.Row == nil {
		in := &dynamodb.DeleteItemInput{
			TableName: &s.table, Key: keyValues(c.Key),
			ConditionExpression: expression, ExpressionAttributeValues: with,
			ReturnValuesOnConditionCheckFailure: returnStored,
		}
		return func(ctx context.Context) error { _, err := s.client.DeleteItem(ctx, in, limitAttempts); return err }, "DeleteItem", nil
	}
	item, err := encode(c.Row)
	in := &dynamodb.PutItemInput{
		TableName: &s.table, Item: item,
		ConditionExpression: expression, ExpressionAttributeValues: with,
		ReturnValuesOnConditionCheckFailure: returnStored,
	}
	return func(ctx context.Context) error { _, err := s.client.PutItem(ctx, in, limitAttempts); return err }, "PutItem", err
}

// refusal passes the items from DynamoDB's response to store.Refused.
func refusal(changes []store.Change, stored ...values) error {
	rows := store.Rows{}
	for _, item := range stored {
		if len(item) == 0 {
			continue
		}
		if err := decodeInto(rows, []values{item}); err != nil {
			return err
		}
	}
	return store.Refused(changes, rows)
}
