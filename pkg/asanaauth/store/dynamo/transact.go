package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// The codes of a cancellation's reasons that decide something here
// (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html).
const (
	reasonNone      = "None"
	reasonCondition = "ConditionalCheckFailed"
)

// writeAll leaves the ClientRequestToken to the SDK, which draws one for a call
// and sends it with each of the call's attempts. One made of the writer's name
// would serve a Write that is tried again, but its rows know that by
// themselves; and DynamoDB refuses a token that comes with another request,
// where the order of an item's attributes, which no two requests share, may be
// enough to make it another.
func (s *Store) writeAll(ctx context.Context, changes []store.Change) error {
	in, err := s.transaction(changes)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		in.ClientRequestToken = nil // the SDK leaves the one it drew
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
		if !passing(code) {
			return permanent("TransactWriteItems", code)
		}
		if !s.again(ctx, try) {
			return unanswered(ctx, "TransactWriteItems", code)
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

// decisive picks the reason that settles what comes next. A refused condition
// counts only where nothing else was in the way of looking at the other rows:
// one of them may say that this very write has happened.
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
