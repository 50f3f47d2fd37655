package local

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Kept tells how many rows of a kind there are, and which attributes they have:
// never what is in them.
type Kept struct {
	Kind       string   `json:"kind"`
	Purpose    string   `json:"purpose"`
	Rows       int      `json:"rows"`
	Attributes []string `json:"attributes"` // readable, or a hash
	Sealed     []string `json:"sealed"`     // encrypted
}

// rowKind is a kind of row, in words.
type rowKind struct {
	prefix, suffix string // of the partition and of the sort key
	name, purpose  string
	sealed         []string // attributes that are encrypted
}

// rowKinds are the kinds of rows, in the order in which a trip makes them.
func rowKinds() []rowKind {
	return []rowKind{
		{"l#", "", "link", "a backend's invitation; holds what Asana answered until the backend redeems it", []string{"held"}},
		{"a#", "", "attempt", "one trip to Asana and back; ten minutes, single use", nil},
		{"c#", "#hot", "connection (hot)", "what a refresh writes: tokens, lease, status", []string{"access", "refresh"}},
		{"c#", "#cold", "connection (cold)", "what a consent writes: who, and which scopes", []string{"owner_name", "name", "email", "picture"}},
		{"s#", "", "session", "a browser that is signed in to a connection", []string{"proof"}},
		{"x#", "", "session code", "tells a backend, once, who is signed in; a minute", []string{"proof"}},
		{"w#", "", "reader", "the service account that is asked about licences in a workspace", nil},
		{"u#", "", "pointer", "finds the connections of an Asana user", nil},
		{"k#", "", "keyring", "the keys that seal all others, wrapped", []string{"wrapped"}},
	}
}

func kindOf(k store.Key) rowKind {
	for _, kind := range rowKinds() {
		if strings.HasPrefix(k.PK, kind.prefix) && strings.HasSuffix(k.SK, kind.suffix) {
			return kind
		}
	}
	return rowKind{name: "row"}
}

// countKept goes through all rows: there are few here.
func countKept(ctx context.Context, rows store.Scanner) ([]Kept, error) {
	counts := map[string]int{}
	names := map[string]map[string]bool{} // of attributes, by kind
	for cursor := ""; ; {
		page, next, err := rows.Scan(ctx, cursor)
		if err != nil {
			return nil, err
		}
		for _, row := range page {
			kind := kindOf(row.Key()).name
			if counts[kind]++; names[kind] == nil {
				names[kind] = map[string]bool{}
			}
			for name := range store.Encode(row) {
				names[kind][name] = true
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	kept := []Kept{}
	for _, kind := range rowKinds() {
		if counts[kind.name] > 0 {
			kept = append(kept, kind.kept(counts[kind.name], names[kind.name]))
		}
	}
	return kept, nil
}

func (k rowKind) kept(rows int, names map[string]bool) Kept {
	out := Kept{Kind: k.name, Purpose: k.purpose, Rows: rows, Attributes: []string{}, Sealed: []string{}}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if slices.Contains(k.sealed, name) {
			out.Sealed = append(out.Sealed, name)
		} else {
			out.Attributes = append(out.Attributes, name)
		}
	}
	return out
}
