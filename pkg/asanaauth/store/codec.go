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

// Item is a row as a database keeps it: attribute names to values of the types
// string, int64, bool and []byte. Absent attributes are zero values.
//
// Every item has "pk" and "sk" (strings), "format", "rev" (numbers) and
// "writer" (a string). Times are numbers of milliseconds since 1970; "ttl",
// where a database may remove the row by itself, is in seconds, as DynamoDB
// wants it.
type Item map[string]any

// Encode returns the item of a row. They share no bytes.
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

// Decode returns the row of an item. They share no bytes. It fails with
// [ErrFormat] for a row of an unknown kind or format, for an attribute of the
// wrong type, and for a row that does not stand under the key that its fields
// make.
func Decode(item Item) (Row, error) {
	pk, _ := item["pk"].(string)
	sk, _ := item["sk"].(string)
	row := emptyRow(pk, sk)
	if row == nil {
		return nil, fmt.Errorf("%w: no kind of row has this key", ErrFormat)
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
		c.err = errors.New("it has no rev")
	}
	if c.err != nil {
		return nil, fmt.Errorf("%w: %T: %w", ErrFormat, row, c.err)
	}
	if row.Key() != (Key{pk, sk}) {
		return nil, fmt.Errorf("%w: %T under another row's key", ErrFormat, row)
	}
	return row, nil
}

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

// codec carries a row's fields to an item or back. Each row lists its fields
// once, for both directions.
type codec struct {
	item    Item
	writing bool
	err     error
}

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
		c.err = fmt.Errorf("attribute %q is no %T", name, *value)
		return
	}
	*value = typed
}

func (c *codec) text(name string, v *string)  { attribute(c, name, v, *v != "") }
func (c *codec) number(name string, v *int64) { attribute(c, name, v, *v != 0) }
func (c *codec) flag(name string, v *bool)    { attribute(c, name, v, *v) }

// bytes copies: a row and its item share no bytes.
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
		c.err = fmt.Errorf("attribute %q is no SHA-256", name)
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
		c.err = fmt.Errorf("attribute %q is no duration", name)
		return
	}
	*v = time.Duration(ms) * time.Millisecond
}

// ttl tells the database when it may remove the row. It is written and never
// read: expiry is decided by the rules, from the fields that they know.
func (c *codec) ttl(v time.Time) {
	if c.writing && !v.IsZero() {
		c.item["ttl"] = v.Unix() + 1
	}
}
