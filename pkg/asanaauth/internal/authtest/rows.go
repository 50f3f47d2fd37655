package authtest

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// Rows reads and changes an installation's table like an attacker who can write the
// table. Its operations bypass Installation.Table, so hooks cannot make them fail.
type Rows struct {
	*store.Memory
	t testing.TB
}

// Row returns the row that is stored under a key. Row fails the test if the row is
// missing.
func Row[R store.Row](r *Rows, key store.Key) R {
	r.t.Helper()
	rows, err := r.Read(context.Background(), key)
	if err != nil {
		r.t.Fatal(err)
	}
	row, ok := rows[key].(R)
	if !ok {
		r.t.Fatalf("the table has no %T under the key", row)
	}
	return row
}

// Hot returns a connection's hot row. id is the connection's ID, or the value of a session
// cookie, which begins with that ID.
func (r *Rows) Hot(id string) *store.Hot {
	r.t.Helper()
	return Row[*store.Hot](r, store.HotKey(idOf(id)))
}

// Cold returns a connection's cold row. id is as in [Rows.Hot].
func (r *Rows) Cold(id string) *store.Cold {
	r.t.Helper()
	return Row[*store.Cold](r, store.ColdKey(idOf(id)))
}

func idOf(id string) string {
	id, _, _ = strings.Cut(id, ".")
	return id
}

// SessionRow returns the row of the session to which a cookie value belongs.
func (r *Rows) SessionRow(cookie secret.String) *store.Session {
	r.t.Helper()
	return Row[*store.Session](r, store.SessionKey(store.HashText(cookie.Reveal())))
}

// AttemptRow returns the row of the attempt with the given state.
func (r *Rows) AttemptRow(state string) *store.Attempt {
	r.t.Helper()
	return Row[*store.Attempt](r, store.AttemptKey(store.HashText(state)))
}

// Edit changes a connection's hot row, as a different writer would. id is as in
// [Rows.Hot].
func (r *Rows) Edit(id string, change func(*store.Hot)) {
	r.t.Helper()
	hot := r.Hot(id)
	change(hot)
	r.Forge(hot)
}

// EditCold changes a connection's cold row, as a different writer would. id is as in
// [Rows.Hot].
func (r *Rows) EditCold(id string, change func(*store.Cold)) {
	r.t.Helper()
	cold := r.Cold(id)
	change(cold)
	r.Forge(cold)
}

// Forge writes rows, as an attacker could, and replaces any rows that have the same keys.
func (r *Rows) Forge(rows ...store.Row) {
	r.t.Helper()
	for _, row := range rows {
		there, err := r.Read(context.Background(), row.Key())
		if err != nil {
			r.t.Fatal(err)
		}
		if err := r.Write(context.Background(), store.Put(row, store.RevOf(there[row.Key()]), "someone else")); err != nil {
			r.t.Fatal(err)
		}
	}
}

// Delete deletes a row, as an attacker could.
func (r *Rows) Delete(key store.Key) {
	r.t.Helper()
	rev := store.RevOf(Row[store.Row](r, key))
	if err := r.Write(context.Background(), store.Delete(key, rev)); err != nil {
		r.t.Fatal(err)
	}
}

// All returns every row in the table.
func (r *Rows) All() []store.Row {
	r.t.Helper()
	var all []store.Row
	for cursor := ""; ; {
		page, next, err := r.Scan(context.Background(), cursor)
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, page...)
		if cursor = next; cursor == "" {
			return all
		}
	}
}

// Kept counts the rows in the table by type, and leaves out attempts and the keyring.
func (r *Rows) Kept() map[string]int {
	r.t.Helper()
	n := map[string]int{}
	for _, row := range r.All() {
		switch row.(type) {
		case *store.Attempt, *store.Keyring:
		default:
			n[fmt.Sprintf("%T", row)]++
		}
	}
	return n
}

// WantNothingKept reports a test error if the table contains any row except attempts and
// the keyring.
func (r *Rows) WantNothingKept() {
	r.t.Helper()
	if kept := r.Kept(); len(kept) > 0 {
		r.t.Errorf("the table contains %v, want no rows", kept)
	}
}

// WantOneConnection reports a test error unless the table contains exactly one connection
// and the given number of sessions.
func (r *Rows) WantOneConnection(sessions int) {
	r.t.Helper()
	want := map[string]int{"*store.Hot": 1, "*store.Cold": 1, "*store.UserPointer": 1, "*store.Session": sessions}
	if kept := r.Kept(); fmt.Sprint(kept) != fmt.Sprint(want) {
		r.t.Errorf("the table contains %v, want %v", kept, want)
	}
}

// WantTombstone reports a test error unless the connection's hot row is a tombstone and
// all of its other rows were deleted. The check fails if the table contains rows of a
// different connection.
func (r *Rows) WantTombstone(id string) {
	r.t.Helper()
	hot := r.Hot(id)
	if hot.Status != string(asanaauth.Disconnected) || len(hot.Access)+len(hot.Refresh) > 0 || hot.AsanaGID != "" {
		r.t.Errorf("the row is more than a tombstone: %+v", hot)
	}
	if hot.Connection == "" || hot.Kind != string(asanaauth.OAuth) || hot.Epoch == "" || hot.Owner.IsZero() {
		r.t.Errorf("the tombstone lacks id, kind, epoch or owner's hash: %+v", hot)
	}
	for _, row := range r.All() {
		switch row.(type) {
		case *store.Cold, *store.UserPointer, *store.Session:
			r.t.Errorf("the table still contains a %T", row)
		}
	}
}

// Whose returns the gid of the user to whom an access token belongs, or "" if Asana does
// not accept the token.
func (inst *Installation) Whose(access secret.String) string {
	inst.T.Helper()
	r, err := http.NewRequest(http.MethodGet, AsanaURL+MePath, nil)
	if err != nil {
		inst.T.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+access.Reveal())
	resp, err := inst.Asana.Client().Do(r)
	if err != nil {
		inst.T.Fatal(err)
	}
	defer resp.Body.Close()
	var me struct {
		Data struct{ GID string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&me); err != nil {
		inst.T.Fatal(err)
	}
	return me.Data.GID
}

// Written returns the fields of a row as one text. If a field consists of bytes, the text
// contains these bytes unchanged, in hexadecimal, in base64 and in base64url.
func Written(row store.Row) string {
	var b strings.Builder
	for name, value := range store.Encode(row) {
		fmt.Fprintln(&b, name, value)
		if raw, ok := value.([]byte); ok {
			fmt.Fprintln(&b, string(raw), hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw))
		}
	}
	return b.String()
}

// Forms returns the forms in which a row could contain a text: the text itself, and its
// bytes in hexadecimal. If the text is base64url, Forms also returns the decoded bytes,
// unchanged and in hexadecimal.
func Forms(text string) []string {
	all := []string{text, hex.EncodeToString([]byte(text))}
	if raw, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(raw) >= 16 {
		all = append(all, string(raw), hex.EncodeToString(raw))
	}
	return all
}

// Holds reports whether a row contains the text, in any of the forms that [Forms]
// returns.
func Holds(row store.Row, text string) bool {
	in := Written(row)
	return slices.ContainsFunc(Forms(text), func(form string) bool { return strings.Contains(in, form) })
}
