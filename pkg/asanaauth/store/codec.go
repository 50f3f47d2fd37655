package store

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Item is the form in which a database stores a row: a map from attribute names to values
// of type string, int64, bool or []byte. If an attribute is missing, the corresponding
// field has the zero value.
//
// Every item contains the strings "pk" and "sk" and the numbers "format" and "rev". An
// item also contains the string "writer" unless [Head.Writer] is empty. Times are in
// milliseconds since 1970. Only "ttl" is in seconds, because DynamoDB's Time to Live
// requires seconds.
type Item map[string]any

// Encode returns the item for a row. The item shares no memory with the row.
func Encode(row Row) Item {
	key := row.Key()
	c := &codec{item: Item{"pk": key.PK, "sk": key.SK}, writing: true}
	format := row.format()
	c.number("format", &format)
	c.number("rev", &row.head().Rev)
	c.text("writer", &row.head().Writer)
	row.fields(c)
	return c.item
}

// Decode returns the row in an item. The row shares no memory with the item. Decode
// returns an [ErrFormat] if the kind or the format of the row is unknown, if an attribute
// has the wrong type, or if "pk" and "sk" do not match the other attributes.
func Decode(item Item) (Row, error) {
	pk, _ := item["pk"].(string)
	sk, _ := item["sk"].(string)
	row := emptyRow(pk, sk)
	if row == nil {
		return nil, fmt.Errorf("%w: unknown key prefix", ErrFormat)
	}
	c := &codec{item: item}
	var format int64
	c.number("format", &format)
	if format != row.format() {
		return nil, fmt.Errorf("%w: %T of format %d", ErrFormat, row, format)
	}
	c.number("rev", &row.head().Rev)
	c.text("writer", &row.head().Writer)
	row.fields(c)
	if c.err == nil && row.head().Rev <= Absent {
		c.err = errors.New("rev is missing")
	}
	if c.err != nil {
		return nil, fmt.Errorf("%w: %T: %w", ErrFormat, row, c.err)
	}
	if row.Key() != (Key{pk, sk}) {
		return nil, fmt.Errorf("%w: key of %T does not match its fields", ErrFormat, row)
	}
	return row, nil
}

// emptyRow returns an empty row of the kind to which the key belongs, or nil if the kind
// is unknown.
func emptyRow(pk, sk string) Row {
	prefix, _, ok := strings.Cut(pk, "#")
	switch {
	case !ok:
		return nil
	case prefix == "a":
		return &Attempt{}
	case prefix == "s":
		return &Session{}
	case prefix == "c" && strings.HasSuffix(sk, hotSuffix):
		return &Hot{}
	case prefix == "c" && strings.HasSuffix(sk, coldSuffix):
		return &Cold{}
	case prefix == "u":
		return &UserPointer{}
	case prefix == "i":
		return &ImportPointer{}
	case prefix == "k":
		return &Keyring{}
	case prefix == "l":
		return &Link{}
	case prefix == "x":
		return &SessionCode{}
	case prefix == "w":
		return &Reader{}
	}
	return nil
}

// codec copies the fields of a row to an item, or from an item to a row. Each row type
// has a method with the name fields, which lists the fields once for both directions.
type codec struct {
	item    Item
	writing bool
	err     error
}

// attribute copies one field. If present is false, attribute does not write to the item.
func attribute[T any](c *codec, name string, value *T, present bool) {
	if c.writing {
		if present {
			c.item[name] = *value
		}
		return
	}
	stored, ok := c.item[name]
	if !ok {
		return
	}
	typed, ok := stored.(T)
	if !ok {
		c.err = fmt.Errorf("attribute %q is not a %T", name, *value)
		return
	}
	*value = typed
}

func (c *codec) text(name string, v *string)  { attribute(c, name, v, *v != "") }
func (c *codec) number(name string, v *int64) { attribute(c, name, v, *v != 0) }
func (c *codec) flag(name string, v *bool)    { attribute(c, name, v, *v) }

// bytes clones the slice, because a row and its item must not share memory.
func (c *codec) bytes(name string, v *[]byte) {
	b := bytes.Clone(*v)
	attribute(c, name, &b, len(b) > 0)
	if !c.writing {
		*v = bytes.Clone(b)
	}
}

func (c *codec) sealed(name string, v *secret.Sealed) { c.bytes(name, (*[]byte)(v)) }

func (c *codec) hash(name string, v *Hash) {
	b := v[:]
	if v.IsZero() {
		b = nil
	}
	c.bytes(name, &b)
	if c.writing || b == nil {
		return
	}
	if len(b) != len(v) {
		c.err = fmt.Errorf("attribute %q is not a SHA-256 hash", name)
		return
	}
	*v = Hash(b)
}

func (c *codec) time(name string, v *time.Time) {
	var ms int64
	if !v.IsZero() {
		ms = v.UnixMilli()
	}
	c.number(name, &ms)
	if !c.writing && ms != 0 {
		*v = time.UnixMilli(ms).UTC()
	}
}

func (c *codec) duration(name string, v *time.Duration) {
	ms := v.Milliseconds()
	c.number(name, &ms)
	if c.writing {
		return
	}
	if ms < 0 || ms > math.MaxInt64/int64(time.Millisecond) {
		c.err = fmt.Errorf("attribute %q is not a duration", name)
		return
	}
	*v = time.Duration(ms) * time.Millisecond
}

// ttl sets the time after which DynamoDB may delete the row. Decode ignores the attribute
// "ttl", because callers check the expiry in the row's other fields.
func (c *codec) ttl(v time.Time) {
	if c.writing && !v.IsZero() {
		c.item["ttl"] = v.Unix() + 1
	}
}
