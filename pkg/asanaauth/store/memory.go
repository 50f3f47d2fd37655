package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
)

// Memory is a [Store] and a [Scanner] that keeps its rows in memory. The zero value is
// empty and ready to use. A Memory is safe for concurrent use.
type Memory struct {
	mu    sync.RWMutex
	items map[Key]Item
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
		item, ok := m.items[key]
		if !ok {
			continue
		}
		row, err := Decode(item)
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
	stored, err := m.rows(Keys(changes))
	if err != nil {
		return err
	}
	apply, err := Judge(changes, stored)
	if apply {
		m.apply(changes)
	}
	return err
}

func (m *Memory) apply(changes []Change) {
	if m.items == nil {
		m.items = map[Key]Item{}
	}
	for _, c := range changes {
		delete(m.items, c.Key)
		if c.Row != nil {
			m.items[c.Key] = Encode(c.Row)
		}
	}
}

// List implements [Store].
func (m *Memory) List(ctx context.Context, pk, after string) ([]Row, string, error) {
	last, err := ParseListCursor(pk, after)
	if err != nil {
		return nil, "", err
	}
	return m.page(ctx, last, func(k Key) bool { return k.PK == pk })
}

// Scan implements [Scanner].
func (m *Memory) Scan(ctx context.Context, after string) ([]Row, string, error) {
	last, err := ParseCursor(after)
	if err != nil {
		return nil, "", err
	}
	return m.page(ctx, last, func(Key) bool { return true })
}

// memoryPage is the maximum number of rows in a page. A small page makes tests fail if
// code reads only the first page.
const memoryPage = 100

// page returns one page of the rows that want accepts and whose keys are greater than
// last.
func (m *Memory) page(ctx context.Context, last Key, want func(Key) bool) ([]Row, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var keys []Key
	for key := range m.items {
		if compare(key, last) > 0 && want(key) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compare)
	next := ""
	if len(keys) > memoryPage {
		keys = keys[:memoryPage]
		next = After(keys[memoryPage-1])
	}
	rows, err := m.rows(keys)
	if err != nil {
		return nil, "", err
	}
	page := make([]Row, len(keys))
	for i, key := range keys {
		page[i] = rows[key]
	}
	return page, next, nil
}

func compare(a, b Key) int { return cmp.Or(strings.Compare(a.PK, b.PK), strings.Compare(a.SK, b.SK)) }
