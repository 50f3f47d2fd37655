// Package thirdstore is an example of a [store.Store] in a separate module, which uses
// only exported identifiers of package store.
//
// Each Write appends one line of JSON to a file. All current rows are also in memory.
// Write does not sync the file to disk. Only one Store may have the file open at a time.
package thirdstore

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Store keeps all rows in memory and appends each change to a file. Store implements
// [store.Store] and [store.Scanner].
type Store struct {
	mu   sync.RWMutex
	file *os.File
	end  int64    // offset after the last complete line
	rows []change // sorted by key
}

// change is a [store.Change] as it is stored in the file. Each line of the file contains
// the changes of one Write.
type change struct {
	Key store.Key
	Row json.RawMessage `json:",omitempty"` // empty if the row is deleted
}

// Open reads the file, or creates it if it does not exist. A failed Write may have left
// an incomplete last line, which Open ignores.
func Open(path string) (*Store, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	s := &Store{file: file}
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		var changes []change
		if err = cmp.Or(err, json.Unmarshal(line, &changes)); err != nil {
			return nil, errors.Join(fmt.Errorf("thirdstore: at byte %d: %w", s.end, err), file.Close())
		}
		s.apply(line, changes)
	}
}

// Close closes the file. Call Close before the file is opened again.
func (s *Store) Close() error { return s.file.Close() }

func (s *Store) apply(line []byte, changes []change) {
	s.end += int64(len(line))
	for _, c := range changes {
		i, found := s.find(c.Key)
		if found {
			s.rows = slices.Delete(s.rows, i, i+1)
		}
		if c.Row != nil {
			s.rows = slices.Insert(s.rows, i, c)
		}
	}
}

// If found is false, i is the index in s.rows at which to insert the row.
func (s *Store) find(key store.Key) (i int, found bool) {
	return slices.BinarySearchFunc(s.rows, key, func(c change, key store.Key) int {
		return cmp.Or(strings.Compare(c.Key.PK, key.PK), strings.Compare(c.Key.SK, key.SK))
	})
}

// Read implements [store.Store].
func (s *Store) Read(ctx context.Context, keys ...store.Key) (store.Rows, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.read(ctx, keys)
}

func (s *Store) read(ctx context.Context, keys []store.Key) (store.Rows, error) {
	rows := store.Rows{}
	for _, key := range keys {
		if i, found := s.find(key); found {
			row, err := store.DecodeJSON(s.rows[i].Row)
			if err != nil {
				return nil, err
			}
			rows[key] = row
		}
	}
	return rows, ctx.Err()
}

// Write implements [store.Store].
func (s *Store) Write(ctx context.Context, changes ...store.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, err := s.read(ctx, store.Keys(changes))
	if err != nil {
		return err
	}
	if apply, err := store.Judge(changes, stored); !apply || len(changes) == 0 {
		return err
	}
	encoded := make([]change, len(changes))
	for i, c := range changes {
		encoded[i].Key = c.Key
		if c.Row == nil {
			continue
		}
		if encoded[i].Row, err = store.EncodeJSON(c.Row); err != nil {
			return err
		}
	}
	line, err := json.Marshal(encoded)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	// Remove the incomplete line that a failed Write may have left.
	if err = s.file.Truncate(s.end); err == nil {
		_, err = s.file.WriteAt(line, s.end)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	s.apply(line, encoded)
	return nil
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, pk, cursor string) ([]store.Row, string, error) {
	last, err := store.ParseListCursor(pk, cursor)
	if err != nil {
		return nil, "", err
	}
	return s.page(ctx, last, func(key store.Key) bool { return key.PK == pk })
}

// Scan implements [store.Scanner].
func (s *Store) Scan(ctx context.Context, cursor string) ([]store.Row, string, error) {
	last, err := store.ParseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	return s.page(ctx, last, func(store.Key) bool { return true })
}

const pageRows = 50

// page returns one page of the rows whose keys are greater than last. The page ends
// before the first row for whose key wanted returns false.
func (s *Store) page(ctx context.Context, last store.Key, wanted func(store.Key) bool) (page []store.Row, next string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, found := s.find(last)
	if found {
		i++
	}
	for ; i < len(s.rows) && wanted(s.rows[i].Key); i++ {
		if len(page) == pageRows {
			next = store.After(page[pageRows-1].Key())
			break
		}
		row, err := store.DecodeJSON(s.rows[i].Row)
		if err != nil {
			return nil, "", err
		}
		page = append(page, row)
	}
	return page, next, ctx.Err()
}
