package dynamo

import (
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

type values = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func keyValues(key store.Key) values { return values{"pk": text(key.PK), "sk": text(key.SK)} }

func keyOf(v values) store.Key {
	pk, _ := v["pk"].(*types.AttributeValueMemberS)
	sk, _ := v["sk"].(*types.AttributeValueMemberS)
	if pk == nil || sk == nil {
		return store.Key{}
	}
	return store.Key{PK: pk.Value, SK: sk.Value}
}

func encode(row store.Row) (values, error) {
	item := store.Encode(row)
	out := make(values, len(item))
	for name, value := range item {
		switch v := value.(type) {
		case string:
			out[name] = text(v)
		case int64:
			out[name] = number(v)
		case bool:
			out[name] = &types.AttributeValueMemberBOOL{Value: v}
		case []byte:
			out[name] = &types.AttributeValueMemberB{Value: v}
		default:
			return nil, fmt.Errorf("%w: attribute %q is a %T", store.ErrFormat, name, value)
		}
	}
	return out, nil
}

func decode(in values) (store.Row, error) {
	item := make(store.Item, len(in))
	for name, value := range in {
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			item[name] = v.Value
		case *types.AttributeValueMemberN:
			n, err := strconv.ParseInt(v.Value, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%w: attribute %q is not a whole number", store.ErrFormat, name)
			}
			item[name] = n
		case *types.AttributeValueMemberBOOL:
			item[name] = v.Value
		case *types.AttributeValueMemberB:
			item[name] = v.Value
		default:
			return nil, fmt.Errorf("%w: attribute %q is a %T", store.ErrFormat, name, value)
		}
	}
	return store.Decode(item)
}
