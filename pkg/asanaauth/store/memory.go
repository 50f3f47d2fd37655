package store

import (
	"context"
	"encoding/json"
	"sort"
	"strings"
	"sync"
)

// Memory is a [Store] and a [Scanner] that keeps its rows, encoded, in the
// process. The zero value is empty and ready. Safe for concurrent use.
type Memory struct {
	mu    sync.RWMutex
	items map[Key][]byte
}

// Read implements [Store].
func (m *Memory) Read(ctx context.Context, keys ...Key) (Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.rows(keys)
}

func (m *Memory) rows(keys []Key) (Rows, error) {
	rows := Rows{}
	for _, key := range keys {
		data, ok := m.items[key]
		if !ok {
			continue
		}
		row, err := DecodeJSON(data)
		if err != nil {
			return nil, err
		}
		rows[key] = row
	}
	return rows, nil
}

// Write implements [Store].
func (m *Memory) Write(ctx context.Context, changes ...Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	there, err := m.rows(Keys(changes))
	if err != nil {
		return err
	}
	apply, err := Judge(changes, there)
	if !apply {
		return err
	}
	if m.items == nil {
		m.items = map[Key][]byte{}
	}
	for _, c := range changes {
		if c.Row == nil {
			delete(m.items, c.Key)
			continue
		}
		if m.items[c.Key], err = EncodeJSON(c.Row); err != nil {
			return err
		}
	}
	return nil
}

// List implements [Store].
func (m *Memory) List(ctx context.Context, pk, cursor string) ([]Row, string, error) {
	return m.page(ctx, func(k Key) bool { return k.PK == pk })
}

// Scan implements [Scanner].
func (m *Memory) Scan(ctx context.Context, cursor string) ([]Row, string, error) {
	return m.page(ctx, func(Key) bool { return true })
}

func (m *Memory) page(ctx context.Context, want func(Key) bool) ([]Row, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var keys []Key
	for key := range m.items {
		if want(key) {
			keys = append(keys, key)
		}
	}
	sort.Slice(keys, func(i, j int) bool { return strings.Compare(keys[i].String(), keys[j].String()) < 0 })
	rows, err := m.rows(keys)
	if err != nil {
		return nil, "", err
	}
	page := make([]Row, 0, len(keys))
	for _, key := range keys {
		page = append(page, rows[key])
	}
	return page, "", nil
}

// Keys returns the keys of changes.
func Keys(changes []Change) []Key {
	keys := make([]Key, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	return keys
}

// EncodeJSON returns the item of a row as DynamoDB's JSON: how the stores
// without a server keep it.
func EncodeJSON(row Row) ([]byte, error) { return json.Marshal(Encode(row)) }

// DecodeJSON reads what EncodeJSON wrote; its errors are those of [Decode].
func DecodeJSON(data []byte) (Row, error) {
	var item Item
	if err := json.Unmarshal(data, &item); err != nil {
		return nil, err
	}
	return Decode(item)
}
