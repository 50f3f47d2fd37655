package local

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Kept describes the stored rows of one kind, without the values of their attributes.
type Kept struct {
	Kind       string   `json:"kind"`
	Purpose    string   `json:"purpose"`
	Rows       int      `json:"rows"`
	Attributes []string `json:"attributes"` // names of attributes that are stored in plain text or as a hash
	Sealed     []string `json:"sealed"`     // names of attributes that are encrypted
}

type rowKind struct {
	prefix, suffix string // of the partition key and of the sort key
	name, purpose  string
	sealed         []string // names of attributes that are encrypted
}

// rowKinds returns all kinds of rows, in the order in which the page shows them.
func rowKinds() []rowKind {
	return []rowKind{
		{"l#", "", "link", "a link from a backend; holds the tokens until the backend redeems the connect code", []string{"held"}},
		{"a#", "", "attempt", "one sign-in in progress; valid for ten minutes, usable once", nil},
		{"c#", "#hot", "connection (hot)", "the fields that a refresh writes: tokens, lease, status", []string{"access", "refresh"}},
		{"c#", "#cold", "connection (cold)", "the fields that a sign-in writes: Asana user, scopes", []string{"owner_name", "name", "email", "picture"}},
		{"s#", "", "session", "a browser that is signed in", []string{"proof"}},
		{"x#", "", "session code", "reports to a backend who is signed in; valid for a minute, usable once", []string{"proof"}},
		{"w#", "", "reader", "the service account that reads memberships in a workspace", nil},
		{"i#", "", "import", "recognizes a credential that was imported before", nil},
		{"u#", "", "pointer", "lists the connections of an Asana user", nil},
		{"k#", "", "keyring", "the keys that encrypt all other rows, encrypted by the local key", []string{"wrapped"}},
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

func countKept(ctx context.Context, rows store.Scanner) ([]Kept, error) {
	counts := map[string]int{}
	names := map[string]map[string]bool{} // names of attributes, by kind
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
