package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// The codes of cancellation reasons that decide how a write goes on
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
const (
	reasonNone      = "None"
	reasonCondition = "ConditionalCheckFailed"
)

// writeAll applies several changes in one transaction.
//
// The SDK sets the ClientRequestToken: it generates one per call and sends the same token
// with each attempt of the call. writeAll does not derive the token from the writer. A
// repeated Write does not need that, because the rows identify their writer. It could even
// fail, because DynamoDB rejects a known token if the request differs, and the order of
// attributes differs between requests.
func (s *Store) writeAll(ctx context.Context, changes []store.Change) error {
	in, err := s.transaction(changes)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		in.ClientRequestToken = nil // the SDK stores its token here; each try needs a new one
		_, err := s.client.TransactWriteItems(ctx, in)
		if err == nil {
			return nil
		}
		cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
		if !ok {
			return failure(ctx, "TransactWriteItems", err)
		}
		code := decisive(cancelled.CancellationReasons)
		if code == reasonCondition {
			return refusal(changes, items(cancelled.CancellationReasons)...)
		}
		if !isTransient(code) {
			return permanent("TransactWriteItems", code)
		}
		if !s.waitForRetry(ctx, try) {
			return unavailable(ctx, "TransactWriteItems", code)
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
				ReturnValuesOnConditionCheckFailure: bringBack,
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
			ReturnValuesOnConditionCheckFailure: bringBack,
		}
	}
	return in, nil
}

// decisive returns the code of the reason that decides how writeAll goes on. A failed
// condition is decisive only if no other reason is given. Otherwise DynamoDB may not have
// returned all rows, and a missing row could show that this write was applied before.
func decisive(reasons []types.CancellationReason) string {
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
