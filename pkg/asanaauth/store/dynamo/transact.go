package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// These constants are codes of cancellation reasons
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
const (
	reasonNone      = "None"
	reasonCondition = "ConditionalCheckFailed"
)

// writeAll applies several changes in one transaction.
//
// The SDK generates a ClientRequestToken for each call of TransactWriteItems. If the SDK
// retries the call, it sends the same token again. writeAll does not derive the token
// from the writer ID, because a repeated Write could then fail: DynamoDB rejects a
// request that has the token of an earlier request but a different body, and the body can
// list the attributes in a different order each time. Instead, the store recognizes a
// repeated Write by the writer ID in the rows.
func (s *Store) writeAll(ctx context.Context, changes []store.Change) error {
	in, err := s.transaction(changes)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		in.ClientRequestToken = nil // the SDK stores its token here; each try needs a new token
		_, err := s.client.TransactWriteItems(ctx, in, limitAttempts)
		if err == nil {
			return nil
		}
		canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
		if !ok {
			return failure(ctx, "TransactWriteItems", err)
		}
		code := decisiveCode(canceled.CancellationReasons)
		if code == reasonCondition {
			return refusal(changes, items(canceled.CancellationReasons)...)
		}
		if !isTransient(code) {
			return permanent("TransactWriteItems", &ResponseError{"TransactWriteItems", code})
		}
		if !s.waitForRetry(ctx, try) {
			return unavailable(ctx, "TransactWriteItems", &ResponseError{"TransactWriteItems", code})
		}
	}
}

func (s *Store) transaction(changes []store.Change) (*dynamodb.TransactWriteItemsInput, error) {
	in := &dynamodb.TransactWriteItemsInput{TransactItems: make([]types.TransactWriteItem, len(changes))}
	for i, c := range changes {
		expression, with := condition(c)
		if c.Row == nil {
			in.TransactItems[i].Delete = &types.Delete{
				TableName: &s.table, Key: keyValues(c.Key),
				ConditionExpression: expression, ExpressionAttributeValues: with,
				ReturnValuesOnConditionCheckFailure: returnStored,
			}
			continue
		}
		item, err := encode(c.Row)
		if err != nil {
			return nil, err
		}
		in.TransactItems[i].Put = &types.Put{
			TableName: &s.table, Item: item,
			ConditionExpression: expression, ExpressionAttributeValues: with,
			ReturnValuesOnConditionCheckFailure: returnStored,
		}
	}
	return in, nil
}

// decisiveCode returns the code that decides how writeAll continues. The result is
// reasonCondition only if every change that failed has failed because of its condition.
// After other failures, DynamoDB may not have returned all rows, and one of the missing
// rows could show that the write has already been applied.
func decisiveCode(reasons []types.CancellationReason) string {
	code := reasonNone
	for _, reason := range reasons {
		switch c := aws.ToString(reason.Code); {
		case c == "" || c == reasonNone:
		case c == reasonCondition:
			code = c
		default:
			return c
		}
	}
	return code
}

func items(reasons []types.CancellationReason) []values {
	out := make([]values, len(reasons))
	for i, reason := range reasons {
		out[i] = reason.Item
	}
	return out
}
