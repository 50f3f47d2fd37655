package store

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// attributeValue is an AttributeValue of the DynamoDB API in JSON, such as {"S":"…"} or
// {"N":"1"}.
type attributeValue struct {
	S    *string `json:",omitempty"`
	N    *string `json:",omitempty"`
	BOOL *bool   `json:",omitempty"`
	B    []byte  `json:",omitempty"`
}

// MarshalJSON encodes the item as DynamoDB JSON. The attributes are sorted by name.
// MarshalJSON returns an [ErrFormat] if a value has a type that [Item] does not allow.
func (i Item) MarshalJSON() ([]byte, error) {
	out := make(map[string]attributeValue, len(i))
	for name, value := range i {
		switch v := value.(type) {
		case string:
			out[name] = attributeValue{S: &v}
		case int64:
			n := strconv.FormatInt(v, 10)
			out[name] = attributeValue{N: &n}
		case bool:
			out[name] = attributeValue{BOOL: &v}
		case []byte:
			out[name] = attributeValue{B: v}
		default:
			return nil, fmt.Errorf("%w: attribute %q is a %T", ErrFormat, name, value)
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON decodes DynamoDB JSON. An error does not contain attribute values.
func (i *Item) UnmarshalJSON(data []byte) error {
	var in map[string]attributeValue
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*i = make(Item, len(in))
	for name, value := range in {
		switch {
		case value.S != nil:
			(*i)[name] = *value.S
		case value.BOOL != nil:
			(*i)[name] = *value.BOOL
		case value.B != nil:
			(*i)[name] = value.B
		case value.N != nil:
			n, err := strconv.ParseInt(*value.N, 10, 64)
			if err != nil {
				return fmt.Errorf("attribute %q is not a whole number", name)
			}
			(*i)[name] = n
		default:
			return fmt.Errorf("attribute %q has no known type", name)
		}
	}
	return nil
}

// EncodeJSON returns the item for a row as DynamoDB JSON. Use EncodeJSON for databases
// whose values are bytes, such as bbolt.
func EncodeJSON(row Row) ([]byte, error) { return json.Marshal(Encode(row)) }

// DecodeJSON decodes a row that [EncodeJSON] encoded. DecodeJSON returns the errors of
// [Decode], and also returns an [ErrFormat] if data is not DynamoDB JSON.
func DecodeJSON(data []byte) (Row, error) {
	var item Item
	if err := json.Unmarshal(data, &item); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return Decode(item)
}
